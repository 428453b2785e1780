"""The few words that a picture holds, in English and in Chinese."""

from __future__ import annotations

from chainrule.errors import SettingError, nearest

__all__ = ["check_language", "words"]

WORDS = {
    "en": {
        "value": "value",
        "gradient": "gradient",
        "graph": "computational graph",
        "nodes": "{n} nodes",
        "fold": "fold the layers",
        "unfold": "unfold the layers",
        "ok": "checked: right",
        "wrong": "checked: WRONG",
        "kink": "checked: right, at a kink",
        "not finite": "not checked: not finite",
    },
    "zh": {
        "value": "值",
        "gradient": "梯度",
        "graph": "计算图",
        "nodes": "{n} 个节点",
        "fold": "折叠各层",
        "unfold": "展开各层",
        "ok": "检验：正确",
        "wrong": "检验：错误",
        "kink": "检验：正确，位于折点",
        "not finite": "未检验：数值不是有限数",
    },
}


def check_language(lang: str) -> str:
    """The name of a language, checked."""
    if lang not in WORDS:
        raise SettingError(f'lang="{lang}" is not known; {nearest(str(lang), WORDS)}.')
    return lang


def words(lang: str) -> dict[str, str]:
    """The words of a language."""
    return WORDS[lang]
