"""The site's own parts: the two editions, MathJax without a network, and the way to the other language."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, ClassVar

import editions
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from chainrule.lessons import EXERCISES, find_exercise

#: What the site says beside its pages.
WORDS = {
    "en": {
        "show": "Show the answer",
        "hide": "Hide the answer",
        "think": "What do you think?",
        "exercise": "Exercise {n}: {title}",
        "ways": "In a notebook: `cr.lessons.check({n}, {entry})`. In files: `chainrule learn check {n}`.",
    },
    "zh": {
        "show": "看答案",
        "hide": "收起答案",
        "think": "您觉得呢？",
        "exercise": "练习 {n}：{title}",
        "ways": "在 notebook 中：`cr.lessons.check({n}, {entry})`；用文件：`chainrule learn check {n}`。",
    },
}


def is_chinese(config: Config) -> bool:
    """Whether this is the Chinese edition."""
    return str(config.language).startswith("zh")


def configured(app: Sphinx, config: Config) -> None:
    """What depends on the language, which is known only now."""
    # What cells of lessons draw and print is in the language of the page.
    os.environ["CHAINRULE_LANG"] = lang = "zh" if is_chinese(config) else "en"
    if lang == "zh":
        config.exclude_patterns += sorted({*editions.pages()} - {*editions.said()})
    config.nb_code_prompt_show = WORDS[lang]["show"]
    config.nb_code_prompt_hide = WORDS[lang]["hide"]


def say_in_chinese(app: Sphinx, page: str, source: list[str]) -> None:
    """In the Chinese edition, put the Chinese words in the place of the English ones."""
    if not is_chinese(app.config) or f"{page}.md" not in editions.pages():
        return
    path = editions.ZH / f"{page}.md"
    app.env.note_dependency(str(path))
    try:
        source[0] = editions.chinese_page(source[0], path.read_text("utf-8"))
    except editions.StaleError as error:
        raise ExtensionError(f"docs/zh/{page}.md:\n{error}") from None


def outdated(
    app: Sphinx, env: Any, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:
    """Pages whose Chinese may have changed are read again."""
    return [page for page in env.found_docs if is_chinese(app.config)]


def copy_mathjax(app: Sphinx, error: Exception | None) -> None:
    """Put MathJax beside the pages: one file, whose letters are paths, so that it needs no fonts."""
    if error is None and app.builder.format == "html":
        package = distribution("sphinx-mathjax-offline")
        file = package.locate_file("sphinx-mathjax-offline/static/mathjax/tex-svg.js")
        shutil.copyfile(str(file), Path(app.outdir, "_static", "mathjax.js"))


def other_language(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any
) -> None:
    """The way to this page in the other edition, for the head of the page."""
    up = "../" * (page.count("/") + 1)
    other = "en" if is_chinese(app.config) else "zh"
    context["other_edition"] = f"{up}{other}/{page}.html"
    context["other_name"] = "English" if other == "en" else "简体中文"


class Prediction(SphinxDirective):
    """`{prediction}`: what the reader is asked before the answer is shown."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """A box with the question."""
        lang = "zh" if is_chinese(self.config) else "en"
        box = nodes.admonition(classes=["prediction"])
        box += nodes.title("", WORDS[lang]["think"])
        self.state.nested_parse(self.content, self.content_offset, box)
        return [box]


class ExerciseHere(SphinxDirective):
    """`{exercise} NAME`: the task of an exercise, and the two ways to answer it."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A box with the task."""
        lang = "zh" if is_chinese(self.config) else "en"
        exercise = find_exercise(self.arguments[0])
        number = next(n for n, other in EXERCISES.items() if other is exercise)
        given = {"n": number, "title": exercise.title.said(lang), "entry": exercise.entry}
        title, ways = (WORDS[lang][key].format(**given) for key in ("exercise", "ways"))
        parts = ["```python", *exercise.starter.rstrip().splitlines(), "```"]
        text = [exercise.task.said(lang), "", *parts, "", ways]
        box = nodes.admonition(classes=["exercise"])
        box += nodes.title("", title)
        self.state.nested_parse(StringList(text), self.content_offset, box)
        return [box]


class Recorded(SphinxDirective):
    """`{recorded} LINK`: a run of the playground to scrub, recorded when the site was built."""

    required_arguments = 1
    option_spec: ClassVar = {"steps": int, "title": str}

    def run(self) -> list[nodes.Node]:
        """A frame with the recorded page."""
        return []


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("prediction", Prediction)
    app.add_directive("exercise", ExerciseHere)
    app.add_directive("recorded", Recorded)
    app.connect("config-inited", configured)
    app.connect("source-read", say_in_chinese)
    app.connect("build-finished", copy_mathjax)
    app.connect("html-page-context", other_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
