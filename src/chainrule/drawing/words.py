"""Words: what stands in pictures and reports, in English and in Chinese."""

from __future__ import annotations

from chainrule.errors import SettingError, nearest

__all__ = ["LANGUAGES", "WORDS", "say"]

LANGUAGES = ("en", "zh")

#: The English words are the keys; {…} is filled in by `say`.
WORDS = {
    # curves
    "epoch": "轮次",
    "epochs": "训练轮数",
    "loss": "损失",
    "each step": "每一步",
    "training": "训练",
    "held out": "留出数据",
    "held-out {name}": "留出数据{name}",
    "accuracy": "正确率",
    "step": "步数",
    # regions
    "output; the samples: target": "输出；样本点：目标值",
    # histograms
    "activation": "激活值",
    "|gradient|": "|梯度|",
    "dead": "失活",
    "saturated": "饱和",
    "zero": "为零",
    # surface and race
    "first direction": "第一方向",
    "second direction": "第二方向",
    "{which} ({part} of the path)": "{which}（占路径的 {part}）",
    "start": "起点",
    "log₁₀ loss": "log₁₀ 损失",
    "diverged": "发散",
    # features
    "the {count} of {total} units with the largest weights": "权重最大的 {count} 个单元（共 {total} 个）",
    "weight in {name}": "{name} 的权重",
    "unit": "单元",
    "input": "输入",
}


def say(text: str, lang: str = "en", **values: object) -> str:
    """The words for an English text in a language, with the values filled in.

    >>> say("epoch", "zh"), say("held-out {name}", name="loss")
    ('轮次', 'held-out loss')
    """
    if lang not in LANGUAGES:
        raise SettingError(f"lang={lang!r}: {nearest(str(lang), LANGUAGES)}.")
    words = WORDS[text] if lang == "zh" else text
    return words.format(**values) if values else words
