"""Two editions of a page from one set of cells: English in `docs/`, the Chinese words in `docs/zh/`.

    python scripts/editions.py check            # what is stale or missing; exits with 1 if anything is
    python scripts/editions.py update           # new places for what is missing into `docs/zh/`
    python scripts/editions.py say PAGE         # the Chinese page as it is built, to read

An English page is a list of blocks: paragraphs, headings, lists, tables, directives, and code. Each
block of prose is said in Chinese below the first letters of the hash of what it says:

    % en 1f9d3a07
    损失说明网络现在有多差。

Code, formulas and marks are shared, and stand in the English page only. Comments and printed words
of code are said by lines that go before the next block:

    % the batch → 这一批

A paragraph that changes has another hash, so its Chinese is stale, and the build of the site fails
until it says the new thing. Every comment of Python code must be said; of other words those that are.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Block", "StaleError", "blocks", "chinese_page", "pages", "problems", "said"]

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
ZH = DOCS / "zh"
#: Fences whose content is for people: what is in any other fence is code, and shared.
PROSE = {
    "admonition", "note", "tip", "warning", "important", "hint", "seealso", "figure", "dropdown",
    "caution", "prediction", "summary",
}  # fmt: skip
FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}|:{3,})\s*(?P<info>.*)$")
SAID = re.compile(r"^% en ([0-9a-f]{8})$")
WORD = re.compile(r"^% (.+?) →(?: (.+))?$")
#: A block that says nothing: a target, a comment, a formula, a rule, the head of a page, HTML.
SILENT = re.compile(r"^(\(.+\)=|%|\$\$|---\n|<!--|\[[^\]]+\]: )")


class StaleError(Exception):
    """A Chinese page that does not say what the English one says."""


@dataclass(frozen=True)
class Block:
    """A part of a page: its text, without the blank lines around it."""

    text: str

    @property
    def info(self) -> str | None:
        """What stands behind the fence, of a fenced block."""
        match = FENCE.match(self.text.partition("\n")[0])
        return match["info"].strip() if match else None

    @property
    def is_prose(self) -> bool:
        """Whether it has to be said in each language."""
        if self.info is None:
            return not SILENT.match(self.text)
        name = re.match(r"\{([\w-]+)\}", self.info)
        return name is not None and name[1] in PROSE

    @property
    def is_python(self) -> bool:
        """Whether it is Python code, with comments to be said."""
        return self.info is not None and bool(
            re.match(r"(python|\{code-cell\} python)\b", self.info)
        )

    @property
    def hash(self) -> str:
        """The first letters of a hash of its words; how its lines are broken does not count."""
        return hashlib.sha256(" ".join(self.text.split()).encode()).hexdigest()[:8]


def blocks(page: str) -> list[Block]:
    """The blocks of a page, in order; joined by blank lines they are the page."""
    found: list[Block] = []
    lines: list[str] = []
    fence = ""
    rows = page.splitlines()
    if rows and rows[0] == "---":  # the head of the page
        end = rows.index("---", 1)
        found.append(Block("\n".join(rows[: end + 1])))
        rows = rows[end + 1 :]
    for line in rows:
        match = FENCE.match(line)
        if fence:
            lines.append(line)
            if match and not match["info"] and match["fence"].startswith(fence):
                fence = ""
                found.append(Block("\n".join(lines)))
                lines = []
        elif match or not line.strip():
            if lines:
                found.append(Block("\n".join(lines).rstrip()))
            lines = [line] if match else []
            fence = match["fence"] if match else ""
        else:
            lines.append(line)
    if fence:
        raise StaleError(f"a fence is never closed: {lines[0]}")
    if lines:
        found.append(Block("\n".join(lines).rstrip()))
    return found


# -- the words of code -----------------------------------------------------------------------------


def _words(code: str) -> Iterator[tuple[tuple[int, int], tuple[int, int], str, bool]]:
    """Comments and strings of Python code: where, what they say, and whether it is a comment."""
    start: tuple[int, int] | None = None
    depth = 0
    lines = code.splitlines(keepends=True)
    names = {tokenize.tok_name[k]: k for k in tokenize.tok_name}
    begins, ends = names.get("FSTRING_START"), names.get("FSTRING_END")
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == begins:  # from Python 3.12 on an f-string is many tokens
            start, depth = (token.start if not depth else start), depth + 1
        elif token.type == ends:
            depth -= 1
            if not depth and start is not None:
                yield start, token.end, _between(lines, start, token.end), False
        elif depth:
            continue
        elif token.type == tokenize.COMMENT:
            yield token.start, token.end, token.string, True
        elif token.type == tokenize.STRING:
            yield token.start, token.end, token.string, False


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    middle = "".join(lines[start[0] : end[0] - 1])
    return lines[start[0] - 1][start[1] :] + middle + lines[end[0] - 1][: end[1]]


_QUOTED = re.compile(
    r"^(?P<open>[a-zA-Z]*(?:'''|\"\"\"|'|\"))(?P<text>.*)(?P<close>'''|\"\"\"|'|\")$", re.S
)


def _content(token: str, comment: bool) -> tuple[str, str, str]:
    """What goes before a word, the word itself, and what goes after it."""
    if comment:
        text = token.lstrip("#:").strip()
        at = token.find(text) if text else len(token)
        return token[:at], text, ""
    match = _QUOTED.match(token)
    assert match is not None
    return match["open"], match["text"], match["close"]


def _without_magic(block: Block) -> tuple[str, str, str]:
    """The fence with the options of the cell, the code, and the closing fence."""
    lines = block.text.splitlines()
    body = 1
    if len(lines) > 1 and lines[1] == "---":
        body = lines.index("---", 2) + 1
    while body < len(lines) - 1 and (lines[body].startswith(":") or not lines[body].strip()):
        body += 1
    return "\n".join(lines[:body]), "\n".join(lines[body:-1]), lines[-1]


def in_words(block: Block, words: Mapping[str, str]) -> str:
    """A block of code with its comments and strings said in other words, where there are any."""
    head, code, tail = _without_magic(block)
    rows = code.splitlines(keepends=True)
    for start, end, token, comment in sorted(_words(code), reverse=True):
        before, text, after = _content(token, comment)
        if text in words and start[0] == end[0]:
            row = rows[start[0] - 1]
            rows[start[0] - 1] = row[: start[1]] + before + words[text] + after + row[end[1] :]
    return "\n".join([head, "".join(rows), tail])


def said_in(block: Block) -> list[tuple[str, bool]]:
    """What comments and strings of a block of Python code say, in order, and which are comments."""
    _, code, _ = _without_magic(block)
    return [(_content(token, comment)[1], comment) for _, _, token, comment in _words(code)]


def comments(block: Block) -> list[str]:
    """What the comments of a block of Python code say, those for tools left out."""
    said = [text for text, comment in said_in(block) if comment]
    return [text for text in said if re.search(r"[A-Za-z]{2}", text) and not _for_tools(text)]


def _for_tools(text: str) -> bool:
    return bool(re.match(r"(noqa|type:|doctest:|fmt:)", text))


# -- the two editions ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chinese:
    """What a file of `docs/zh/` says: blocks by the hash of the English one, and the words of code."""

    said: Mapping[str, str]
    words: Mapping[str, str]


def read_chinese(page: str) -> Chinese:
    """Read a file of `docs/zh/`."""
    said: dict[str, str] = {}
    words: dict[str, str] = {}
    name, lines = "", []  # type: str, list[str]
    for line in [*page.splitlines(), "% en 00000000"]:
        if match := SAID.match(line):
            if name:
                said[name] = "\n".join(lines).strip()
            name, lines = match[1], []
        elif word := WORD.match(line):
            if word[2]:
                words[word[1]] = word[2]
        else:
            lines.append(line)
    return Chinese(said, words)


def chinese_page(english: str, chinese: str) -> str:
    """The Chinese page: its own prose between the code of the English one.

    Raises:
        StaleError: something is not said, or what is said is of another English.
    """
    if wrong := problems(english, chinese):
        raise StaleError("\n".join(wrong))
    known = read_chinese(chinese)
    found = []
    for block in blocks(english):
        if block.is_prose:
            found.append(known.said[block.hash])
        else:
            found.append(in_words(block, known.words) if block.is_python else block.text)
    return "\n\n".join(found) + "\n"


def problems(english: str, chinese: str) -> list[str]:
    """What is missing in a Chinese page, and what in it is said of no English block any more."""
    known = read_chinese(chinese)
    parts = blocks(english)
    wanted = {block.hash: block for block in parts if block.is_prose}
    found = [
        f"not said in Chinese: {name} {_start(block.text)}"
        for name, block in wanted.items()
        if not known.said.get(name)
    ]
    found += [
        f"Chinese of an English block that is gone: {name} {_start(text)}"
        for name, text in known.said.items()
        if name not in wanted
    ]
    needed = {text for block in parts if block.is_python for text in comments(block)}
    found += [f"comment not said in Chinese: {text}" for text in sorted(needed - set(known.words))]
    all_words = {text for block in parts if block.is_python for text, _ in said_in(block)}
    found += [f"words that no code has: {text}" for text in sorted(set(known.words) - all_words)]
    return found


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) < 70 else line[:69] + "…"


def pages() -> list[str]:
    """The names of the English pages."""
    return sorted(
        str(path.relative_to(DOCS))
        for path in DOCS.rglob("*.md")
        if ZH not in path.parents and "_build" not in path.parts
    )


def said() -> list[str]:
    """The names of the pages that are said in Chinese; the Chinese edition has no others."""
    return [name for name in pages() if (ZH / name).exists()]


def updated(english: str, chinese: str) -> str:
    """A Chinese file in the order of the English page, with empty places for what is not said yet.

    What was said of a block that is gone stays at the end of the file, below its old hash: it may be
    what is to be changed.
    """
    known = read_chinese(chinese)
    wanted = [block for block in blocks(english) if block.is_prose or block.is_python]
    lines: list[str] = []
    used, words = set(), set()
    for block in wanted:
        if block.is_prose and block.hash not in used:
            used.add(block.hash)
            lines += [f"% en {block.hash}", known.said.get(block.hash, ""), ""]
        if block.is_python:
            needed = set(comments(block))
            for text, _ in said_in(block):
                if text in words or not (text in known.words or text in needed):
                    continue
                words.add(text)
                lines.append(f"% {text} → {known.words.get(text, '')}".rstrip())
            if lines and lines[-1]:
                lines.append("")
    for name, text in known.said.items():
        if name not in used:
            lines += [f"% en {name}", text, ""]
    return "\n".join(lines).rstrip() + "\n"


def main(arguments: list[str]) -> int:
    """Check, update, or say one page."""
    match arguments:
        case ["check"]:
            wrong = 0
            for name in said():
                found = problems((DOCS / name).read_text("utf-8"), (ZH / name).read_text("utf-8"))
                wrong += len(found)
                for line in found:
                    print(f"docs/zh/{name}: {line}")
            return 1 if wrong else 0
        case ["update", *names]:
            for name in names or pages():
                path = ZH / name
                path.parent.mkdir(parents=True, exist_ok=True)
                before = path.read_text("utf-8") if path.exists() else ""
                path.write_text(updated((DOCS / name).read_text("utf-8"), before), "utf-8")
            return 0
        case ["say", name]:
            english, chinese = (DOCS / name).read_text("utf-8"), (ZH / name).read_text("utf-8")
            print(chinese_page(english, chinese))
            return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
