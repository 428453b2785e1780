"""What is wrong with a table that was handed in, in Chinese; and without what only the command can do."""

from __future__ import annotations

import re

from chainrule.lang.notes import known_sentences

__all__ = ["TABLE_SENTENCES", "on_the_page"]

#: Where, as the library says it: a file, perhaps its line, perhaps a column.
_AT = r"(.+?)(?::(\d+))?(?:, column ('.+?'))?"
#: What the library advises and the page has no way of doing.
_ADVICE = (
    (r" \((?:As|If|The|All) [^\n]*--[^\n]*\)$", ""),
    (r", or say header=False \(--no-header\) if the first row is data", ""),
    (r"If they are numbers or dates, say so .*; or choose another target\.",
     "Choose another column to predict."),
)  # fmt: skip

TABLE_SENTENCES = known_sentences(
    (r"the (?:pasted )?table", "粘贴的表格"),
    (r"The file is too large: at most (\S+) MiB can be taken\.", "文件太大：最多 {0} MiB。"),
    (r"(.+) has ([\d,]+) bytes; at most ([\d,]+) are taken\.", "{0} 有 {1} 字节，最多 {2} 字节。"),
    (r"The file did not come in time\.", "文件没有及时传到。"),
    (r"There is no table yet: choose a file, or paste one\.", "还没有表格：请选择文件，或粘贴表格。"),
    (r"A table needs two columns at least: one to predict, one to do it from\.",
     "表格至少要有两列：一列用来预测，一列是要预测的。"),
    (r"The table has no column (.+) to predict\.", "表格中没有要预测的列 {0}。"),
    (r"The table has (\d+) rows? with a target; at least (\d+) are needed\.",
     "表格中有目标值的只有 {0} 行，至少需要 {1} 行。"),
    (r"The columns would become ([\d,]+) inputs, since a column of texts becomes one for each text;"
     r" at most ([\d,]+) are taken\. Leave columns of many texts out of the table\.",
     "这些列会变成 {0} 个输入，因为文本列的每种文本都是一个输入；最多 {1} 个。请去掉文本种类很多的列。"),
    (r"The column ('.+') has ([\d,]+) different answers; at most ([\d,]+) classes are taken\. Choose"
     r" another column to predict\.",
     "列 {0} 有 {1} 种不同的取值，最多 {2} 个类别。请选择另一列来预测。"),
    (r"(.+) is empty\. A table needs a row of names and rows of data\.",
     "{0} 是空的。表格需要一行列名和若干行数据。"),
    (r"(.+) has 0 rows: there is nothing after the row of names\. Add rows of data.*",
     "{0} 没有数据：列名行之后什么也没有。请添加数据行。"),
    (r"(.+):(\d+): the row is too long\. Got (\d+) cells?; there (?:are|is) (\d+) columns?\..*",
     "{0} 第 {1} 行有 {2} 格，而表格有 {3} 列。请增减单元格；含有分隔符的单元格要加双引号。"),
    (r"(.+), column ('.+'): there is one class only, (.+), so there is nothing to tell apart\. Add rows"
     r" of another class, or choose another target column\.",
     "{0}，列 {1}：只有一个类别 {2}，没有可区分的。请添加其他类别的行，或选择另一列。"),
    (r"(.+), column ('.+'): the target is (\S+) in every row, so there is nothing to learn\. Choose"
     r" another target column\.", "{0}，列 {1}：目标值在每一行都是 {2}，没有可学的。请选择另一列。"),
    (r"(.+): no column is left to learn from besides the target ('.+')\..*",
     "{0}：除了目标列 {1}，没有可用来学习的列。"),
    (r"(.+), column ('.+'): there are (\d+) different texts in (\d+) rows, such as ('.+') and ('.+'), which"
     r" would each be a class\. Choose another column to predict\.",
     "{0}，列 {1}：{3} 行中有 {2} 种不同的文本，如 {4} 和 {5}，每一种都会成为一类。请选择另一列来预测。"),
    (r"The text was read as (\S+)\.", "文本按 {0} 编码读取。"),
    (_AT + r': a quote \("\) opened in the row that starts here is never closed\..*',
     "{0} 第 {1} 行：从这里开始的一行有没有闭合的双引号。请补上；引号内的双引号要写两次。"),
    (_AT + r": a cell in the row that starts here is longer than (\d+) characters\..*",
     "{0} 第 {1} 行：从这里开始的一行有超过 {3} 个字符的单元格，多半是双引号没有闭合。"),
    (_AT + r": there is a NUL byte .*", "{0} 第 {1} 行：有空字节，文件已损坏或不是文本表格。请重新保存。"),
    (_AT + r": this is (.+?), not CSV\. .*", "{0}：这是 {3}，不是 CSV。请另存为 CSV。"),
)  # fmt: skip


def on_the_page(sentence: str) -> str:
    """What the library says of a table, without options of the command."""
    for pattern, instead in _ADVICE:
        sentence = re.sub(pattern, instead, sentence)
    return sentence
