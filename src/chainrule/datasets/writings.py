"""One cell as people write numbers: 1,234.5 or 1.234,5, $12, 12 kg, 52.88%, (34.44), <0.5, 34*."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import NamedTuple

__all__ = ["CURRENCIES", "SCALES", "UNITS", "Written", "written"]

#: Letters that stand for a power of ten after a number.
SCALES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "bn": 1e9, "mn": 1e6, "万": 1e4, "亿": 1e8}
#: Units that a column may have on some of its numbers only; any other is part of a code there (12A).
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
    (?P<sign>[+-]\s?)?
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


class Written(NamedTuple):
    """A cell that holds one number: its value for each decimal sign (None if it cannot be), its marks."""

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
        """The number, by this decimal sign if that is possible, else by the other."""
        first, second = (self.comma, self.point) if decimal == "," else (self.point, self.comma)
        found = first if first is not None else second
        assert found is not None
        return found


def written(cell: str) -> Written | None:
    """What a cell says as a number, or None if it is none.

    >>> written("1,234").point, written("1,234").comma, written("$1,234.50").point
    (1234.0, 1.234, 1234.5)
    >>> written("(34.44)").point, written("12 kg").unit, written("34.4*").marks
    (-34.44, 'kg', ('footnote',))
    >>> written("V57"), written("3-4"), written("2020-01-01")
    (None, None, None)
    """
    if _INFINITE.fullmatch(cell):
        value = -math.inf if cell.startswith("-") else math.inf
        return Written(value, value, "", (), "")
    marks: list[str] = []
    if len(cell) > 1 and (cell.startswith("'") or (cell.startswith('="') and cell.endswith('"'))):
        cell = cell[1:].removesuffix("'") if cell.startswith("'") else cell[2:-1].strip('"')
        marks.append("formula")
    if not cell.isascii():
        cell = _POWER_UNIT.sub(lambda found: "23"[found[0] == "³"], cell)
        kept = "".join(c if _SUPERSCRIPTS.match(c) else _ascii(c) for c in cell)
        if any(c.isdecimal() and not c.isascii() for c in cell):
            marks.append("spelling")
        cell = kept.translate(_ALIKE).strip()
    found = _CELL.fullmatch(cell)
    if found is None or bool(found["open"]) != bool(found["close"]):
        return None
    if found["minus"] and found["unit"]:  # 6-MP
        return None
    if sum(bool(found[part]) for part in ("open", "sign", "sign2", "minus")) > 1:
        return None
    body, power = found["body"], (found["power"] or "").lower().replace("d", "e")
    negative = bool(found["open"] or found["minus"]) or "-" in (
        found["sign"] or found["sign2"] or ""
    )
    values = [_value(body, power, decimal, negative) for decimal in ".,"]
    if values == [None, None]:
        return None
    unit = (found["unit"] or "").strip()
    money = [found[part].strip() for part in ("money0", "money") if found[part]]
    if money:
        if (unit and unit not in SCALES) or len(money) > 1:
            return None
        unit = money[0] + unit
    if found["open"]:
        marks.append("negative")
    bound = next((found[p].strip() for p in ("about", "more", "over", "minus") if found[p]), "")
    if bound:
        marks.append("bound")
    if found["foot"]:
        marks.append("footnote")
    if "spelling" not in marks and re.search("[ '_]|d", body + (found["power"] or "").lower()):
        marks.append("spelling")
    return Written(values[0], values[1], unit, tuple(marks), body if body.isdigit() else "", bound)


def _ascii(letter: str) -> str:
    """A digit of any script as 0 to 9, a full-width or otherwise compatible letter as the usual one."""
    digit = unicodedata.decimal(letter, None)
    return unicodedata.normalize("NFKC", letter) if digit is None else str(digit)


def _value(body: str, power: str, decimal: str, negative: bool) -> float | None:
    """The number whose decimal sign is `decimal`, with its thousands taken together; or None."""
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
