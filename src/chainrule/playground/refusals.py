"""What a session refuses or remarks, in both languages: the page shows the one that is chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chainrule.lang.languages import LANGUAGES
from chainrule.lang.notes import known_sentences, note_in
from chainrule.playground.messages import Message
from chainrule.playground.table_refusals import TABLE_SENTENCES, on_the_page

__all__ = ["in_both", "refused", "said_in"]

#: Sentences of the playground, as `lang/notes.py` has those of the library.
_SENTENCES = known_sentences(
    # settings and edits
    (r"(\S+) must be a number from (\S+) to (\S+)\. Got (.+)\.",
     "{0} 必须是 {1} 到 {2} 之间的数。现在是 {3}。"),
    (r"(\S+) must be a whole number from (\S+) to (\S+)\. Got (.+)\.",
     "{0} 必须是 {1} 到 {2} 之间的整数。现在是 {3}。"),
    (r"(\S+) must be a list of (\d+) to (\d+) entries\. Got (.+)\.",
     "{0} 必须有 {1} 到 {2} 项。现在是 {3}。"),
    (r"(\S+) must be above 0\. Got (.+)\.", "{0} 必须大于 0。现在是 {1}。"),
    (r"(\S+) cannot be (.+?); (.+)\.", "{0} 不能是 {1}；{2}。"),
    (r"There is no feature ('.+') in these data\.", "这份数据中没有特征 {0}。"),
    (r"The softmax loss is for classes, and these data have numbers to predict\. Choose the loss"
     r' "squared"\.', "softmax 损失用于分类，而这份数据要预测数值。请改用平方误差。"),
    (r"This network has ([\d,]+) weights and biases; at most ([\d,]+) are allowed\. Take fewer or"
     r" smaller layers\.",
     "这个网络有 {0} 个权重和偏置，最多允许 {1} 个。请减少层数或单元数。"),
    (r"This run has been changed ([\d,]+) times, and its past would take too long to go back to\."
     r" Begin a new one with reset\.",
     "这次运行已经改动了 {0} 次，再回到过去会太久。请从初始权重重新开始。"),
    (r"The run is on its way to step (\d+), and at (\d+) now\. Ask again when it is there\.",
     "运行正在前往第 {0} 步，现在到了第 {1} 步。请稍后再试。"),
    (r"The run that is shown cannot be dropped\. Select another one first\.",
     "正在显示的运行不能删除。请先选择另一个。"),
    (r"There are no rows to train on yet, so there is nothing to export but the model\.",
     "还没有训练样本，除了模型没有可导出的。"),
    (r"A NumPy script cannot begin an epoch with the rows left over from the one before, as TensorFlow"
     r" Playground does\. Take a batch size that divides (\d+)\.",
     "NumPy 脚本不能像 TensorFlow Playground 那样把剩下的样本留到下一轮。请取能整除 {0} 的批大小。"),
    (r"There is no batch to look into: fewer rows to train on than a batch takes\.",
     "没有可以查看的批次：训练样本少于一批。"),
    (r"There are ([\d,]+) numbers on the arrows of this step, and the page shows at most ([\d,]+)\."
     r" Take a smaller batch or a smaller network to look inside\.",
     "这一步的箭头上有 {0} 个数，页面最多显示 {1} 个。请减小批大小或网络再查看。"),
    (r"(\S+) has no number ('.+'); (?:.+)\.", "{0} 没有名为 {1} 的参数。"),
    # links
    (r"The link is of another version of chainrule, and cannot be opened here\.",
     "这个链接来自另一版本的 chainrule，无法在此打开。"),
    (r"(\S+) of the link cannot be read\. Got (.+)\.", "链接中的 {0} 无法读取：{1}。"),
    (r"The link says (.+), which is no setting(?:; .+|\.)", "链接中的 {0} 不是任何设置。"),
    (r"(\S+=.+) is not known; (.+)\.", "链接中的 {0} 不认识；{1}。"),
    (r"(\S+=.+) must be a (?:whole )?number from (\S+) to (\S+)\.", "链接中的 {0} 必须在 {1} 到 {2} 之间。"),
    (r"(\S+=.+) must be .+\.", "链接中的 {0} 不在允许的范围内。"),
    (r"(networkShape=\S+) has .+", "链接中的 {0} 太大。"),
    (r"No input is on; .+", "链接中没有打开任何输入。"),
    # what stops a training
    (r"Training stopped in epoch (\d+), batch (\d+) of (\d+): the loss is (\S+)\.",
     "训练停在第 {0} 轮的第 {1} 批（共 {2} 批）：损失为 {3}。"),
    (r"Training stopped in epoch (\d+), batch (\d+) of (\d+): a gradient or a running statistic is"
     r" not finite\.", "训练停在第 {0} 轮的第 {1} 批（共 {2} 批）：有的梯度不是有限数。"),
    (r"The first non-finite values are in (.+), rows (.+) of the batch\.",
     "最先出现非有限数的是{0}，批中第 {1} 行。"),
    (r"The first non-finite values are in (.+)\.", "最先出现非有限数的是{0}。"),
    (r"All values are finite on the way forward; on the way back the first non-finite gradient is"
     r" (∂\S+), sent back by (.+), rows (.+) of the batch\.",
     "前向的值都是有限数；反向时最先不是有限数的梯度是 {0}，由{1}传回，批中第 {2} 行。"),
    (r"All values are finite on the way forward; on the way back the first non-finite gradient is"
     r" (∂\S+), sent back by (.+)\.",
     "前向的值都是有限数；反向时最先不是有限数的梯度是 {0}，由{1}传回。"),
    (r"All of its values and gradients are finite one by one; the norm of the gradients, or a running"
     r" statistic, overflows\.", "各个值和梯度都是有限数；是梯度的范数或滑动统计量溢出了。"),
    (r"the input", "输入"),
    (r"a (\S+) node", " {0} 节点"),
    (r"(.+)'s (\S+)", "{0}的 {1} "),
    (r"the loss \((.+)\)", "损失（{0}）"),
    (r"layer (\S+) \((.+)\)", "第 {0} 层（{1}）"),
    (r"(\S+) of (the loss \(.+\)|layer \S+ \(.+\))", "{1}中的 {0}"),
    # inside a step
    (r"(?:The arrow agrees|All (\d+) arrows agree) with the (.+), and so (?:does the input|do all (\d+)"
     r" inputs) from end to end\.",
     "{0} 条箭头上的梯度都与{1}一致，{2} 个输入从头到尾也都一致。"),
    (r"No gradient flows in this graph: there is nothing to check\.", "此图中没有梯度流动，无可检验。"),
    (r"(\d+) of (\d+) arrows disagrees? with the (.+?): (.+)\.", "{1} 条箭头中有 {0} 条与{2}不一致：{3}。"),
    (r"(\d+) of (\d+) arrows (?:carry|carries) NaN or infinity: (.+)\.",
     "{1} 条箭头中有 {0} 条带有 NaN 或无穷大：{2}。"),
    (r"(\d+) of (\d+) arrows (?:have|has) a slope that is not finite: (.+)\.",
     "{1} 条箭头中有 {0} 条的斜率不是有限数：{2}。"),
    (r"(\d+) of (\d+) arrows cannot be compared, since (.+?): (.+)\.",
     "{1} 条箭头中有 {0} 条无法比较：{3}。"),
    (r"From end to end (.+) (?:is|are) wrong.*", "从头到尾看，{0} 有错。"),
    (r"(∂.+) at (.+): ok, error (\S+), allowed (\S+)\.", "{1} 处的 {0}：正确，误差 {2}，允许 {3}。"),
    (r"(∂.+) at (.+): ok, at a kink, error (\S+), allowed (\S+)\.",
     "{1} 处的 {0}：正确，位于折点，误差 {2}，允许 {3}。"),
    (r"(∂.+) at (.+): WRONG, error (\S+), allowed (\S+)\.(.*)",
     "{1} 处的 {0}：错误，误差 {2}，允许 {3}。{4}"),
    (r"\(≈: rounded to the digits shown, in which the sums add up\.\)",
     "（≈：已舍入到所示位数，按这些位数相加是对的。）"),
    (r"… and (\d+) numbers more, not derived here \(lines=\d+\)\.", "……还有 {0} 个数，这里不再推导。"),
    (r"complex step", "复步微分"),
    (r"central difference", "中心差分"),
    (r"complex step and the central difference", "复步微分和中心差分"),
    # faults
    (r"chainrule itself failed \(error (\S+)\)\. Its terminal says more; please report what it says\.",
     "chainrule 自身出错（错误 {0}）。终端里有详细信息，请报告给我们。"),
) + TABLE_SENTENCES  # fmt: skip


def said_in(sentence: str, lang: str) -> str:
    """A sentence of a session in a language; one that is not known stays in English.

    >>> said_in("value must be a number from 0 to 1. Got 7.", "zh")
    'value 必须是 0 到 1 之间的数。现在是 7。'
    """
    return note_in(sentence, lang, _SENTENCES)


def in_both(sentences: Iterable[str]) -> dict[str, list[str]]:
    """Sentences in both languages, since the page may change from one to the other."""
    kept = list(sentences)
    return {lang: [said_in(sentence, lang) for sentence in kept] for lang in LANGUAGES}


def refused(errors: Iterable[str], **fields: Any) -> Message:
    """The message that says why a command was refused."""
    kept = [on_the_page(error) for error in errors]
    return Message("error", {**fields, "errors": kept, "told": in_both(kept)})
