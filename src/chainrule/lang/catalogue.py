"""The catalogue: the translations of all messages, in `locale/`, made by `scripts/messages.py`."""

from __future__ import annotations

import gettext
import os
from functools import cache
from io import BytesIO

__all__ = ["LOCALE", "catalogue"]

#: The folder of the catalogues, by language, as gettext wants it.
LOCALE = os.path.join(os.path.dirname(__file__), "locale")
_FOLDERS = {"zh": "zh_CN"}


@cache
def catalogue(lang: str) -> gettext.NullTranslations:
    """The translations into a language; English itself for English, and where there is no catalogue."""
    folder = _FOLDERS.get(lang)
    if folder is None:
        return gettext.NullTranslations()
    from pkgutil import get_data

    try:  # from a zip file, too
        data = get_data("chainrule.lang", f"locale/{folder}/LC_MESSAGES/chainrule.mo")
    except OSError:
        data = None
    return gettext.NullTranslations() if data is None else gettext.GNUTranslations(BytesIO(data))
