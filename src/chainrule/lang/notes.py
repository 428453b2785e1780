"""Remarks in Chinese: what tables, preparations, trainings and graphs say of themselves, one by one."""

from __future__ import annotations

import re

__all__ = ["known_sentences", "note_in"]

Sentences = tuple[tuple[re.Pattern[str], str], ...]


def known_sentences(*pairs: tuple[str, str]) -> Sentences:
    """English sentences, with their names and numbers as groups, and the Chinese ones."""
    return tuple((re.compile(pattern, re.DOTALL), chinese) for pattern, chinese in pairs)


_SENTENCES = known_sentences(
    (r"The columns are separated by commas\.", "各列以逗号分隔。"),
    (r"The columns are separated by semicolons\.", "各列以分号分隔。"),
    (r"The columns are separated by tabs\.", "各列以制表符分隔。"),
    (r"The columns are separated by bars\.", "各列以竖线分隔。"),
    (r"The columns are separated by spaces\.", "各列以空格分隔。"),
    (r"The columns are separated by (.+)\.", "各列以 {0} 分隔。"),
    (r"(\d+) lines? above the first row (?:was|were) skipped\.", "跳过了第一行之前的 {0} 行。"),
    (r"(\d+) lines? (?:was|were) skipped that begins? with #\.", "跳过了以 # 开头的 {0} 行。"),
    (r"There is no row of names; the columns? (?:is|are) (x\d+(?: to x\d+)?)\. The first row holds data"
     r" \((.+)\)\.", "没有列名行：第一行是数据（{1}）；各列命名为 {0}。"),
    (r"The rows have one cell more than there are names, as R writes them\.",
     "每行比列名多一格，与 R 写出的文件相同。"),
    (r"(\d+) of (\d+) column names (?:are numbers|is a number) \((.+)\)\.",
     "{1} 个列名中有 {0} 个是数字（{2}）。"),
    (r"(\d+) names? occurs? more than once \((.+)\); the later columns are called ('.+') with \.1, \.2"
     r" behind\.", "{0} 个列名重复（{1}）；后面的列命名为 {2} 加 .1、.2。"),
    (r"(\d+) columns? ha(?:s|ve) neither name nor value; (?:it was|they were) left out\.",
     "{0} 列既没有名称也没有值，已略去。"),
    (r"(\d+) columns? ha(?:s|ve) no name and (?:is|are) called (.+)\.", "{0} 列没有名称，命名为 {1}。"),
    (r"The first column has no name and another entry in every row; it was left out\.",
     "第一列没有名称，各行都不同，已略去。"),
    (r"(\d+) rows? (?:is|are) cut short \(line (\d+): (\d+) of (\d+) cells\); the cells that lack count"
     r" as missing\.", "{0} 行不完整（第 {1} 行：{3} 格中只有 {2} 格），缺少的单元格算作缺失。"),
    *(
        (rf"(\d+) cells? of (.+) {english}, such as (.+) \(line (\d+)\), read as (\S+)\.",
         f"{{1}} 中有 {{0}} 格{chinese}，如第 {{3}} 行的 {{2}}，读作 {{4}}。")
        for english, chinese in (
            ("ha(?:s|ve) a decimal comma", "以逗号作小数点"),
            ("ha(?:s|ve) signs between thousands", "带有千位分隔符"),
            ("(?:is|are) read without (?:its|their) sign or unit", "去掉了符号或单位"),
            ("ha(?:s|ve) a letter for thousands or millions", "带有表示千或百万的字母"),
            ("(?:is|are) negative, in parentheses", "是括号中的负数"),
            ("(?:is a bound or an estimate|are bounds or estimates)", "是界限或估计"),
            ("ha(?:s|ve) (?:a mark of a footnote|marks of footnotes)", "带有脚注标记"),
            ("(?:is a number|are numbers) written another way", "是别样写法的数字"),
            ("(?:is a number|are numbers) in quotes of a spreadsheet", "是电子表格引号中的数字"),
        )
    ),
    *(
        (rf"(\d+) cells? of (.+) {english} and counts? as missing, such as (.+) \(line (\d+)\)\.",
         f"{{1}} 中有 {{0}} 格{chinese}，算作缺失，如第 {{3}} 行的 {{2}}。")
        for english, chinese in (
            ("(?:is|are) infinite", "为无穷大"),
            ("(?:is no number|are no numbers)", "不是数字"),
            ("(?:is no date|are no dates)", "不是日期"),
        )
    ),
    (r"(.+) \(line (\d+)\) in (.+) can be read in two ways; it is read as (\S+)\.",
     "{2} 中第 {1} 行的 {0} 有两种读法，现读作 {3}。"),
    (r"(.+) \(line (\d+)\) in (.+) can be read in two ways; the month is taken to be first\.",
     "{2} 中第 {1} 行的 {0} 有两种读法，现按月在前读取。"),
    (r"(\d+) cells? of (.+) (?:is a word|are words) among the numbers and (?:is|are) kept beside them,"
     r" such as (.+) \(line (\d+)\)\.", "{1} 的数字中有 {0} 格是文字，另作保留，如第 {3} 行的 {2}。"),
    (r"(\d+) cells? of (.+) says? (.+) and counts? as missing\.", "{1} 中有 {0} 格写着 {2}，算作缺失。"),
    (r"(.+) holds whole numbers of more than 18 digits, so it is read as text\.",
     "{0} 中有超过 18 位的整数，因此按文本读取。"),
    (r"(.+) holds dates, and each is a text of its own\.", "{0} 是日期，每个日期都被当作一种文本。"),
    (r"(.+) holds numbers with several units, such as (.+) \(line (\d+)\), so it is read as text: write all"
     r" in one\.", "{0} 的数字单位不一，如第 {2} 行的 {1}，因此按文本读取：请统一单位。"),
    (r"(.+) is text: (\d+) different numbers, such as (.+) \(line (\d+)\), stand among more words\.",
     "{0} 是文本：其中有 {1} 种数字，如第 {3} 行的 {2}，文字更多。"),
    (r"The words among the numbers of (.+) became (\d+) more columns? \((.+)\); where they stand, the number"
     r" is the training median\.",
     "{0} 的数字中的文字另外变为 {1} 列（{2}）；这些格的数字取训练集中位数。"),
    (r"The words among the numbers of (.+) were left out, and count as missing: (\d+) distinct texts in"
     r" (\d+) rows\.", "{0} 的数字中的文字已略去，算作缺失：{2} 行中有 {1} 种。"),
    (r"([\d,]+) of ([\d,]+) rows? (?:have words|has a word) in place of a number in (.+) \((.+)\) and"
     r" (?:is|are) left out\.", "{1} 行中有 {0} 行在 {2} 中不是数字而是文字（{3}），已略去。"),
    (r"As numbers: (--number .+)\.", "按数字读取：{0}"),
    (r"As numbers, words missing: (--number .+)\.", "按数字读取，文字算缺失：{0}"),
    (r"As numbers of days: (--date .+)\.", "按日期读取，以天计：{0}"),
    (r"If it holds names: header=True, --header\.", "若是列名：--header"),
    (r"If the first row holds data: header=False, --no-header\.", "若第一行是数据：--no-header"),
    (r"The other way: (--decimal .)\.", "另一种读法：{0}"),
    (r"The day first: --day-first\.", "日在前：--day-first"),
    (r"All as text: (--text .+); as missing: (--number .+), or (--missing-words .+)\.",
     "全按文本：{0}；算缺失：{1}，或 {2}"),
    (r"If one is a value: --missing-words\.", "若其中有真实的值：--missing-words"),
    (r"If they are numbers, such as (.+), write them as 12\.5\.", "若是数字，如 {0}，请写作 12.5。"),
    (r"As classes: --task classification\.", "作为类别：--task classification"),
    (r"There is no row of names; the columns? (?:is|are) (.+)\.", "没有列名行；各列命名为 {0}。"),
    (r"The spaces around (\d+) column names? were taken off\.", "去掉了 {0} 个列名两端的空格。"),
    (r"(\d+) blank lines? (?:was|were) skipped\.", "跳过了 {0} 个空行。"),
    (r"A separator at the end of (\d+) rows? was taken off\.", "去掉了 {0} 行末尾的分隔符。"),
    (r"The first column has no name and only counts the rows; it was left out\.",
     "第一列没有名称，只是行号，已略去。"),
    (r"(.+) holds numbers that begin with 0, so it is read as text\.",
     "{0} 中有以 0 开头的数字，因此按文本读取。"),
    (r"(\d+) missing cells? in ('.+')\.", "{1} 中有 {0} 个缺失值。"),
    (r"(\d+) missing cells in (\d+) more columns\.", "另有 {1} 列共 {0} 个缺失值。"),
    (r"(\d+) columns? holds? no value at all: (.+)\.", "{0} 列完全没有值：{1}。"),
    (r"(\d+) columns? holds? one value only: (.+)\.", "{0} 列只有一个值：{1}。"),
    (r"(\d+) rows without a value in ('.+') are left out\.", "{1} 没有值的 {0} 行已略去。"),
    (r"([\d,]+) of ([\d,]+) rows were drawn\.", "从 {1} 行中随机抽取了 {0} 行。"),
    (r"(.+) has (\d+) classes: (.+)\.", "{0} 有 {1} 个类别：{2}。"),
    (r"(.+) is a number to predict \(regression\), standardised with the training mean (\S+) and"
     r" standard deviation (\S+)\.",
     "{0} 是要预测的数值（回归），已按训练集的均值 {1} 和标准差 {2} 标准化。"),
    (r"(\d+) number columns? (?:was|were) standardised: minus the training mean, divided by the"
     r" training standard deviation \((.+)\)\.",
     "{0} 个数值列已标准化：减去训练集均值，再除以训练集标准差（{1}）。"),
    (r"(\d+) missing cells? in ('.+') (?:was|were) filled with the training median (\S+)\.",
     "{1} 中的 {0} 个缺失值已用训练集中位数 {2} 填补。"),
    (r"Missing cells in (\d+) more columns were filled likewise\.", "另有 {0} 列的缺失值也这样填补。"),
    (r"(\d+) columns? holds? one value only in the training rows and became 0: (.+)\.",
     "{0} 列在训练集中只有一个值，已变为 0：{1}。"),
    (r"(\d+) columns? (?:has|have) no value in the training rows and (?:was|were) left out: (.+)\.",
     "{0} 列在训练集中没有值，已略去：{1}。"),
    (r"(.+) was left out: (\d+) distinct texts in (\d+) rows?\.",
     "{0} 已略去：{2} 行中有 {1} 种不同的文本。"),
    (r"(.+) (?:was|were) left out, as asked\.", "{0} 已按要求略去。"),
    (r"(.+) has another whole number in every row, as identifiers have\. If it is one, leave the"
     r" column out \(--without\)\.",
     "{0} 每行的整数都不同，像是编号。若是编号，请去掉这一列（--without）。"),
    (r"(.+) was left out: it holds one text only, (.+)\.", "{0} 已略去：只有一种文本 {1}。"),
    (r"(.+) was left out: it holds no text at all\.", "{0} 已略去：完全没有文本。"),
    (r"(.+) became (\d+) columns \((.+)\), (\d+) cells? missing\.",
     "{0} 变为 {1} 列（{2}），缺失 {3} 个。"),
    (r"(.+) became (\d+) columns \((.+)\)\.", "{0} 变为 {1} 列（{2}）。"),
    (r"([\d,]+) of ([\d,]+) rows? (?:have|has) no ('.+') and (?:are|is) left out\.",
     "{1} 行中有 {0} 行没有 {2}，已略去。"),
    (r"(\d+) rows? with missing cells (?:are|is) left out \((.+)\)\.",
     "有缺失值的 {0} 行已略去（{1}）。"),
    (r"The labels were read from (.+)\.", "标签读自 {0}。"),
    (r"(\d+) arrays? (?:are|is) not used: (.+)\.", "{0} 个数组没有用到：{1}。"),
    (r"The numbers were (\S+) and are kept as float64\.", "数字原为 {0}，按 float64 保存。"),
    (r"line (\d+)", "第 {0} 行"),
    (r"row (\d+)", "行 {0}"),
    (r"interrupted by Ctrl-C", "被 Ctrl-C 中断"),
    (r"(\S+) has not improved for (\d+) epochs", "{0} 已有 {1} 轮没有改善"),
    (r"(\S+) is not installed", "未安装 {0}"),
    (r"compiling it would take (.+), and save nothing", "编译需要{0}，且不能节省时间"),
    (r"compiling it would take (.+), and save (.+)", "编译需要{0}，只能节省{1}"),
    (r"at (direction|element) (.+) backward gave (\S+), the (complex step|central difference) (\S+)",
     "在{0} {1} 处 backward 给出 {2}，{3}给出 {4}"),
    (r"backward gave a gradient of shape (.+)", "backward 给出的梯度形状为 {0}"),
    (r"the value is (\S+) at (\[.+\]), and (\d+) of (\d+) are not finite",
     "{1} 处的值为 {0}，{3} 个值中有 {2} 个不是有限数"),
    (r"the value is (\S+), and 1 of 1 are not finite", "值为 {0}，不是有限数"),
    (r"a gradient that is not finite arrived here", "到达这里的梯度不是有限数"),
    (r"the slope is not finite here", "这里的斜率不是有限数"),
    (r"forward gives other numbers each time \(random ones\?\), so there is no slope to compare with",
     "forward 每次给出不同的数（随机数？），因此没有可比较的斜率"),
    (r"(.+): (.+) overflows to (-?∞)", "{0}：{1} 溢出为 {2}"),
    (r"(.+): (.+) is (NaN|-?∞)", "{0}：{1} 得 {2}"),
    (r"(.+) is (NaN|-?∞)", "{0} 为 {1}"),
    (r"the chain ends in (.+) all the same, as the (.+) node does",
     "这条链最终仍得 {0}，与 {1} 节点相同"),
    (r"the (.+) node computes it another way: (.+)", "{0} 节点用另一种算法，得 {1}"),
    (r"the (.+) node sends back (.+)", "{0} 节点传回 {1}"),
    (r"folded, (.+)", "折叠时 {0}"),
    (r"On the held-out rows the model is no better than always saying the mean (.+) \((\S+) against"
     r" (\S+)\)\.", "在留出的行上，模型不比总是回答 {0} 的均值好（{1}，均值为 {2}）。"),
    (r"On the held-out rows the model is no better than always saying the mean (.+)\.",
     "在留出的行上，模型不比总是回答 {0} 的均值好。"),
    (r"On the held-out rows the model is no better than always saying (.+) \((\S+) against (\S+)\)\.",
     "在留出的行上，模型不比总是回答 {0} 好（{1}，总是如此回答为 {2}）。"),
    (r"On the held-out rows the model is no better than always saying (.+)\.",
     "在留出的行上，模型不比总是回答 {0} 好。"),
    (r"On the held-out rows a linear model is better \((\S+) against (\S+)\)\.",
     "在留出的行上，线性模型更好（{0}，此模型为 {1}）。"),
    (r"Try more rows, or columns that tell more of (.+)\.", "请增加行数，或增加与 {0} 更有关的列。"),
    (r"Else try more rows, or columns that tell more of (.+)\.",
     "仍然如此时，请增加行数，或增加与 {0} 更有关的列。"),
    (r"Try more rows, or other columns\.", "请增加行数，或换用其他列。"),
    (r"Else try more rows, or other columns\.", "仍然如此时，请增加行数，或换用其他列。"),
    (r"Try --hidden none, which makes a linear model, or more rows\.",
     "请试用 --hidden none（即线性模型），或增加行数。"),
    (r"Else try --hidden none, which makes a linear model, or more rows\.",
     "仍然如此时，请试用 --hidden none（即线性模型），或增加行数。"),
    (r"Try it without (.+) first\.", "请先不带 {0} 试一次。"),
    (r"A batch of (\d+) rows is larger than the (\d+) rows to train with, so nothing is learnt:"
     r" that is how TensorFlow Playground does it\.",
     "一批 {0} 行比 {1} 行训练数据还多，因此什么也学不到：TensorFlow Playground 就是这样。"),
)  # fmt: skip


