"""The six programs of `programs.py` reach what they must, on both engines."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.differential.programs import PROGRAMS, Program
from tests.engine.compiled.plain import plainly

import chainrule as cr

Array = npt.NDArray[Any]


def trained(program: Program, engine: str) -> tuple[cr.Trainer, float]:
    """A trainer that has learnt, and its score on rows that it has not seen."""
    rng = np.random.default_rng(0)
    x, t = program.data(rng, program.rows + 390)
    x, new_x, t, new_t = x[: program.rows], x[program.rows :], t[: program.rows], t[program.rows :]
    trainer = cr.Trainer(program.make(), cr.Adam(lr=program.lr), engine=engine)
    trainer.fit(x, t, program.epochs, program.batch, progress=None)
    assert (trainer.engine_used, trainer.engine_reason) == (engine, None)
    return trainer, program.score(trainer.predict(new_x), new_t)


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_numpy_engine_learns_it(name: str) -> None:
    _, score = trained(PROGRAMS[name], "numpy")
    assert score >= PROGRAMS[name].reach


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_steps_are_the_graphs(name: str) -> None:
    program = PROGRAMS[name]
    x, t = program.data(np.random.default_rng(1), 10)
    with plainly(2):
        for engine in ("numpy", "compiled"):
            report = cr.check(program.make(), x, t, engine=engine)
            assert report.ok, str(report)
            assert report.step is not None
            assert (report.step.engine, report.step.reason) == (engine, None)


@pytest.mark.long
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_compiled_engine_learns_it(name: str) -> None:
    trainer, score = trained(PROGRAMS[name], "compiled")
    assert score >= PROGRAMS[name].reach
    reference, _ = trained(PROGRAMS[name], "numpy")
    np.testing.assert_allclose(
        trainer.history.losses[:60], reference.history.losses[:60], rtol=1e-6
    )
