"""The first minute: which engine it takes, what it says before it takes long, whose fonts it needs."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib import font_manager
from tests.cli.driver import good, run

import chainrule as cr
from chainrule import figures
from chainrule.drawing.fonts import lacks_font
from chainrule.engine.compiled import cache, folder
from chainrule.engine.cost import Estimate, Work, duration, estimate
from chainrule.errors import ExtraMissingError
from chainrule.training.choice import Choice, choose
from chainrule.training.cost import step_estimate

Array = npt.NDArray[Any]
AUTOGRAD = pytest.mark.source("HIPS/autograd examples/rnn.py")
MICROGRAD = pytest.mark.source("karpathy/micrograd demo.ipynb")
MINUTE = pytest.mark.source("a fresh machine's first minute")
#: What compiling takes: it is not said to the tenth.
SHORT = r"(about \d+ s|less than a second)"


class Recurrent(cr.Network):
    """An unrolled loop over time steps."""

    def __init__(self, steps: int) -> None:
        super().__init__(loss=cr.SoftmaxWithLoss(), seed=0)
        self.steps = steps
        self.into, self.on = cr.Affine.sized(3, 16), cr.MatMul.sized(16, 16)
        self.out = cr.Affine.sized(16, 4)

    def predict(self, x: Any) -> Any:
        steps = x.reshape(-1, self.steps, 3)
        h = cr.tanh(self.into(steps[:, 0]))
        for i in range(1, self.steps):
            h = cr.tanh(self.into(steps[:, i]) + self.on(h))
        return self.out(h)


def sequences(steps: int, rows: int = 64) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, 3 * steps)).astype(np.float32), rng.integers(0, 4, rows)


def spiral() -> tuple[Array, Array]:
    x, t = cr.datasets.spiral()
    return x.astype(np.float32), t


@pytest.fixture
def auto(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that strangers get, and a compiler that must not be asked."""
    monkeypatch.delenv("CHAINRULE_ENGINE", raising=False)

    def compiles(*given: Any, **more: Any) -> Any:
        raise AssertionError("it compiles")

    monkeypatch.setattr(cache, "obtain", compiles)


# -- which engine -----------------------------------------------------------------------------------


@MICROGRAD
@pytest.mark.usefixtures("auto")
def test_a_second_of_work_compiles_nothing() -> None:
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(lr=1.0))
    trainer.fit(*spiral(), 300, 30, progress=None)
    assert trainer.engine_used == "numpy"
    told = r"compiling it would take (less than a second|about 1 s), and save less than a second"
    assert re.fullmatch(told, trainer.engine_reason or "")
    assert trainer.evaluate(*spiral())["accuracy"] > 0.9


@AUTOGRAD
@pytest.mark.usefixtures("auto")
def test_an_unrolled_loop_says_how_long() -> None:
    trainer = cr.Trainer(Recurrent(29), cr.Adam(0.01))
    trainer.fit(*sequences(29), 2, 32, progress=None)
    assert trainer.engine_used == "numpy"
    assert re.match("compiling it would take about 1 s", trainer.engine_reason or "")
    trainer.predict(sequences(29)[0])
    assert cr.check(trainer.model, *sequences(29, 8)).ok


def chosen(trainer: cr.Trainer, data: tuple[Array, Array], steps: int) -> Choice:
    x, t, w = trainer.model._prepare(*data)
    return choose(trainer, x, t, w, steps)


@MINUTE
@pytest.mark.parametrize(
    ("make", "data", "few", "many"),
    [
        (lambda: cr.TwoLayerNet(2, 10, 3), spiral, 3_000, 1_000_000),
        (lambda: Recurrent(6), lambda: sequences(6), 1_000, 1_000_000),
        (lambda: Recurrent(29), lambda: sequences(29), 1_000, 100_000_000),
    ],
)
def test_long_work_takes_the_compiled_engine(
    make: Callable[[], cr.Network], data: Callable[[], Any], few: int, many: int, auto: None
) -> None:
    trainer = cr.Trainer(make(), cr.Adam(0.01))
    x, t = data()
    batch = x[:32], t[:32]
    assert chosen(trainer, batch, few).engine == "numpy"
    assert chosen(trainer, batch, many) == Choice("compiled")
    # There is one place where it changes, and no other.
    found = step_estimate(trainer, *trainer.model._prepare(*batch))
    edge = int(found.compiling / (found.numpy - found.compiled))
    assert few < edge < many
    assert chosen(trainer, batch, edge - 1).engine == "numpy"
    assert chosen(trainer, batch, edge + 1).engine == "compiled"


