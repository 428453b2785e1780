"""`chainrule tune`: settings by trials, in real processes, which are killed, interrupted and gone on with."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.cli.driver import as_json, good, run

from chainrule.cli.data_options import DataOptions
from chainrule.cli.data_source import open_source
from chainrule.cli.split import divide
from chainrule.cli.train_preset import SmallTableWay
from chainrule.errors import NonFiniteError
from chainrule.files import load_model

optuna = pytest.importorskip("optuna")
sqlalchemy = pytest.importorskip("sqlalchemy")

import chainrule.cli.tune_run as tune_run  # noqa: E402
from chainrule.cli.tune_optuna import quiet_optuna  # noqa: E402
from chainrule.cli.tune_study import _Sampler, _storage  # noqa: E402
from chainrule.cli.tune_trial import params_of, suggested, try_out  # noqa: E402
from chainrule.training.ranges import RANGES, Range  # noqa: E402

#: As the command, with signs of life that come and are missed sooner.
COMMAND = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "import chainrule.cli.tune_study as study; study.HEARTBEAT, study.GRACE = 1, 3;"
    "from chainrule.cli import chainrule; chainrule.main(sys.argv[1:])"
)
SMALL = ("--preset", "table-small", "--hidden", "4", "--epochs", "4", "--engine", "numpy")
LONG = ("--preset", "table-small", "--hidden", "4", "--epochs", "1200", "--engine", "numpy")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 3))
    lines = [f"{a:.4f},{b:.4f},{c:.4f},{a - b * c:.4f},{'ab'[int(a > b)]}" for a, b, c in x]
    Path("t.csv").write_text("u,v,w,y,kind\n" + "\n".join(lines) + "\n")
    return tmp_path


def tuned(*args: str, target: str = "y", left_out: str = "kind") -> Any:
    return as_json("tune", "t.csv", "--target", target, "--without", left_out, *args)


def study_of(storage: str, name: str = "t") -> Any:
    with quiet_optuna():
        return optuna.load_study(study_name=name, storage=f"sqlite:///{storage}")


def arrays(model: str) -> dict[str, Any]:
    return {k: p.data for k, p in load_model(model).network.named_parameters().items()}


def same_bits(one: str, other: str) -> bool:
    a, b = arrays(one), arrays(other)
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


# -- what is tried -----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["y", "kind"])
@pytest.mark.parametrize("preset", ["table-small", "plain"])
def test_the_presets_own_settings_come_first_and_the_best_is_kept(preset: str, target: str) -> None:
    other = {"y": "kind", "kind": "y"}[target]
    more = ("--preset", preset, "--engine", "numpy", "--trials", "6")
    limits = ("--hidden", "4") if preset == "plain" else ("--hidden", "4", "--epochs", "4")
    told = tuned(*more, *limits, target=target, left_out=other)
    best = min if target == "y" else max
    complete = [t for t in told["trials"] if not t["pruned"]]
    facts = told["tuning"]
    name = "rmse" if target == "y" else "accuracy"
    assert facts[name] == best(t["score"] for t in complete)
    assert facts["trials"] == len(told["trials"]) == 6
    if preset == "plain":
        plan = as_json("train", "t.csv", "--target", target, "--without", other, "--hidden", "4",
                       "--out", "p.safetensors")  # fmt: skip
        recipes = [(r["epochs"], r["weight_decay"]) for r in plan["training"]["tried"]]
        first = [(t["values"]["epochs"], t["values"]["weight_decay"]) for t in told["trials"][:3]]
        assert [decay for _, decay in first] == [decay for _, decay in recipes]
    else:
        values = told["trials"][0]["values"]
        assert (values["dropout"], values["weight_decay"], values["beta2"]) == (0, 0, 0.95)
    kept = load_model(told["model"])
    assert kept.facts["tuning"] == facts
    assert kept.facts["made_by"] == "chainrule tune"


@pytest.mark.parametrize("preset", ["table-small", "plain"])
def test_the_line_that_is_shown_trains_the_same_model(preset: str) -> None:
    out = good("tune", "t.csv", "--target", "kind", "--without", "y", *SMALL[2:], "--preset", preset,
               "--trials", "5", "--out", "best.safetensors")  # fmt: skip
    line = out.splitlines()[-1].strip()
    assert line.startswith("chainrule train t.csv")
    good(*shlex.split(line)[1:], "--out", "again.safetensors")
    assert same_bits("best.safetensors", "again.safetensors")
    assert "tuning" in good("inspect", "best.safetensors")


def test_same_seed_same_trials_and_a_study_gone_on_with_is_as_one_in_a_run() -> None:
    def without_times(told: Any) -> list[Any]:
        return [{k: v for k, v in trial.items() if k != "seconds"} for trial in told["trials"]]

    straight = tuned(*SMALL, "--trials", "14", "--out", "a.safetensors")
    tuned(*SMALL, "--trials", "5", "--out", "b.safetensors")
    resumed = tuned(*SMALL, "--trials", "14", "--out", "b.safetensors", "--resume", "--force")
    assert without_times(straight) == without_times(resumed)
    assert same_bits("a.safetensors", "b.safetensors")
    other = tuned(*SMALL, "--trials", "5", "--out", "c.safetensors", "--seed", "1")
    assert without_times(other)[1:] != without_times(straight)[1:5]


def test_the_rows_held_out_play_no_part() -> None:
    """Other targets in the rows held out: the same trials, with the same scores."""
    first = tuned(*SMALL, "--trials", "6", "--out", "a.safetensors")
    table = open_source("t.csv", DataOptions())[0].drop("kind")
    held = divide(table, "y", "auto", 0.2, 0, "fill").held
    lines = Path("t.csv").read_text().splitlines()
    for row in held:
        cells = lines[1 + row].split(",")
        lines[1 + row] = ",".join([*cells[:3], f"{10 * float(cells[3]):.4f}", cells[4]])
    Path("t.csv").write_text("\n".join(lines) + "\n")
    second = tuned(*SMALL, "--trials", "6", "--out", "b.safetensors")
    assert [t["score"] for t in first["trials"]] == [t["score"] for t in second["trials"]]
    assert first["held_out"] != second["held_out"]


def test_the_score_is_that_of_a_training_by_the_command() -> None:
    told = tuned(*SMALL, "--trials", "1")
    good("train", "t.csv", "--target", "y", "--without", "kind", *SMALL, "--out", "one.safetensors",
         "--quiet")  # fmt: skip
    assert same_bits(told["model"], "one.safetensors")


def test_a_setting_that_is_given_is_not_tuned() -> None:
    told = tuned(*SMALL, "--lr", "0.123", "--trials", "3")
    assert "lr" not in told["trials"][2]["values"]
    assert told["training"]["lr"] == 0.123
    every = [*SMALL, "--lr", "0.1", "--dropout", "0", "--weight-decay", "0", "--beta2", "0.9"]
    result = run("tune", "t.csv", "--target", "y", *every, "--study", "x")
    assert result.exit_code == 2
    assert "nothing to tune" in result.stderr


def test_bad_trials_are_ended_early() -> None:
    told = as_json("tune", "iris", "--hidden", "8", "--trials", "14", "--engine", "numpy")
    pruned = [t for t in told["trials"] if t["pruned"]]
    assert pruned
    for trial in pruned:
        parts = 5
        assert trial["epochs"] < parts * trial["values"]["epochs"]
        assert trial["number"] >= 5


def test_a_loss_that_is_not_finite_ends_its_trial_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    train = SmallTableWay.train

    def out_of_bounds(self: Any, *args: Any) -> Any:
        calls.append(0)
        if len(calls) > 1 or all_of_them:
            raise NonFiniteError("∞")
        return train(self, *args)

    all_of_them = False
    monkeypatch.setattr(SmallTableWay, "train", out_of_bounds)
    told = tuned(*SMALL, "--trials", "3")
    assert [t["pruned"] for t in told["trials"]] == [False, True, True]
    assert [t["score"] is None for t in told["trials"]] == [False, True, True]
    all_of_them = True
    result = run("tune", "t.csv", "--target", "y", *SMALL, "--trials", "2", "--study", "none")
    assert result.exit_code == 2
    assert "no loss was finite" in result.stderr


@pytest.mark.parametrize("name", list(RANGES))
def test_what_is_put_first_is_what_is_asked_for(name: str) -> None:
    rng = np.random.default_rng(0)
    for one in RANGES[name]:
        for value in [one.drawn(rng) for _ in range(20)]:
            trial = optuna.trial.FixedTrial(params_of(one, value))
            assert suggested(trial, one) == pytest.approx(value, abs=1e-12), one.name


def test_processes_draw_by_the_number_of_the_trial() -> None:
    def drawn(seed: int) -> list[float]:
        study = optuna.create_study(sampler=_Sampler(seed))
        return [study.ask().suggest_float("x", 0, 1) for _ in range(4)]

    with quiet_optuna():
        assert drawn(0) == drawn(0)
        assert len(set(drawn(0) + drawn(1))) == 8


# -- the study ---------------------------------------------------------------------------------------


def refused(*args: str) -> str:
    result = run("tune", "t.csv", "--target", "y", *args)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return result.stderr


def test_a_study_of_something_else_is_refused_with_what_differs() -> None:
    good("tune", "t.csv", "--target", "y", *SMALL, "--trials", "1", "--out", "a.safetensors")
    where = ("--out", "b.safetensors", "--storage", "a.tuning.sqlite")
    told = refused(*SMALL, *where)
    assert "has a study 't' already, of 1 trial" in told
    assert "--resume" in told
    resume = (*where, "--resume")
    assert "seed 0 there, 4 here" in refused(*SMALL, *resume, "--seed", "4")
    assert "lr none there, 0.5 here" in refused(*SMALL, *resume, "--lr", "0.5")
    assert "validation 0.2 there, 0.3 here" in refused(*SMALL, *resume, "--validation", "0.3")
    assert "without [] there" in refused(*SMALL, *resume, "--without", "u")
    with open("t.csv", "a") as file:
        file.write("1,2,3,4,a\n")
    told = refused(*SMALL, *resume)
    assert "data " in told
    assert "fingerprint" not in told
    assert not Path("b.safetensors").exists()


def test_a_study_of_other_hands_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chainrule.cli.tune_study.BEGINNING", 0.2)
    with quiet_optuna():
        optuna.create_study(study_name="t", storage="sqlite:///a.db")
    told = refused(*SMALL, "--storage", "a.db", "--resume")
    assert "was not made by `chainrule tune`" in told


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--storage", "no/where.db"), "unable to open database file"),
        (("--storage", "t.csv"), "--storage: t.csv is the data itself"),
        (("--storage", "text.txt"), "not a database"),
        (("--storage", "nonsense://me:secret@host/x"), "nonsense://me:***@host/x"),
        (("--storage", "postgresql://me:secret@host/x"), "me:***@host"),
        (("--timeout", "soon"), "give a time above 0 such as 90s, 30m or 2h"),
        (("--timeout", "0"), "give a time above 0"),
        (("--trials", "0"), "--trials: got '0'"),
        (("--plot", "plot.txt"), "a picture is written as one of"),
        (("--preset", "plain", "--sigma", "1"), "--sigma is for --preset table"),
        (("--preset", "table-small", "--sigma", "1"), "table-small has no --sigma"),
        (("--preset", "table", "--activation", "tanh"), "that is for --preset plain"),
    ],
)
def test_what_cannot_be_is_refused(args: tuple[str, ...], words: str) -> None:
    Path("text.txt").write_text("no database, but words\n" * 40)
    told = refused(*args)
    assert words in told
    assert "secret" not in told
    assert not list(Path().glob("*.safetensors"))


def test_too_few_rows_are_refused() -> None:
    Path("t.csv").write_text("u,y\n" + "".join(f"{i},{i}.5\n" for i in range(20)))
    assert "too few to compare settings by" in refused()


def test_without_optuna_the_extra_is_named() -> None:
    code = "import sys; sys.modules['optuna'] = None; from chainrule.cli import chainrule; "
    code += "chainrule.main(['tune', 't.csv', '--target', 'y'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'chainrule[tune]'" in done.stderr
    assert done.stderr.count("\n") == 1


# -- what is shown -----------------------------------------------------------------------------------


def test_the_table_the_plot_and_the_report() -> None:
    pytest.importorskip("matplotlib")
    files = ("--plot", "p.svg", "--report", "r.html")
    result = run(
        "tune", "t.csv", "--target", "kind", "--without", "y", *SMALL, "--trials", "7", *files
    )
    assert result.exit_code == 0, result.output
    assert "trial  score" in result.stdout
    assert "label smoothing" in result.stdout
    assert result.stderr.count("\n") >= 7
    assert "7/7: trial 6: " in result.stderr
    assert "epoch 1/4" not in result.stderr
    assert "Trial" not in result.stderr  # Optuna's own words
    assert "<svg" in Path("p.svg").read_text("utf-8")
    page = Path("r.html").read_text("utf-8")
    assert "<h2>Tuning</h2>" in page
    assert "best so far" in page


def test_quiet_says_nothing() -> None:
    result = run("tune", "t.csv", "--target", "y", *SMALL, "--trials", "2", "--quiet")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_after_the_time_no_trial_begins() -> None:
    told = tuned(*SMALL, "--timeout", "0.001s")
    assert len(told["trials"]) == 1


# -- processes ---------------------------------------------------------------------------------------


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def begin(*args: str) -> subprocess.Popen[str]:
        line = [sys.executable, "-c", COMMAND, "tune", "t.csv", "--target", "y", *args]
        child = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(child)
        return child

    yield begin
    for child in running:
        if child.poll() is None:
            child.kill()
        child.communicate()


def wait_for(done: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.1)


def states(storage: str) -> list[str]:
    try:
        return [
            t.state.name for t in study_of(storage).trials if t.user_attrs or t.state.is_finished()
        ]
    except (KeyError, OSError, sqlalchemy.exc.SQLAlchemyError):
        return []  # not there yet


def test_two_processes_share_a_study_and_a_killed_trial_is_tried_again(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    line = (*LONG, "--trials", "5", "--storage", "s.db", "--resume")
    one = start(*line, "--out", "one.safetensors", "--json")
    other = start(*line, "--out", "other.safetensors", "--json")
    wait_for(lambda: states("s.db").count("RUNNING") == 2)
    os.kill(other.pid, signal.SIGKILL)
    out, err = one.communicate(timeout=120)
    assert one.returncode == 0, err
    study = study_of("s.db")
    failed = [t for t in study.trials if t.state.name == "FAIL"]
    assert len(failed) == 1
    again = [t for t in study.trials if failed[0].number in t.system_attrs.get("retry_history", [])]
    assert [t.state.name for t in again] in (["COMPLETE"], ["PRUNED"])
    assert again[0].params == failed[0].params
    told = json.loads(out)
    assert len(told["trials"]) == 5
    assert not {t.state.name for t in study.trials} - {"COMPLETE", "PRUNED", "FAIL"}
    assert not Path("other.safetensors").exists()
    assert load_model("one.safetensors").facts["tuning"]["trials"] == 5


def test_two_processes_end_with_the_same_model(start: Callable[..., subprocess.Popen[str]]) -> None:
    line = (*LONG, "--trials", "4", "--storage", "s.db", "--resume", "--quiet")
    both = [start(*line, "--out", f"{name}.safetensors") for name in "ab"]
    for child in both:
        _out, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
    assert same_bits("a.safetensors", "b.safetensors")
    assert len(study_of("s.db").trials) == 4


def test_ctrl_c_keeps_the_best_and_the_trial_is_tried_again(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    child = start(*LONG, "--trials", "50", "--out", "m.safetensors")
    wait_for(lambda: states("m.tuning.sqlite")[-2:] == ["COMPLETE", "RUNNING"])
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "Stopped: " in err
    assert "--resume --force" in err
    assert "held-out R²" in out
    before = study_of("m.tuning.sqlite").trials
    ended = [t for t in before if t.state.name in ("COMPLETE", "PRUNED")]
    assert [t.state.name for t in before][len(ended) :] == ["FAIL", "WAITING"]
    assert load_model("m.safetensors").facts["tuning"]["trials"] == len(ended)
    more = str(len(ended) + 1)
    end = start(*LONG, "--trials", more, "--out", "m.safetensors", "--resume", "--force")
    _out, err = end.communicate(timeout=60)
    assert end.returncode == 0, err
    after = study_of("m.tuning.sqlite").trials
    assert after[-1].params == before[-2].params
    assert len(after) == len(before)


def test_a_trial_that_another_process_took_over_does_not_end_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine that slept comes back to a trial that counts as killed."""
    slept: list[int] = []

    def sleeps(plan: Any, values: Any, trial: Any, *rest: Any) -> Any:
        if trial.number == 1 and not slept:
            slept.append(trial.number)
            study_of("t.tuning.sqlite")._storage.set_trial_state_values(
                trial._trial_id, optuna.trial.TrialState.FAIL
            )
        return try_out(plan, values, trial, *rest)

    monkeypatch.setattr(tune_run, "try_out", sleeps)
    result = run("tune", "t.csv", "--target", "y", *SMALL, "--trials", "3")
    assert result.exit_code == 0, result.output
    assert "trial 1 gave no sign of life" in result.stderr
    assert [t.state.name for t in study_of("t.tuning.sqlite").trials][1] == "FAIL"


def test_a_range_has_text_for_people() -> None:
    assert (
        Range("x", 0.1, 0.2, "log", or_zero=True).told.said("en") == "0, or 0.1 to 0.2, logarithmic"
    )
    assert Range("x", choices=(1, 2)).told.said("zh") == "1 或 2"


def test_no_two_processes_take_the_same_trial() -> None:
    """Not even if both look, before either says that it has taken it."""
    url, running = "sqlite:///t.sqlite", optuna.trial.TrialState.RUNNING
    with quiet_optuna():
        storages = [_storage(url) for _ in range(2)]
        study = optuna.create_study(storage=storages[0])
        study.enqueue_trial({"lr": 0.1})
        (waiting,) = study.get_trials()
    looked, taken = threading.Barrier(2), []

    def take(storage: Any) -> None:
        check = storage.check_trial_is_updatable

        def look(*trial: Any) -> None:
            with suppress(threading.BrokenBarrierError):  # the other one has to wait
                looked.wait(0.5)
            check(*trial)

        storage.check_trial_is_updatable = look
        taken.append(storage.set_trial_state_values(waiting._trial_id, running))

    threads = [threading.Thread(target=take, args=(storage,)) for storage in storages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, True]
