"""A session: commands, what they change, what they refuse."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import chainrule.playground.run_history as module
from chainrule.playground.caps import Caps
from chainrule.playground.messages import Message
from chainrule.playground.session import Session


def ok(session: Session, do: str, **fields: Any) -> Message:
    reply = session.do({"id": 1, "do": do, **fields})
    assert reply.kind == "reply", reply.fields
    assert reply.fields["id"] == 1
    while not session.playing and session.advance(0.05):
        pass  # a way that takes long is gone to its end
    assert reply.fields["ok"]
    return reply


def errors(session: Session, do: Any, **fields: Any) -> list[str]:
    before, version = everything(session), session.version
    reply = session.do({"id": 2, "do": do, **fields})
    assert reply.kind == "error"
    assert reply.fields["id"] == 2
    assert everything(session) == before
    assert session.version == version
    found: list[str] = reply.fields["errors"]
    assert found
    assert all(isinstance(line, str) and line.endswith(".") for line in found)
    return found


def everything(session: Session) -> tuple[bytes, bytes]:
    return session.state().to_bytes(), session.frame().to_bytes()


def test_a_frame_has_what_the_page_draws() -> None:
    session = Session()
    ok(session, "step", unit="epoch", count=3)
    frame = Message.from_bytes(session.frame().to_bytes())
    f, arrays, machine = frame.fields, frame.arrays, session.run.machine
    assert (f["step"], f["end"], f["epoch"], f["batch"], f["batches"]) == (75, 75, 3, 0, 25)
    assert arrays["map"].shape == (1, 100, 100)
    assert arrays["units"].shape == (6, 16, 16)
    data = session.run.data
    x, t = data.inputs(["x", "y"]), data.targets("squared")
    y = machine.network.predict(x)
    half = ((y - t) ** 2 / 2)[:, 0]
    assert f["train_loss"] == pytest.approx(half[:250].mean(), rel=1e-12)
    assert f["test_loss"] == pytest.approx(half[250:].mean(), rel=1e-12)
    assert f["train_score"] == np.mean((y > 0)[:250] == (t > 0)[:250])
    assert f["loss"] == machine.loss
    corner = machine.network.predict(np.array([[-6.0, 6.0], [6.0, 6.0], [-6.0, -6.0]]))[:, 0]
    big = arrays["map"][0]
    assert [big[0, 0], big[0, -1], big[-1, 0]] == pytest.approx(corner.tolist(), rel=1e-6)
    hidden = np.tanh(
        np.array([[-6.0, 6.0]]) @ machine.network.sequence[0].W + machine.network.sequence[0].b
    )
    assert arrays["units"][:4, 0, 0] == pytest.approx(hidden[0], rel=1e-6)
    assert np.array_equal(arrays["curve"][:, 1], [0, 1, 2, 3])
    assert arrays["curve"][-1, 2:6].tolist() == [
        f["train_loss"], f["test_loss"], f["train_score"], f["test_score"]
    ]  # fmt: skip
    assert sorted(arrays["batch"].tolist()) == sorted(set(arrays["batch"].tolist()))


def test_the_parameters_of_the_state_find_their_numbers_in_the_frame() -> None:
    session = Session()
    ok(session, "configure", settings={"hidden": [3, 5], "features": ["x2", "xy", "x"]})
    state, frame = session.state(), session.frame()
    network = session.run.machine.network
    layers = [layer for layer in network.sequence if layer.params]
    for parameter in state.fields["network"]["parameters"]:
        layer = layers[parameter["column"] - 1]
        array = layer.W if parameter["name"][0] == "W" else layer.b
        start = parameter["offset"]
        found = frame.arrays["weights"][start : start + array.size]
        assert parameter["shape"] == list(array.shape)
        assert np.array_equal(found, array.ravel())
    assert [len(c["units"]) for c in state.fields["network"]["columns"]] == [3, 3, 5, 1]


def test_showing_changes_nothing() -> None:
    shown, hidden = Session(), Session()
    for session in (shown, hidden):
        ok(session, "configure", settings={"dropout": 0.3, "optimizer": "Adam"})
    for _ in range(30):
        for session in (shown, hidden):
            ok(session, "step")
        for _ in range(2):
            shown.frame().to_bytes()
            shown.state().to_bytes()
            shown.hello()
    assert shown.run.machine.flat.data.tobytes() == hidden.run.machine.flat.data.tobytes()
    assert shown.frame().arrays["slots"].tobytes() == hidden.frame().arrays["slots"].tobytes()


def test_a_live_setting_goes_on_and_from_the_past_it_branches() -> None:
    session = Session()
    ok(session, "step", count=20)
    ok(session, "configure", settings={"learning_rate": 0.1})
    assert len(session.runs) == 1
    assert session.run.end == 20
    ok(session, "step", count=5)
    weights = session.frame().arrays["weights"]
    ok(session, "goto", step=10)
    ok(session, "configure", settings={"learning_rate": 1})
    assert list(session.runs) == [0, 1]
    assert session.run.number == 1
    entry = session.state().fields["runs"][1]
    assert (entry["parent"], entry["forked_at"], entry["end"]) == (0, 10, 10)
    assert entry["settings"] == {"learning_rate": 1.0}
    ok(session, "select_run", run=0)
    assert session.frame().arrays["weights"].tobytes() == weights.tobytes()
    assert session.frame().fields["step"] == 25
    ok(session, "drop_run", run=1)
    assert list(session.runs) == [0]


def test_other_settings_begin_a_new_run_and_an_untouched_one_goes() -> None:
    session = Session()
    ok(session, "configure", settings={"data": "xor"})
    assert [run["settings"] for run in session.state().fields["runs"]] == [{"data": "xor"}]
    ok(session, "step")
    ok(session, "configure", settings={"hidden": [8, 8, 8]})
    assert len(session.runs) == 2
    assert session.run.settings.activations == ("tanh",) * 3
    assert session.frame().fields["step"] == 0


def test_reset_is_the_first_step_again() -> None:
    session = Session()
    first = session.frame().arrays["weights"]
    ok(session, "step", count=30)
    ok(session, "reset")
    assert len(session.runs) == 1
    assert session.frame().fields["end"] == 30
    assert np.array_equal(session.frame().arrays["weights"], first)
    ok(session, "edit", parameter=0, place=[0, 1], value=2)
    ok(session, "reset")
    assert np.array_equal(session.frame().arrays["weights"], first)
    assert session.frame().fields["end"] == 0


def test_new_data_and_new_weights() -> None:
    session = Session()
    points, weights = session.state().arrays["points"], session.frame().arrays["weights"]
    ok(session, "regenerate")
    assert not np.array_equal(session.state().arrays["points"], points)
    assert np.array_equal(session.frame().arrays["weights"], weights)
    ok(session, "new_weights")
    assert not np.array_equal(session.frame().arrays["weights"], weights)


def test_an_edit_is_shown_at_once() -> None:
    session = Session()
    ok(session, "step", count=3)
    before = session.frame()
    index = [p["name"] for p in session.state().fields["network"]["parameters"]].index("b3")
    ok(session, "edit", parameter=index, place=[0], value=-3.5)
    after = session.frame()
    offset = session.state().fields["network"]["parameters"][index]["offset"]
    assert after.arrays["weights"][offset] == -3.5
    assert after.fields["train_loss"] != before.fields["train_loss"]
    assert not np.array_equal(after.arrays["map"], before.arrays["map"])


def test_playing_moves_and_going_back_pauses() -> None:
    session = Session()
    assert not session.advance(0.01)
    ok(session, "play")
    for _ in range(5):
        assert session.advance(0.02)
    end = session.run.end
    assert end > 50
    assert session.rate > 1000
    ok(session, "goto", step=end // 2)
    while session.advance(0.01):
        pass
    assert session.run.step == end // 2
    assert not session.playing
    ok(session, "play")
    session.advance(0.5)
    assert session.run.end > end


def test_what_is_not_finite_pauses_and_says_why() -> None:
    session = Session()
    ok(session, "configure", settings={"data": "plane", "activations": ["relu", "relu"]})
    ok(session, "configure", settings={"learning_rate": 100})
    ok(session, "play")
    while session.playing:
        session.advance(0.05)
    frame = Message.from_bytes(session.frame().to_bytes())
    (trouble,) = frame.fields["trouble"]
    assert trouble["kind"] == "not_finite"
    assert trouble["step"] == frame.fields["step"]
    assert "the loss is" in trouble["sentences"]["en"][0]
    assert "损失" in trouble["sentences"]["zh"][0]
    assert np.isfinite(frame.arrays["weights"]).all()
    ok(session, "configure", settings={"learning_rate": 0.001})
    kinds = {found["kind"] for found in session.frame().fields["trouble"]}
    assert kinds == {"diverging", "dead"}  # its weights are as the last good step left them


@pytest.mark.parametrize("optimizer", ["Momentum", "Adam"])
def test_slots_are_in_the_order_of_the_weights(optimizer: str) -> None:
    session = Session()
    ok(session, "configure", settings={"optimizer": optimizer})
    ok(session, "step", count=4)
    frame, machine = session.frame(), session.run.machine
    x, t = machine.train
    rows = frame.arrays["batch"]
    machine.network.forward(x[rows], t[rows])
    assert frame.arrays["slots"].shape[0] == len(machine.optimizer.slots)
    ok(session, "step")
    assert not np.array_equal(session.frame().arrays["slots"], frame.arrays["slots"])
    zero = frame.arrays["slots"][0] == 0
    assert not zero.any()


BAD_SETTINGS: list[dict[str, Any]] = [
    {"noise": 0.51}, {"noise": "0.1"}, {"noise": True}, {"noise": None}, {"noise": float("nan")},
    {"train_part": 0}, {"data": "moon"}, {"data": 3}, {"data": []}, {"features": []},
    {"features": ["x", "x"]}, {"features": ["z"]}, {"features": "x"}, {"hidden": [0]},
    {"hidden": [65]}, {"hidden": [4] * 7}, {"hidden": 4}, {"hidden": [2.5]}, {"hidden": [True]},
    {"activations": ["tanh"]}, {"activations": ["step", "tanh"]}, {"init": "he2"},
    {"weight_seed": -1}, {"weight_seed": 2**31}, {"loss": "hinge"}, {"optimizer": "Nobody"},
    {"optimizer_numbers": {"beta1": 0.5}}, {"optimizer_numbers": [1]},
    {"optimizer": "Adam", "optimizer_numbers": {"beta1": 1.0}}, {"learning_rate": -0.1}, {"learning_rate": 0},
    {"learning_rate": 101}, {"l1": -1}, {"l2": 1e9}, {"dropout": 0.95}, {"batch_size": 0},
    {"batch_size": 1e9}, {"mode": "fast"}, {"target": 3}, {"nonsense": 1}, {"data_seed": -3},
    {"data_seed": [1]}, {"data": "plane", "loss": "softmax"}, {"data_seed": "0.4"},
]  # fmt: skip


@pytest.mark.parametrize("settings", BAD_SETTINGS, ids=json.dumps)
def test_wrong_settings_are_refused_and_change_nothing(settings: dict[str, Any]) -> None:
    session = Session()
    ok(session, "step", count=2)
    errors(session, "configure", settings=settings)


def test_steps_back_add_up_from_where_the_run_is_going() -> None:
    session = Session()
    ok(session, "step", count=60)
    weights = {}
    for step in (57, 32, 0):
        ok(session, "goto", step=step)
        weights[step] = session.frame().arrays["weights"].tobytes()
    ok(session, "goto", step=60)
    for _ in range(3):  # three quick keys, before anything was shown
        ok(session, "back")
    assert session.frame().fields["step"] == 57
    assert session.frame().arrays["weights"].tobytes() == weights[57]
    ok(session, "back", unit="epoch")
    assert session.frame().fields["step"] == 57 - session.run.machine.batches
    assert session.frame().arrays["weights"].tobytes() == weights[32]
    ok(session, "back", count=10_000)
    assert session.frame().fields["step"] == 0
    assert session.frame().arrays["weights"].tobytes() == weights[0]
    ok(session, "back")
    assert session.frame().fields["step"] == 0


def test_all_problems_are_told_at_once() -> None:
    found = errors(Session(), "configure", settings={"noise": 2, "l1": -1, "hiden": []})
    assert len(found) == 3
    assert 'did you mean "hidden"?' in found[2]


BAD_COMMANDS: list[dict[str, Any]] = [
    {"do": "explode"}, {"do": None}, {"do": ["play"]}, {"do": "play", "loud": True},
    {"do": "configure"}, {"do": "configure", "settings": []}, {"do": "step", "unit": "year"},
    {"do": "step", "count": 0}, {"do": "step", "count": 10_001}, {"do": "step", "count": "3"},
    {"do": "back", "unit": "year"}, {"do": "back", "count": 0}, {"do": "back", "count": True},
    {"do": "goto"}, {"do": "goto", "step": 3}, {"do": "goto", "step": -1},
    {"do": "goto", "step": 1.5}, {"do": "edit"}, {"do": "edit", "parameter": 99},
    {"do": "edit", "parameter": 0, "place": [0], "value": 1},
    {"do": "edit", "parameter": 0, "place": [0, 4], "value": 1},
    {"do": "edit", "parameter": 0, "place": [0, -1], "value": 1},
    {"do": "edit", "parameter": 0, "place": [0, 0], "value": None},
    {"do": "edit", "parameter": 0, "place": [0, 0], "value": float("inf")},
    {"do": "edit", "parameter": 0, "place": [[0], 0], "value": 1},
    {"do": "select_run", "run": 7}, {"do": "select_run", "run": [0]}, {"do": "select_run"},
    {"do": "drop_run", "run": 0}, {"do": "drop_run", "run": False},
]  # fmt: skip


@pytest.mark.parametrize("command", BAD_COMMANDS, ids=json.dumps)
def test_wrong_commands_are_refused_and_change_nothing(command: dict[str, Any]) -> None:
    session = Session()
    ok(session, "step", count=2)
    errors(session, **command)


def test_a_network_over_the_cap_is_refused() -> None:
    session = Session(Caps(parameters=100))
    (sentence,) = errors(session, "configure", settings={"hidden": [10, 10]})
    assert "151 weights and biases" in sentence
    assert "100" in sentence


def test_hello_tells_what_may_be_chosen_and_all_of_it_can_be() -> None:
    session = Session()
    hello = Message.from_bytes(session.hello().to_bytes())
    choices = hello.fields["choices"]
    for name, field in (
        ("activations", "activations"), ("inits", "init"), ("learning_rates", "learning_rate"),
        ("rates", "l1"), ("rates", "l2"), ("losses", "loss"),
    ):  # fmt: skip
        for value in choices[name]:
            one = [value, value] if field == "activations" else value
            ok(session, "configure", settings={field: one})
    for optimizer in choices["optimizers"]:
        numbers = {n["name"]: n["default"] for n in optimizer["numbers"]}
        ok(session, "configure", settings={"optimizer": optimizer["key"]})
        assert session.run.settings.optimizer_numbers == numbers
        for n in optimizer["numbers"]:
            for value in (n["least"], n["most"]):
                ok(session, "configure", settings={"optimizer_numbers": {n["name"]: value}})
    for data in choices["data"]:
        if data["plane"] and data["key"] != "painted":
            ok(session, "configure", settings={"data": data["key"], "loss": "squared"})
            assert session.state().fields["problem"] == data["problem"]
            thumb = hello.arrays[f"thumb_{data['key']}"]
            assert thumb.shape == (200, 3)
    assert set(hello.fields["theme"]["light"]) == set(hello.fields["theme"]["dark"])


def test_the_run_that_is_shown_can_be_selected_and_goes_to_its_end() -> None:
    session = Session()
    ok(session, "step", count=30)
    end = session.frame().arrays["weights"].tobytes()
    ok(session, "goto", step=4)
    ok(session, "select_run", run=0)
    assert session.frame().fields["step"] == 30
    assert session.frame().arrays["weights"].tobytes() == end


def test_a_long_way_is_gone_in_slices_and_can_be_ended() -> None:
    session = Session()
    ok(session, "configure", settings={"hidden": [64] * 6})
    session.do({"do": "step", "unit": "epoch", "count": 10_000})
    first = session.run.step
    assert first < 250_000
    assert session.advance(0.01)
    assert first < session.run.step < 250_000
    ok(session, "configure", settings={"learning_rate": 0.1})
    assert not session.advance(0.01)
    ok(session, "step", count=3)
    assert session.run.end == session.run.step


def test_painting_while_it_learns_goes_on_learning_in_one_run() -> None:
    session = Session()
    ok(session, "step")
    ok(session, "paint", points=[[x / 10, 1, int(x > 0)] for x in range(-20, 20)])
    assert not session.playing
    ok(session, "play")
    session.advance(0.05)
    runs = list(session.runs)
    for k in range(5):
        ok(session, "paint", points=[[k, -2, 1]])
        assert session.playing
        session.advance(0.01)
        assert session.run.step > 0
    assert list(session.runs) == runs
    assert session.run.number == runs[-1]
    ok(session, "paint", erase=[[0, 0, 50]])
    session.advance(0.01)
    assert session.frame().fields["step"] == 0
    ok(session, "regenerate")
    ok(session, "step")
    ok(session, "new_weights")
    assert len(session.runs) == len({run.number for run in session.runs.values()})
    assert all(number == run.number for number, run in session.runs.items())


def test_a_number_that_is_dragged_is_one_change() -> None:
    session = Session()
    ok(session, "step", count=5)
    for value in np.linspace(0, 1, 50).tolist():
        ok(session, "edit", parameter=0, place=[0, 0], value=value)
    for rate in np.linspace(0.01, 1, 50).tolist():
        ok(session, "configure", settings={"learning_rate": rate})
    events = session.state().fields["runs"][0]["events"]
    assert [event["step"] for event in events] == [5, 5]
    assert events[0]["edit"]["value"] == 1
    assert events[1]["settings"] == {"learning_rate": 1.0}
    ok(session, "edit", parameter=0, place=[0, 1], value=0)
    assert len(session.run.events) == 3


def test_the_memory_of_a_history_is_bounded() -> None:
    session = Session()
    ends = {}
    for k in range(23):
        changes = {"hidden": [64] * 6, "optimizer": "Adam", "weight_seed": k}
        ok(session, "configure", settings=changes)
        session.run.advance(20)
        ends[session.run.number] = session.run.machine.flat.data.tobytes()
    assert len(session.runs) == 20
    assert sum(run.nbytes for run in session.runs.values()) <= 16 << 20
    oldest = min(session.runs)
    ok(session, "select_run", run=oldest)
    while session.advance(0.05):
        pass
    assert session.run.machine.flat.data.tobytes() == ends[oldest]


def test_a_run_takes_so_many_changes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CHANGES", 3)
    session = Session()
    for k in range(3):
        ok(session, "step")
        ok(session, "configure", settings={"learning_rate": 0.1 + k})
    (sentence,) = errors(session, "configure", settings={"learning_rate": 1})
    assert "reset" in sentence
    ok(session, "goto", step=1)
    (sentence,) = errors(session, "edit", parameter=0, place=[0, 0], value=1)
    ok(session, "reset")
    ok(session, "configure", settings={"learning_rate": 1})


def test_where_there_is_no_batch_there_is_nothing_to_look_into() -> None:
    session = Session()
    ok(session, "link", text="#batchSize=300&seed=0.4")
    assert "fewer rows" in errors(session, "inside")[0]


def test_a_step_with_ids_and_dropout_can_be_sent() -> None:
    session = Session()
    ok(session, "configure", settings={"loss": "softmax", "dropout": 0.3})
    inside = Message.from_bytes(session.do({"do": "inside"}).to_bytes())
    assert set(inside.arrays["value t"].ravel().tolist()) <= {0, 1}


def test_a_step_that_is_too_large_to_open_leaves_none_open() -> None:
    session = Session()
    assert session.do({"do": "inside"}).kind == "inside"
    ok(session, "configure", settings={"data": "digits", "hidden": [64, 64], "batch_size": 1000})
    assert "Take a smaller batch" in errors(session, "inside")[0]
    assert "look inside first" in errors(session, "check")[0]
    assert "look inside first" in errors(session, "explain", arrow="L")[0]


def test_points_may_come_before_the_first_step_of_a_run_that_plays() -> None:
    session = Session()
    ok(session, "paint", points=[[0, 0, 1], [1, 1, 0], [2, 0, 1], [0, 2, 0]])
    ok(session, "play")
    before = session.run.number
    assert session.do({"do": "paint", "points": [[-1, 0, 1], [0, -1, 0]]}).kind == "reply"
    assert session.playing
    assert session.run.number == before
    session.advance(0.01)
    assert session.run.step > 0
    assert len(session.run.settings.points) == 6


def test_a_row_is_followed_until_there_are_other_data() -> None:
    session = Session()
    session.do({"do": "step", "unit": "epoch"})
    for row in (0, 249, 250, 499):  # the last ones are kept back for testing
        assert session.do({"do": "follow", "row": row}).fields["ok"]
        frame = session.frame()
        assert frame.fields["followed"] == row
        x = session.run.data.points(("x", "y"))[row]
        assert frame.arrays["followed"][:2].tolist() == x.tolist()
        y = frame.arrays["followed"][-1]
        t = session.run.data.targets("squared")[row, 0]
        assert frame.fields["followed_loss"] == pytest.approx((y - t) ** 2 / 2)
        inside = session.do({"do": "inside", "of": "row"})
        assert inside.arrays["batch"].tolist() == [row]
        assert inside.arrays["value L"] == pytest.approx(frame.fields["followed_loss"])
    for other in (-1, 500, 1.5, "3", True):
        assert session.do({"do": "follow", "row": other}).fields["errors"]
    assert session.frame().fields["followed"] == 499
    # Those that are read wrongly, one after the other.
    y = session.run.machine.network.predict(session.run.data.inputs(("x", "y")))[:, 0]
    wrong = np.flatnonzero((y > 0) != (session.run.data.labels == 1))
    session.do({"do": "follow", "row": int(wrong[3]) + 1, "wrong": True})
    assert session.frame().fields["followed"] == wrong[4]
    session.do({"do": "follow", "row": 499, "wrong": True})
    assert session.frame().fields["followed"] in (499, wrong[0])
    # Another network of the same data follows it still; other data none.
    session.do({"do": "configure", "settings": {"hidden": [3], "activations": ["relu"]}})
    assert session.frame().fields["followed"] is not None
    session.do({"do": "regenerate"})
    assert session.frame().fields["followed"] is None
    assert session.do({"do": "inside", "of": "row"}).fields["errors"]
    session.do({"do": "configure", "settings": {"data": "painted"}})  # nothing is painted yet
    assert session.do({"do": "follow", "row": 0}).fields["errors"]
    assert session.frame().fields["followed"] is None


def test_the_latest_step_can_be_looked_into() -> None:
    session = Session()
    assert session.do({"do": "inside", "of": "latest"}).fields["errors"]
    session.do({"do": "configure", "settings": {"optimizer": "Adam"}})
    session.do({"do": "step", "count": 30})
    coming = session.do({"do": "inside"})
    why = session.do({"do": "explain", "arrow": "W1", "element": [1, 2], "update": "p"})
    session.do({"do": "step"})
    session.do({"do": "configure", "settings": {"learning_rate": 1}})  # of the step after it
    latest = session.do({"do": "inside", "of": "latest"})
    assert latest.fields["step"] == coming.fields["step"] == 31
    assert latest.fields["steps"] == coming.fields["steps"]
    for name, array in coming.arrays.items():
        assert np.array_equal(latest.arrays[name], array), name
    again = session.do({"do": "explain", "arrow": "W1", "element": [1, 2], "update": "p"})
    assert again.fields["lines"] == why.fields["lines"]
    assert session.run.step == 31
    frame = session.frame()
    found = session.do({"do": "element", "parameter": 0, "place": [1, 2]})
    assert found.fields["gradient"] == frame.arrays["grads"][6]
    assert found.fields["gradient"] == latest.arrays["gradient W1"][1, 2]
    assert session.do({"do": "element", "parameter": 0, "place": [2, 0]}).fields["errors"]


def test_a_large_network_tells_single_gradients_only() -> None:
    session = Session()
    session.do(
        {"do": "configure", "settings": {"hidden": [64, 64, 64], "activations": ["tanh"] * 3}}
    )
    session.do({"do": "step", "count": 3})
    assert "grads" not in session.frame().arrays
    found = session.do({"do": "element", "parameter": 1, "place": [5, 7]}).fields
    machine = session.run.machine
    assert found["gradient"] == machine.flat.parameters[1].grad[5, 7]


def test_the_programs_of_an_open_step_name_its_operations() -> None:
    session = Session()
    assert session.do({"do": "code"}).fields["errors"]
    inside = session.do({"do": "inside", "detail": True})
    code = session.do({"do": "code", "lang": "zh"}).fields
    known = {
        f"{'backward' if step['phase'] == 'backward' else 'forward'} {step['origin']}"
        for step in inside.fields["steps"]
        if step["phase"] != "update"
    }
    for program in ("numpy", "kernel"):
        named = {key for line in code[program] for key in line["of"]}
        assert named - {"update"} <= known
        assert "update" in named
        assert len(named) > 15
    assert code["why"] is None
