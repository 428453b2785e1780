"""What training says while it runs and when it ends, in both languages and to every reader."""

from __future__ import annotations

import copy
import io
import json
import pickle
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import NonFiniteError
from chainrule.lang.messages import in_language
from chainrule.text_width import cells_wide
from chainrule.training.choice import choose, engine_line
from chainrule.training.cost import step_estimate
from chainrule.training.progress import Progress, _brief

X, T = cr.datasets.spiral()


def net() -> cr.Sequential:
    return cr.TwoLayerNet(2, 4, 3)


class ByHand:
    """A layer in the chapter's way."""

    def __init__(self) -> None:
        self.params: list[Any] = []
        self.grads: list[Any] = []

    def forward(self, x: Any) -> Any:
        return x

    def backward(self, dout: Any) -> Any:
        return dout


def interval_score(outputs: Any, t: Any) -> float:
    return 0.5


def test_the_lines_of_a_training_are_in_the_language_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lines(lang: str | None = None) -> str:
        metrics: list[Any] = ["accuracy", interval_score]
        cr.Trainer(net(), engine="numpy").fit(
            X, T, 1, validation=0.2, metrics=metrics, progress="lines", lang=lang
        )
        return capsys.readouterr().err

    english = lines()
    assert english.startswith("epoch 1/1: loss ")
    assert ", held-out loss " in english
    assert ", held-out accuracy " in english
    assert english.endswith(", held-out interval_score 0.5000\n")
    chinese = lines("zh")
    assert chinese.startswith("第 1/1 轮：损失 ")
    assert "，验证集损失 " in chinese
    assert "，验证集准确率 " in chinese
    assert "，验证集 interval_score " in chinese
    monkeypatch.setenv("CHAINRULE_LANG", "zh")
    assert lines() == chinese
    assert lines("en") == english


def test_beside_a_bar_stands_as_much_as_there_is_room_for() -> None:
    epoch = {"loss": 0.5, "accuracy": 0.75, "val_loss": 0.75, "val_score": 0.9, "lr": 0.1}
    assert (
        _brief(epoch, None) == "held-out score 0.9000, loss 0.5000, held-out loss 0.7500, acc 75.0%"
    )
    assert (
        _brief(epoch, None, "zh")
        == "验证集 score 0.9000，损失 0.5000，验证集损失 0.7500，准确率 75.0%"
    )
    assert _brief(epoch, 32, "zh") == "验证集 score 0.9000，损失 0.5000"  # 32 cells of a terminal
    assert _brief(epoch, 31, "zh") == "验证集 score 0.9000"


def test_why_a_training_ended_is_kept_and_can_be_said_in_both_languages() -> None:
    stopping = cr.EarlyStopping("loss", 2, min_delta=1.0)
    trainer = cr.Trainer(net(), engine="numpy")
    history = trainer.fit(X, T, 9, early_stopping=stopping, progress=None)
    for twin in (history, pickle.loads(pickle.dumps(history)), copy.deepcopy(history)):
        assert twin.stopped == "loss has not improved for 2 epochs"
        assert in_language(twin.stopped, "zh") == "loss 已有 2 轮没有改善"
        assert not twin.interrupted
    assert json.loads(json.dumps({"stopped": history.stopped}))["stopped"] == history.stopped
    again = pickle.loads(pickle.dumps(trainer)).history
    assert in_language(again.stopped, "zh") == "loss 已有 2 轮没有改善"


def test_a_history_knows_whether_it_was_interrupted() -> None:
    trainer = cr.Trainer(net(), engine="numpy")
    history = trainer.fit(X, T, 3, callbacks=[cr.Trainer.interrupt], progress=None)
    assert history.interrupted
    assert len(history) == 1
    assert history.stopped == "interrupted by Ctrl-C"
    assert in_language(history.stopped, "zh") == "被 Ctrl-C 中断"
    trainer.fit(X, T, 1, callbacks=[lambda trainer: trainer.stop("enough")], progress=None)
    assert history.stopped == "enough"
    assert in_language(history.stopped, "zh") == "enough"
    assert not history.interrupted


def test_each_reader_is_told_what_that_reader_can_do() -> None:
    model = cr.Sequential(cr.Affine.sized(2, 3), loss=cr.MeanSquaredError())
    with pytest.raises(NonFiniteError) as caught:
        cr.Trainer(model, cr.SGD(lr=1e30), engine="numpy").fit(
            np.ones((6, 2)), np.ones((6, 3)), 5, 3, progress=None
        )
    error = caught.value
    happened = (
        "Training stopped in epoch 1, batch 2 of 2: the loss is inf. The first non-finite values are in"
        " mul of the loss (MeanSquaredError), rows 0, 1, 2 of the batch."
    )
    assert str(error) == (
        f"{happened} The parameters are those before this batch. Lower the learning rate (now 1e+30),"
        " clip the gradients (max_grad=1.0), or look at the scale of the data."
    )
    assert error.said("en", "command") == (
        f"{happened} The parameters are those before this batch. Lower the learning rate (now 1e+30) or"
        " look at the scale of the data."
    )
    assert error.said("en", "page") == happened
    assert error.said("zh", "page") == (
        "训练停在第 1 轮的第 2 批（共 2 批）：损失为 inf。最先出现非有限数的位置："
        "损失函数（MeanSquaredError）中的 mul，在这一批的第 0、1、2 行。"
    )
    assert "max_grad" not in error.said("zh", "command")


