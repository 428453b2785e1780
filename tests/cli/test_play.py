"""`chainrule play` before the page opens: what it refuses, in one sentence each."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from tests.cli.driver import good, run


def refusal(*args: str) -> str:
    result = run("play", "--no-browser", *args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_other_machines_are_let_in_only_when_asked() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):
        assert "--allow-remote" in refusal("--host", host)


def test_a_host_that_is_not_there() -> None:
    assert "no.such.host.invalid" in refusal("--host", "no.such.host.invalid", "--allow-remote")
    assert "192.0.2.1" in refusal("--host", "192.0.2.1", "--allow-remote")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str) -> Any:
        return None if name == "uvicorn" else importlib.util.find_spec(name)

    monkeypatch.setattr("chainrule.cli.play.find_spec", find_spec)
    sentence = refusal()
    assert "uvicorn" in sentence
    assert "pip install 'chainrule[play]'" in sentence
    assert "starlette" not in sentence


def test_a_page_that_was_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("chainrule.playground.server.static.files", lambda _: tmp_path)
    assert "CHAINRULE_SKIP_PAGE" in refusal()


@pytest.mark.parametrize(
    "option", ["--port=70000", "--port=x", "--max-clients=0", "--max-units=-1", "--lang=fr"]
)
def test_options_out_of_bounds(option: str) -> None:
    assert option.partition("=")[0] in refusal(option)


@pytest.mark.parametrize(
    "link", ["#batchSize=0", "#networkShape=1000,1000", "#noise=NaN", "#chainrule=1&hidden=0"]
)
def test_links_that_do_not_fit(link: str) -> None:
    assert refusal(link)


def test_help() -> None:
    text = good("play", "--help")
    assert "Ctrl-C" in text
    assert all(option in text for option in ("--allow-remote", "--max-clients", "--lang"))