@MINUTE
def test_the_choice_asks_neither_a_clock_nor_the_cache(
    monkeypatch: pytest.MonkeyPatch, auto: None
) -> None:
    def refuse(*given: Any) -> Any:
        raise AssertionError("the same training could take another engine next time")

    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(lr=1.0))
    for name in ("time", "monotonic", "perf_counter", "process_time"):
        monkeypatch.setattr(time, name, refuse)
    monkeypatch.setattr(folder, "folder", refuse)
    monkeypatch.setattr(cache, "folder", refuse)
    for threads in ("1", "2", "64"):
        monkeypatch.setenv("CHAINRULE_NUM_THREADS", threads)
        assert chosen(trainer, spiral(), 3_000).engine == "numpy"
        assert chosen(trainer, spiral(), 10**7).engine == "compiled"


@MINUTE
def test_who_says_compiled_gets_it(auto: None) -> None:
    for make in (lambda: cr.TwoLayerNet(2, 10, 3), lambda: Recurrent(2)):
        trainer = cr.Trainer(make(), cr.SGD(), engine="compiled")
        data = spiral() if isinstance(trainer.model, cr.Sequential) else sequences(2)
        assert chosen(trainer, data, 1) == Choice("compiled")


@MINUTE
def test_many_short_fits_are_one_long_one(auto: None) -> None:
    """A loop of fits of one epoch compiles when they have come to be worth it."""
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(lr=0.1))
    assert chosen(trainer, spiral(), 100).engine == "numpy"
    trainer.history.reserve(10**6)
    trainer.history.add_steps(np.zeros(10**6))
    assert chosen(trainer, spiral(), 100).engine == "compiled"


@MINUTE
def test_a_layer_by_hand_is_the_reason_whatever_it_would_save(auto: None) -> None:
    class ByHand:
        params: list[Array] = []  # noqa: RUF012 - as the chapter writes it
        grads: list[Array] = []  # noqa: RUF012

        def forward(self, x: Array) -> Array:
            self.out: Array = np.tanh(x)
            return self.out

        def backward(self, dout: Array) -> Array:
            dx: Array = dout * (1 - self.out**2)
            return dx

    layers = [cr.Affine.sized(2, 4), ByHand(), cr.Affine.sized(4, 3)]
    trainer = cr.Trainer(cr.Sequential(*layers, loss=cr.SoftmaxWithLoss(), seed=0), cr.SGD())
    trainer.fit(*spiral(), 1, 30, progress=None)
    assert trainer.engine_reason == "ByHand is written by hand, in Python"


@MINUTE
def test_more_work_never_costs_less() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        one = Work(*(int(n) for n in rng.integers(1, 10**6, 4)))
        other = Work(*(int(n) for n in rng.integers(0, 10**6, 4)))
        both, alone = estimate(one + other), estimate(one)
        assert both.compiling >= alone.compiling
        assert both.numpy >= alone.numpy
        assert both.compiled >= alone.compiled
        assert alone.numpy > alone.compiled  # as compiled code does all that NumPy does
    found = Estimate(compiling=10.0, numpy=2e-4, compiled=1e-4, by_hand=False)
    assert [found.pays(n) for n in (0, 1, 10**5 - 1, 10**5 + 1)] == [False, False, False, True]
    slow = Estimate(compiling=10.0, numpy=1e-4, compiled=2e-4, by_hand=False)
    assert not slow.pays(10**9)
    assert slow.saved(10**9) == 0


@MINUTE
def test_the_optimizer_and_the_batch_count_too() -> None:
    def step(optimizer: cr.Optimizer, rows: int) -> Estimate:
        trainer = cr.Trainer(cr.TwoLayerNet(2, 100, 3), optimizer)
        x, t, w = trainer.model._prepare(*(a[:rows] for a in spiral()))
        return step_estimate(trainer, x, t, w)

    plain, adam, more = step(cr.SGD(), 30), step(cr.Adam(), 30), step(cr.SGD(), 300)
    assert plain.numpy < adam.numpy
    assert plain.compiling < adam.compiling
    assert plain.numpy < more.numpy
    assert plain.compiling == more.compiling  # kernels are for batches of any size