def test_an_error_while_held_out_rows_are_evaluated_stays_a_message() -> None:
    model = cr.Sequential(cr.Affine.sized(2, 3), loss=cr.MeanSquaredError())
    far = np.full((1, 2), 1e38), np.ones((1, 3))
    with pytest.raises(NonFiniteError, match=r"held-out rows were evaluated\. MeanSq") as caught:
        cr.Trainer(model, engine="numpy").fit(
            np.ones((6, 2)), np.ones((6, 3)), 1, validation=far, progress=None
        )
    assert caught.value.said("zh").startswith(
        "训练在第 1 轮之后停止，当时正在评估验证集。MeanSquaredError：输出都是有限数"
    )


class Terminal(io.StringIO):
    """A terminal, as wide as COLUMNS says."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("columns", [30, 40, 60, 80, 120])
def test_progress_fits_the_terminal(
    lang: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    progress = Progress("bar", 256, 8, lang)
    progress.bar.dynamic_ncols, progress.bar.ncols = None, columns
    progress.say(cr.Recipe(60, 0.1).told)
    figures = {"loss": 0.5, "val_loss": 0.75, "val_accuracy": 0.9}
    for epoch in range(1, 257):
        progress._done += 8
        progress.epoch(epoch, figures)
    progress.close()
    shown = terminal.getvalue()
    lines = [line for part in shown.split("\n") for line in part.split("\r")]
    assert max(map(cells_wide, lines)) <= columns
    if columns >= 40:
        assert ("held-out 90.0%" if lang == "en" else "验证集准确率 90.0%") in lines[-2]
    if columns == 40 or columns >= 80:
        assert ("|" in lines[-2]) == (columns >= 80), lines[-2]


def test_notes_on_a_terminal_break_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "16")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    Progress("notes", 1, 1).say("a line that is too long")
    assert terminal.getvalue() == "a line that is\ntoo long\n"


@pytest.mark.parametrize("least", [1, 1000, None])
def test_the_engine_that_is_told_is_the_one_that_runs(
    least: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of steps whose number is found while training, from `least` to the most."""
    monkeypatch.delenv("CHAINRULE_ENGINE", raising=False)
    trainer = cr.Trainer(net(), cr.SGD(0.1))
    x, t, _none = trainer.model._prepare(X, T)
    enough = step_estimate(trainer, x, t, None).least_steps
    assert choose(trainer, x, t, None, enough - 1).engine == "numpy"
    assert choose(trainer, x, t, None, enough).engine == "compiled"
    most = 10 * enough
    line = engine_line(trainer, x, t, None, most, least)
    if least is None:
        assert line.startswith("compiled; compiling takes ")
        assert "up to" not in line
    else:
        assert line.startswith(
            f"NumPy, or compiled if the recipe that is found takes {enough:,} steps or more: compiling"
        )
    assert "and saves up to " in engine_line(trainer, x, t, None, 100 * most, enough)
    assert engine_line(trainer, x, t, None, enough - 1, least).startswith("NumPy, as compiling")


def test_the_engine_and_why_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = engine_line(cr.Trainer(net(), engine="numpy"), X, T, None, 10)
    assert (asked, asked.said("zh")) == ("NumPy, as asked", "NumPy（按指定）")
    monkeypatch.delenv("CHAINRULE_ENGINE", raising=False)
    line = engine_line(cr.Trainer(ByHand()), X, T, None, 10)
    assert line == "NumPy, as the model is written by hand, in Python"
    assert line.said("zh") == "NumPy（模型是用 Python 手写的）"


def test_recipes_are_told_in_the_language_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = cr.schedules.Cosine(0.01, steps=1)
    trainer = cr.Trainer(net(), cr.AdamW(rate), engine="numpy")
    recipes = [cr.Recipe(2, 0.1), cr.Recipe(1, 1.0)]
    cr.choose_recipe(trainer, X, T, recipes, folds=1, lang="zh")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("2 轮，权重衰减 0.1：在留出的训练行上，损失为 ")
    assert second.startswith("1 轮，权重衰减 1：")
    assert str(recipes[1]) == "1 epoch, weight decay 1"
    monkeypatch.setenv("CHAINRULE_LANG", "zh")
    assert str(recipes[1]) == "1 轮，权重衰减 1"


def test_histograms_look_into_functions_and_layers_by_hand() -> None:
    model = cr.Sequential(
        cr.Affine.sized(2, 4), cr.tanh, ByHand(), cr.Affine.sized(4, 3), loss=cr.SoftmaxWithLoss()
    )
    seen = cr.Histograms()
    cr.Trainer(model, engine="numpy").fit(X, T, 1, callbacks=[seen], progress=None)
    assert [r.layer for r in seen.records[:2]] == ["0 Affine, tanh, ByHand", "3 Affine"]