#: Terms that stand in sentences in place of names.
_TERMS = {
    "finite numbers": "有限的数",
    "direction": "方向",
    "element": "元素",
    "complex step": "复步微分",
    "central difference": "中心差分",
}


#: How long something takes, within a sentence.
_DURATIONS = known_sentences(
    (r"less than a second", "不到 1 秒"),
    (r"about (\d+) s", "约 {0} 秒"),
    (r"about (\d+) minutes?", "约 {0} 分钟"),
    (r"about ([\d.]+) hours", "约 {0} 小时"),
)


def note_in(note: str, lang: str, further: Sentences = ()) -> str:
    """A remark in a language; one that is not known, here or among `further`, stays in English.

    >>> note_in("'species' has 3 classes: a (2), b (2), c (1).", "zh")
    '“species” 有 3 个类别：a（2），b（2），c（1）。'
    >>> note_in("exp: e^1000 overflows to ∞; folded, L = 0", "zh")
    'exp：e^1000 溢出为 ∞；折叠时 L = 0'
    """
    if lang == "en":
        return note
    if advice := re.fullmatch(r"(.+?\.) \(((?:As|If|The|All) .+--.+|If they .+)\)", note, re.S):
        head, tail = (note_in(part, lang, further) for part in advice.groups())
        return f"{head}（{tail}）"
    for pattern, chinese in (*further, *_SENTENCES):
        found = pattern.fullmatch(note)
        if found:
            parts = (_part_in_chinese(part or "", further) for part in found.groups())
            return chinese.format(*parts)
    halves = note.split("; ")
    said = [note_in(half, lang, further) for half in halves] if len(halves) > 1 else halves
    return note if any(map(str.__eq__, said, halves)) else "；".join(said)


def _part_in_chinese(part: str, further: Sentences) -> str:
    """A name, number or list in a sentence, with Chinese marks; or a phrase of its own."""
    for pattern, chinese in (*further, *_DURATIONS):
        if found := pattern.fullmatch(part):
            return chinese.format(
                *(_part_in_chinese(inner or "", further) for inner in found.groups())
            )
    part = _TERMS.get(part, part)
    part = re.sub(r"(--\S+) and (--\S+)$", r"\1, \2", part)
    part = re.sub(r" and (\d+) more$", r" 等，另有 \1 个", part)
    part = re.sub(r"\(missing\)$", "（缺失）", part)
    part = re.sub(r" ?\((\d+)\)(?=$|, | 等)", r"（\1）", part)
    part = re.sub(r"'([^']*)'", r"“\1”", part)
    return part.replace(", ", "，")
