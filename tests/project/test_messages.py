"""Every sentence once: messages are whole, are in the catalogue, and are said in Chinese."""

from __future__ import annotations

import ast
import re
import runpy
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.project.sentences import fields, problems, strays

import chainrule
from chainrule.errors import SettingError
from chainrule.lang.languages import from_environment
from chainrule.lang.messages import Spelled, _, _n, in_language, listed, sentences

ROOT = Path(chainrule.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MESSAGES = runpy.run_path(str(ROOT.parents[1] / "scripts" / "messages.py"))

#: Files in which English text is no message, and why.
PROGRAM = "the text of a program, which is read as code"
NOT_MESSAGES = {
    "engine/compiled/kernels.py": PROGRAM,
    "engine/compiled/module.py": PROGRAM,
    "engine/compiled/products.py": PROGRAM,
    "engine/compiled/step.py": PROGRAM,
    **{
        f"engine/compiler/{path.name}": "an error of a developer, whose text says what no kernel can"
        for path in (ROOT / "engine/compiler").glob("*.py")
    },
    "script/function_source.py": "an error of a developer, who gives a program what it cannot say",
    "datasets/writings.py": "names of units",
    "drawing/drawing.py": "what a verdict may be called by who gives it",
    "playground/server/socket.py": "why a connection is closed, which browsers keep to themselves",
}


def known() -> Any:
    """The catalogue."""
    return MESSAGES["catalogue"]()


def forms(entry: Any) -> tuple[list[str], list[str]]:
    """The English forms of a message, and the Chinese ones."""
    english = [entry.id] if isinstance(entry.id, str) else list(entry.id)
    chinese = [entry.string] if isinstance(entry.string, str) else list(entry.string)
    return english, chinese


def test_a_message_is_a_literal_and_has_the_values_that_it_names() -> None:
    assert not [str(place) for path in FILES for place in problems(path)]


def test_the_catalogue_has_every_message_and_no_other() -> None:
    """Else `python scripts/messages.py update`, and translate what it lists."""
    said = {(m.context, m.id) for m in MESSAGES["gathered"]() if m.id}
    kept = {(m.context, m.id) for m in known() if m.id}
    assert said == kept


def test_every_message_has_its_chinese_with_the_same_values() -> None:
    for entry in known():
        if not entry.id:
            continue
        english, chinese = forms(entry)
        assert all(chinese), english
        assert not entry.fuzzy
        named = set().union(*map(fields, english))
        least = set.intersection(*map(fields, english))  # "1" may be "an" in English
        for form in chinese:
            if "{" in "".join(english):
                assert least <= fields(form) <= named, (english, form)


def test_chinese_is_chinese() -> None:
    """A translation has Chinese letters, and no run of English words but what is quoted or code."""
    for entry in known():
        if not entry.id:
            continue
        for form in forms(entry)[1]:
            plain = re.sub(
                r"\{[^}]*\}|`[^`]*`|“[^”]*”|\"[^\"]*\"|'[^']*'|\([^)]*\)|--?[\w-]+", "", form
            )
            words = re.findall(r"(?:\b[a-z]{3,}\b ){3,}", plain)
            assert not words, (form, words)


def is_sentence(pattern: str) -> bool:
    """Whether a regular expression is one over words of a sentence: three of them in a row."""
    return re.search(r"[a-z]{2,}( |\\s\+?)[a-z]{2,}( |\\s\+?)[a-z]{2,}", pattern) is not None


def patterns(path: Path) -> Iterator[str]:
    """The texts of all regular expressions in a file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
            for part in ast.walk(node.args[0]) if node.args else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def test_no_regular_expression_reads_a_sentence() -> None:
    assert not [(path, text) for path in FILES for text in patterns(path) if is_sentence(text)]


def test_no_sentence_stands_outside_of_messages() -> None:
    files = [path for path in FILES if str(path.relative_to(ROOT)) not in NOT_MESSAGES]
    assert not [str(place) for path in files for place in strays(path)]


# -- what a message is ---------------------------------------------------------------------------


def test_a_message_is_its_english_text() -> None:
    message = _(
        "{name}={value} must be {allowed}.", name="lr", value=-1, allowed=_("a finite number")
    )
    assert message == "lr=-1 must be a finite number."
    assert isinstance(message, str)
    assert message.said("zh") == "lr=-1 必须是有限数。"
    assert str(SettingError(message)) == message
    assert SettingError(message).said("zh") == message.said("zh")


def test_it_survives_a_copy_and_another_process() -> None:
    import copy
    import pickle

    parts = [_("a finite number"), _n("{n} row", "{n} rows", 2), Spelled("a=1", command="--a 1")]
    whole = sentences(*parts, listed(parts, "and"))
    for other in (copy.deepcopy(whole), pickle.loads(pickle.dumps(whole))):
        assert other == whole
        for lang in ("en", "zh"):
            assert in_language(other, lang, "command") == in_language(whole, lang, "command")
    error = pickle.loads(pickle.dumps(SettingError(parts[0])))
    assert error.said("zh") == parts[0].said("zh")


def test_each_reader_has_its_own_spelling() -> None:
    advice = Spelled(_("a finite number"), command="--force", page="")
    said = [sentences("x", advice).said("zh", reader) for reader in ("python", "command", "page")]
    assert said == ["x有限数", "x--force", "x"]


def test_an_error_speaks_the_language_that_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    english = "a finite number"
    error = SettingError(_("a finite number"))
    for tag, told in (
        ("zh", "有限数"),
        ("zh_CN.UTF-8", "有限数"),
        ("en", english),
        ("de", english),
    ):
        monkeypatch.setenv("CHAINRULE_LANG", tag)
        assert str(error) == told
    monkeypatch.delenv("CHAINRULE_LANG")
    # People search for the errors of a library, so the locale alone does not change them.
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert str(error) == english


@pytest.mark.parametrize(
    ("env", "lang"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LC_ALL": "zh_CN.GB18030", "LANG": "en_US.UTF-8"}, "zh"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"LC_MESSAGES": "zh_SG", "LANG": "en_US"}, "zh"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, "zh"),
        ({"LANG": "C", "LANGUAGE": "zh_CN"}, "en"),
        ({"LANG": "zh_TW.UTF-8"}, "en"),
        ({"CHAINRULE_LANG": "en", "LANG": "zh_CN.UTF-8"}, "en"),
        ({"CHAINRULE_LANG": "zh", "LANG": "de_DE"}, "zh"),
    ],
)
def test_the_language_of_the_command_as_gettext_has_it(env: dict[str, str], lang: str) -> None:
    assert from_environment(env) == lang


# -- the tests of the tests ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('_(f"{x} is wrong")', "no literal"),
        ('_("{x} is wrong", y=1)', "['x'] are named, ['y'] given"),
        ('_("{x} is wrong")', "['x'] are named, [] given"),
        ('_n("{n} row", "{n} rows of {t}", 2)', "['t'] are named"),
        ('def f():\n    _, a = g()\n    return _("words")', "_ is a variable here"),
    ],
)
def test_a_bad_message_is_found(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    assert found in str(next(problems(path)))


def test_a_stray_sentence_is_found(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text('raise ValueError(f"the loss in training of {x} is not finite")')
    assert next(strays(path)).text == "the loss in training of {} is not finite"
    path.write_text('"""A docstring of words."""\nx = _("a message of words")')
    assert not list(strays(path))


def test_templates_are_read_as_str_format_reads_them() -> None:
    assert fields("{a} {b!r} {c:,} {d.e} {f[0]} {{g}}") == {"a", "b", "c", "d", "f"}
    assert string.Formatter().vformat("{a:,}", (), {"a": 1000}) == "1,000"
