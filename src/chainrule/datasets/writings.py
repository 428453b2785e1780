"""Parsing one number as people write it: 1,234.5 or 1.234,5, $12, 12 kg, 52.88%, (34.44), <0.5, 34*."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import NamedTuple

__all__ = ["CURRENCIES", "SCALES", "UNITS", "NumberText", "parse_number"]

#: Letters that stand for a power of ten after a number.
SCALES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9, "mn": 1e6, "万": 1e4, "亿": 1e8}
#: Units that may stand on only some numbers of a column; any other letters mean codes (12A).
UNITS = frozenset(
    re.findall(
        r"\S+",
        "mm cm m km ft in inch mi g kg mg t lb oz l ml cl mph km/h m/s h hr hour min minute s sec second ms"
        " day week month year yr hz khz mhz ghz w kw mw kwh v kv pa kpa bar hp cc ppm px kb mb gb tb pt pct"
        " percent % ‰ ° °c °f usd eur gbp jpy cny rmb chf cad aud inr r kr zł fr 元 円 岁 年 月 日 个",
    )
)
CURRENCIES = "$€£¥₹₩₽₺₫₪₱¢"

_CURRENCY = (
    rf"(?:(?:US|A|C|R|HK|NZ|S)?[{CURRENCIES}]|元|円|(?:USD|EUR|GBP|JPY|CNY|RMB|CHF|CAD|AUD|INR|Rs\.?"
    r"|kr\.?|zł|Fr\.?)(?![^\W\d_]))"
)
_UNIT = (
    r"(?![⁰¹²³⁴-⁹])(?:[%‰°/]|[^\W\d_])[^\W\d_⁰¹²³⁴-⁹]{0,11}\.?[23]?(?:/[^\W\d_]{1,12}[23]?)?|"
    + _CURRENCY
)
_CELL = re.compile(
    rf"""
    (?P<about>(?:[~≈±]|<=?|>=?|≤|≥|ca?\.|ca|circa|approx\.)\s*)?
    (?P<money0>[$€£¥]\s?(?=\())?
    (?P<open>\(\s*)?
    (?P<sign>[+-]\s*)?
    (?P<money>{_CURRENCY}\s*)?
    (?P<sign2>[+-])?
    (?P<body>[0-9]+(?:[.,'_\ ][0-9]+)*[.,]?|[.,][0-9]+)
    (?P<power>[eE][+-]?[0-9]+|[dD][+-][0-9]+)?
    (?P<minus>-)?
    (?P<over>\+(?=\s?[^\W\d_]))?
    (?P<unit>\s?(?:{_UNIT}))?
    (?P<close>\s*\))?
    (?P<more>\+)?
    (?P<foot>(?:\s*(?:[*†‡§¶\#^¹²³⁰⁴-⁹]+|\[[^\[\]]{{1,12}}\]|\([a-z]\)))*)
    """,
    re.VERBOSE,
)
_SUPERSCRIPTS = re.compile("[⁰¹²³⁴-⁹]")
_ALIKE = str.maketrans(
    {"−": "-", "–": "-", "‐": "-", "‑": "-", "’": "'", "‘": "'", "٫": ".", "٬": "_", "٪": "%"}
)
_INFINITE = re.compile(r"[+-]?(?:inf|infinity|∞)", re.IGNORECASE)
_POWER_UNIT = re.compile(r"(?<=[^\W\d_])[²³]")


class NumberText(NamedTuple):
    """A cell that holds one number.

    `point` and `comma` are its values by each decimal sign (None if it is no number by it),
    `marks` the special cases it shows, `digits` the cell's body if it is only digits, and `bound`
    the sign of a bound or an estimate, such as "<".
    """

    point: float | None
    comma: float | None
    unit: str
    marks: tuple[str, ...]
    digits: str
    bound: str = ""

    @property
    def infinite(self) -> bool:
        """Whether it is infinite, or too large for a number of 64 bits."""
        values = [v for v in (self.point, self.comma) if v is not None]
        return all(map(math.isinf, values))

    def value(self, decimal: str) -> float:
        """The number by this decimal sign, or else by the other."""
        first, second = (self.comma, self.point) if decimal == "," else (self.point, self.comma)
        value = first if first is not None else second
        assert value is not None
        return value


def parse_number(cell: str) -> NumberText | None:
    """The number in a cell, or None if there is none.

    >>> parse_number("1,234").point, parse_number("1,234").comma, parse_number("$1,234.50").point
    (1234.0, 1.234, 1234.5)
    >>> parse_number("(34.44)").point, parse_number("12 kg").unit, parse_number("34.4*").marks
    (-34.44, 'kg', ('footnote',))
    >>> parse_number("V57"), parse_number("3-4"), parse_number("2020-01-01")
    (None, None, None)
    """
    if _INFINITE.fullmatch(cell):
        value = -math.inf if cell.startswith("-") else math.inf
        return NumberText(value, value, "", (), "")
    marks: list[str] = []
    if len(cell) > 1 and (cell.startswith("'") or (cell.startswith('="') and cell.endswith('"'))):
        cell = cell[1:].removesuffix("'") if cell.startswith("'") else cell[2:-1].strip('"')
        marks.append("formula")
    if not cell.isascii():
        cell = _POWER_UNIT.sub(lambda match: "23"[match[0] == "³"], cell)
        plain = "".join(c if _SUPERSCRIPTS.match(c) else _ascii(c) for c in cell)
        if any(c.isdecimal() and not c.isascii() for c in cell):
            marks.append("spelling")
        cell = plain.translate(_ALIKE).strip()
    match = _CELL.fullmatch(cell)
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    if match["minus"] and match["unit"]:  # 6-MP
        return None
    if sum(bool(match[part]) for part in ("open", "sign", "sign2", "minus")) > 1:
        return None
    body, power = match["body"], (match["power"] or "").lower().replace("d", "e")
    negative = bool(match["open"] or match["minus"]) or "-" in (
        match["sign"] or match["sign2"] or ""
    )
    values = [_value(body, power, decimal, negative) for decimal in ".,"]
    if values == [None, None]:
        return None
    unit = (match["unit"] or "").strip()
    money = [match[part].strip() for part in ("money0", "money") if match[part]]
    if money:
        if (unit and unit not in SCALES) or len(money) > 1:
            return None
        unit = money[0] + unit
    if match["open"]:
        marks.append("negative")
    bound = next((match[p].strip() for p in ("about", "more", "over", "minus") if match[p]), "")
    if bound:
        marks.append("bound")
    if match["foot"]:
        marks.append("footnote")
    if "spelling" not in marks and re.search("[ '_]|d", body + (match["power"] or "").lower()):
        marks.append("spelling")
    return NumberText(
        values[0], values[1], unit, tuple(marks), body if body.isdigit() else "", bound
    )


def _ascii(letter: str) -> str:
    """A digit of any script as 0 to 9, any other letter in its compatibility form (NFKC)."""
    digit = unicodedata.decimal(letter, None)
    return unicodedata.normalize("NFKC", letter) if digit is None else str(digit)


def _value(body: str, power: str, decimal: str, negative: bool) -> float | None:
    """The number by this decimal sign, thousands separators removed; None if it is none."""
    whole, _, part = body.partition(decimal)
    if (part and not part.isdigit()) or not (whole or part):
        return None
    if whole and not whole.isdigit():
        signs = {c for c in whole if not c.isdigit()}
        sign = signs.pop()
        if signs or sign == decimal or not whole[-1].isdigit():
            return None
        groups = whole.split(sign)
        lakh = sign in ",." and len(groups) > 2 and all(len(g) == 2 for g in groups[1:-1])
        even = all(len(g) == 3 for g in groups[1:]) or (lakh and len(groups[-1]) == 3)
        if not even or not 1 <= len(groups[0]) <= 3 or groups[0].startswith("0"):
            return None
        whole = "".join(groups)
    value = float(f"{whole or '0'}.{part or '0'}{power}")
    return -value if negative else value
