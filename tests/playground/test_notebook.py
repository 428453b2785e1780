"""The playground in a notebook: the widget's messages are a session's."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import SettingError
from chainrule.playground.messages import Message
from chainrule.playground.notebook import WIDGET, Playground

widget = pytest.mark.skipif(
    not (WIDGET / "widget.js").exists(), reason="the page is not built (CHAINRULE_SKIP_PAGE)"
)


def sent(playground: Playground) -> list[Message]:
    """Puts a wire where the notebook would be; what arrives there."""
    pytest.importorskip("anywidget")
    found: list[Message] = []
    shown = playground.widget
    shown.send = lambda content, buffers: found.extend(map(Message.from_bytes, buffers))
    return found


def ask(playground: Playground, command: dict[str, Any], *buffers: bytes) -> None:
    playground.widget._handle_custom_msg(command, list(buffers))


def test_in_python_it_is_a_network_that_can_be_trained() -> None:
    playground = cr.Playground(data="spiral", hidden=[8, 8], optimizer="Adam")
    before = playground.network.params[0].copy()
    playground.step(2, "epoch")
    assert not np.array_equal(playground.network.params[0], before)
    playground.do("goto", step=0)
    np.testing.assert_array_equal(playground.network.params[0], before)
    with pytest.raises(SettingError, match="noise"):
        cr.Playground(noise=7)


def test_a_link_of_tensorflow_playground_opens() -> None:
    playground = cr.Playground("#seed=0.40401&networkShape=3")
    assert playground.session.run.settings.hidden == (3,)


@widget
def test_the_widget_answers_and_trains_while_the_kernel_is_idle() -> None:
    async def cell() -> list[Message]:
        playground = Playground()
        found = sent(playground)
        ask(playground, {"do": "hello"})
        ask(playground, {"id": 1, "do": "play"})
        await asyncio.sleep(0.3)
        ask(playground, {"id": 2, "do": "pause"})
        await asyncio.sleep(0.05)
        ask(playground, {"id": 3, "do": "upload", "name": "t.csv"}, b"a,y\n1,2\n")
        ask(playground, {"id": 4, "do": "nonsense"})
        return found

    found = asyncio.run(cell())
    assert [m.kind for m in found[:3]] == ["hello", "state", "frame"]
    answers = {m.fields["id"]: m for m in found if m.fields.get("id")}
    assert [answers[i].kind for i in (1, 2, 3, 4)] == ["reply", "reply", "reply", "error"]
    assert answers[3].fields["columns"] == ["a", "y"]
    frames = [m for m in found if m.kind == "frame"]
    assert len(frames) >= 4
    steps = [m.fields["step"] for m in frames]
    assert steps == sorted(steps)
    assert steps[-1] > 100
    assert not frames[-1].fields["playing"]


@widget
def test_the_products_of_training_use_one_thread_and_the_notebook_keeps_its_own() -> None:
    threadpoolctl = pytest.importorskip("threadpoolctl")
    controller = threadpoolctl.ThreadpoolController()
    if not controller.select(user_api="blas").lib_controllers:
        pytest.skip("threadpoolctl does not know this NumPy's BLAS")

    def threads() -> set[int]:
        return {one.num_threads for one in controller.select(user_api="blas").lib_controllers}

    async def cell() -> list[set[int]]:
        playground = Playground()
        sent(playground)
        counts = []
        advance = playground.session.advance

        def watched(seconds: float) -> bool:
            counts.append(threads())
            return advance(seconds)

        playground.session.advance = watched  # type: ignore[method-assign]
        ask(playground, {"id": 1, "do": "play"})
        await asyncio.sleep(0.1)
        ask(playground, {"id": 2, "do": "pause"})
        await asyncio.sleep(0.05)
        return counts

    with controller.limit(limits=2, user_api="blas"):
        counts = asyncio.run(cell())
        assert counts
        assert all(count == {1} for count in counts)
        assert threads() == {2}


@widget
def test_a_notebook_is_given_the_widget() -> None:
    pytest.importorskip("anywidget")
    playground = Playground()
    bundle = playground._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert playground._display_() is playground.widget