@AUTOGRAD
@pytest.mark.parametrize(
    ("seconds", "told"),
    [(11.6, "about 12 s"), (373.0, "about 6 minutes"), (7200, "about 2.0 hours")],
)
def test_before_compiling_it_is_said_how_long(
    seconds: float, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    said: list[str] = []
    made: list[Path] = []

    def make(path: Path) -> cache.Code:
        made.append(path)
        return cache.Code("symbol", b"code")

    for name in ("one", "one"):
        cache._obtained.clear()
        cache.obtain("source", name, [], make, lambda code: code, said.append, lambda: seconds)
    assert said == [f"Compiling for this kind of network: {told}, once."]
    assert len(made) == 1


@MINUTE
def test_times_are_told_in_words_that_grow() -> None:
    told = [duration(s) for s in np.geomspace(0.01, 10**5, 200)]
    runs = list(dict.fromkeys(told))
    assert len(runs) == len({*told})  # none comes back
    assert [t for t in told if "second" in t]
    assert {t.split()[-1] for t in told} == {"second", "s", "minute", "minutes", "hours"}


# -- the command --------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{i},{i % 7},{'hi' if i > 30 else 'lo'}" for i in range(60))
    Path("ok.csv").write_text(f"a,b,t\n{rows}\n")
    return "ok.csv"


def engine_line(*options: str) -> str:
    out = good("train", "ok.csv", "--target", "t", "--force", *options)
    found = re.search(r"^engine +(.*)$", out, re.M)
    assert found, out
    return found[1]


@MINUTE
@pytest.mark.usefixtures("auto")
def test_the_plan_says_which_engine_and_why(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    line = engine_line("--epochs", "2")
    assert re.fullmatch(
        rf"NumPy, as compiling it would take {SHORT}, and save less than a second", line
    )
    assert engine_line("--epochs", "2", "--engine", "numpy") == "NumPy, as asked"
    monkeypatch.setenv("CHAINRULE_ENGINE", "numpy")
    assert engine_line("--epochs", "2") == "NumPy, as asked"


@MINUTE
@pytest.mark.usefixtures("auto")
def test_the_readmes_first_command_compiles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = good("train", "digits")
    assert re.search(r"^engine +NumPy, as compiling", out, re.M)
    assert float(re.findall(r"held-out accuracy +([\d.]+)%", out)[0]) > 96


@MINUTE
def test_a_long_training_says_what_compiling_takes(table: str, auto: None) -> None:
    """Up to the compiler, which is not asked here."""
    refused = run("train", table, "--target", "t", "--epochs", "1000000")
    line = re.findall(r"^engine +(.*)$", refused.stdout, re.M)[0]
    assert re.fullmatch(rf"compiled; compiling takes {SHORT}, once, and saves about .*", line)
    refused = run("train", table, "--target", "t", "--engine", "compiled")
    line = re.findall(r"^engine +(.*)$", refused.stdout, re.M)[0]
    assert re.fullmatch(rf"compiled, as asked; compiling takes {SHORT}, once", line)


#: Machines of strangers: what their shells say.
MACHINES = {
    "C": {"LANG": "C", "LC_ALL": "C"},
    "Turkish": {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"},
    "German": {"LC_NUMERIC": "de_DE.UTF-8"},
    "Kiritimati": {"TZ": "Pacific/Kiritimati"},
    "no home": {"HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent/cache"},
    "home is a file": {"HOME": "/dev/null"},
    "one thread": {"OPENBLAS_NUM_THREADS": "1", "CHAINRULE_NUM_THREADS": "1"},
    "three threads": {"OPENBLAS_NUM_THREADS": "3", "CHAINRULE_NUM_THREADS": "3"},
    "no bytecode": {"PYTHONDONTWRITEBYTECODE": "1"},
    "optimised": {"PYTHONOPTIMIZE": "1"},
}


@functools.cache
def trained_on(machine: str) -> bytes:
    """The model file of a training in the folder of a `table`; "" is the machine as it is."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "chainrule", "train", "ok.csv", "--target", "t",
         "--epochs", "3", "--json", "--force", "--out", "m.safetensors"],
        capture_output=True, timeout=300,
        env={**os.environ, "CHAINRULE_ENGINE": "auto", **MACHINES.get(machine, {})},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return Path("m.safetensors").read_bytes()


@MINUTE
@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("name", MACHINES)
def test_the_same_on_every_machine(name: str) -> None:
    """The same answers to the bit, and no warning, whatever the shell says."""
    assert trained_on(name) == trained_on("")


# -- fonts ------------------------------------------------------------------------------------------------


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with the fonts of matplotlib alone, none of which has Chinese letters."""
    own = str(Path(font_manager.__file__).parent)
    known = [font for font in font_manager.fontManager.ttflist if font.fname.startswith(own)]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", known)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    assert lacks_font()


PLOT = "square-tangents"


@MINUTE
@pytest.mark.usefixtures("bare")
def test_chinese_figures_without_a_font_are_svg_and_it_is_said_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "zh"
    told = run("figures", "--only", PLOT, "--only", "1-19", "--lang", "zh", "--out", str(place))
    assert told.exit_code == 0
    assert told.stderr.startswith("提示：这里没有包含汉字的字体，因此曲线图写成不需要字体的 SVG")
    assert "fonts-noto-cjk" in told.stderr
    assert {p.name for p in place.iterdir()} == {f"{PLOT}.svg", "1-19-multiply.svg", "index.html"}
    svg = (place / f"{PLOT}.svg").read_text("utf-8")
    assert re.search(r"<text[^>]*>[^<]*斜率", svg)  # letters, which the reader has
    assert f'src="{PLOT}.svg"' in (place / "index.html").read_text("utf-8")

    def begins(lang: str) -> Any:
        raise AssertionError("something is drawn before the word is said")

    monkeypatch.setattr("chainrule.figures.drawing.Picture", begins)
    for kind in ("png", "pdf"):
        refused = run("figures", "--lang", "zh", "--format", kind, "--out", str(tmp_path / "not"))
        assert refused.exit_code == 2
        assert "fonts-noto-cjk" in refused.stderr
        assert "SVG" in refused.stderr
        assert not (tmp_path / "not").exists()


@MINUTE
@pytest.mark.usefixtures("bare")
def test_what_has_no_chinese_letters_needs_no_font(tmp_path: Path) -> None:
    told = run("figures", "--only", PLOT, "--only", "1-19", "--out", str(tmp_path / "en"))
    assert told.stderr == ""
    assert (tmp_path / "en" / f"{PLOT}.png").read_bytes().startswith(b"\x89PNG")
    assert len(figures.save(tmp_path / "graph", "zh", "png", ["1-23"])) == 2


@MINUTE
@pytest.mark.usefixtures("bare")
def test_curves_in_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = cr.Trainer(cr.TwoLayerNet(2, 10, 3), cr.SGD(lr=1.0), engine="numpy")
    history = trainer.fit(*spiral(), 2, 30, validation=0.2, progress=None)
    history.plot(tmp_path / "loss.svg", lang="zh")
    assert "损失" in (tmp_path / "loss.svg").read_text("utf-8")
    history.plot(tmp_path / "loss.png")

    def trains(*given: Any) -> Any:
        raise AssertionError("trained before the word was said")

    monkeypatch.setattr("chainrule.plots.compare_optimizers._trained", trains)
    with pytest.raises(ExtraMissingError, match="fonts-noto-cjk"):
        cr.compare_optimizers(
            trainer.model, [cr.SGD()], *spiral(), path=tmp_path / "race.png", lang="zh"
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["loss.png", "loss.svg"]


@MINUTE
@pytest.mark.usefixtures("bare")
def test_a_report_in_chinese(table: str) -> None:
    good("train", table, "--target", "t", "--epochs", "2", "--report", "r.html", "--lang", "zh")
    page = Path("r.html").read_text("utf-8")
    assert re.search(r"<text[^>]*>[^<]*损失", page)


@MINUTE
def test_the_reason_is_told_in_chinese_too(table: str, auto: None) -> None:
    good("train", table, "--target", "t", "--epochs", "2", "--report", "r.html", "--lang", "zh")
    page = Path("r.html").read_text("utf-8")
    assert re.search(r"numpy（编译需要(约 \d+ 秒|不到一秒)，只能节省不到一秒）", page)
    assert "compiling" not in page
