"""How the site is built; `scripts/docs` builds it in both languages."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "scripts"), str(HERE / "site")]

import chainrule  # noqa: E402 - after the path of what is built beside it

#: "en" or "zh_CN", from the command line.
language = "en"

project = "chainrule"
author = copyright = "chainrule's developers"
release = version = chainrule.__version__

extensions = [
    "myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax", "parts",
]  # fmt: skip
root_doc = "index"
exclude_patterns = ["zh/**", "_build/**", "site/**"]

myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline", "deflist"]
myst_heading_anchors = 4

nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_show_tb = True
nb_merge_streams = True
nb_execution_cache_path = str(HERE / "_build" / "cells")

html_theme = "furo"
html_title = "chainrule"
html_static_path = ["site/static"]
templates_path = ["site/templates"]
html_css_files = ["site.css"]
mathjax_path = "mathjax.js"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
html_sidebars = {
    "**": [
        "sidebar/brand.html", "sidebar/search.html", "sidebar/edition.html",
        "sidebar/scroll-start.html", "sidebar/navigation.html", "sidebar/scroll-end.html",
    ]
}  # fmt: skip
