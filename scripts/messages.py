"""The catalogue of messages: gathers them, says what is missing, and compiles what is shipped.

    python scripts/messages.py update    # new messages into the catalogue, those that are gone out of it
    python scripts/messages.py compile   # for Python: chainrule.mo; for the page: zh.json

The catalogue is `src/chainrule/lang/locale/zh_CN/LC_MESSAGES/chainrule.po`. Messages come from `_`, `_n`
and `_p` in `src/chainrule`, and from the page's `page/src/text/en.json`, where the key is the context.
What is compiled is not in git: the build makes it, and so do the tests.
"""

from __future__ import annotations

import ast
import json
import os
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

__all__ = ["catalogue", "compile_all", "gathered", "update"]

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "chainrule"
PO = SOURCES / "lang" / "locale" / "zh_CN" / "LC_MESSAGES" / "chainrule.po"
PAGE = ROOT / "page" / "src" / "text"
#: The lines of the catalogue's head that say something.
_HEAD = (
    *(b'msgid ""', b'msgstr ""', b'"Language', b'"Plural-Forms'),
    *(b'"MIME-Version', b'"Content-Type', b'"Content-Transfer-Encoding'),
)
#: What makes a message, and which of its arguments are templates, and which the context.
MAKERS = {"_": ((0,), None), "_n": ((0, 1), None), "_p": ((1,), 0)}


def made_in(path: Path) -> Iterator[tuple[str | tuple[str, ...], str | None]]:
    """The messages of a file, with their contexts. Babel's own reader misses calls within calls."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id not in MAKERS:
            continue
        templates, context = MAKERS[node.func.id]
        wanted = [*templates, *([] if context is None else [context])]
        given = [
            arg.value for arg in (node.args[i] for i in wanted) if isinstance(arg, ast.Constant)
        ]
        if len(given) != len(wanted):
            continue  # the tests say where
        texts = tuple(map(str, given[: len(templates)]))
        yield (texts if len(texts) > 1 else texts[0]), (None if context is None else str(given[-1]))


def gathered() -> Catalog:
    """Every message of the library, the command and the page, without translations."""
    found = Catalog(locale="zh_CN", project="chainrule", charset="utf-8")
    for path in sorted(SOURCES.rglob("*.py")):
        for message, context in made_in(path):
            place = path.relative_to(ROOT).as_posix()
            found.add(message, locations=[(place, 0)], context=context)
    for key, english in json.loads((PAGE / "en.json").read_text("utf-8")).items():
        if not english:
            continue
        found.add(english, context=f"page:{key}", locations=[("page/src/text/en.json", 0)])
    return found


def catalogue() -> Catalog:
    """The catalogue as it is kept."""
    with PO.open("rb") as file:
        return read_po(file, locale="zh_CN", charset="utf-8")


def _bytes(kept: Catalog) -> bytes:
    out = BytesIO()
    write_po(out, kept, width=100, sort_by_file=True, include_lineno=False, ignore_obsolete=True)
    head, messages = out.getvalue().split(b"\n\n", 1)
    kept_lines = [line for line in head.split(b"\n") if line.split(b":")[0] in _HEAD]
    return b"\n".join((*kept_lines, b"", messages))


def update() -> None:
    """Put what is new into the catalogue, untranslated, and drop what nobody says any more."""
    kept = catalogue()
    kept.update(gathered(), no_fuzzy_matching=True)
    kept.obsolete.clear()
    PO.write_bytes(_bytes(kept))
    missing = [message.id for message in kept if message.id and not all(_forms(message.string))]
    print(f"{PO.relative_to(ROOT)}: {len(kept)} messages, {len(missing)} to translate.")
    for text in missing:
        print(f"  {text}")


def _forms(string: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """The translations of a message, by number."""
    return (string or "",) if isinstance(string, str | None) else tuple(string)


def compile_all() -> None:
    """Write what Python and the page read, where it is older than the catalogue."""
    kept = catalogue()
    out = BytesIO()
    write_mo(out, kept)
    _write(PO.with_suffix(".mo"), out.getvalue())
    english = json.loads((PAGE / "en.json").read_text("utf-8"))
    chinese = {}
    for key, text in english.items():
        found = kept.get(text, context=f"page:{key}") if text else None
        chinese[key] = str(found.string) if found is not None and found.string else text
    text = json.dumps(chinese, ensure_ascii=False, indent=2) + "\n"
    _write(PAGE / "zh.json", text.encode())


def _write(path: Path, data: bytes) -> None:
    """Only what has changed, so that nothing is built again for nothing; whole, whoever reads now."""
    if not path.exists() or path.read_bytes() != data:
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.write_bytes(data)
        beside.replace(path)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["update"]:
            update()
            compile_all()
        case ["compile"]:
            compile_all()
        case _:
            sys.exit(__doc__)
