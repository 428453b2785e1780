"""Recording a network's step for kernels: targets, arrays, and names in the network's terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.engine.compiled.symbolic import SizedRecording
from chainrule.engine.compiled.values import NotCompilable, no_form
from chainrule.engine.memory import is_opaque, needed
from chainrule.engine.naming import output_names, parameter_names
from chainrule.engine.origins import claimed, origins_of
from chainrule.engine.plans import StepRecording
from chainrule.engine.protocols import RecordableNetwork
from chainrule.engine.rules import KERNEL_FUNCTIONS
from chainrule.engine.trace import Traced
from chainrule.errors import ChainruleError
from chainrule.graph.chain_rule import chain_rule
from chainrule.graph.mode import training_mode
from chainrule.lang.messages import _
from chainrule.nodes.base import CALLED

__all__ = ["Target", "raised_here", "record_predict", "record_step"]

Array = npt.NDArray[Any]


@dataclass
class Target:
    """A value that a kernel writes: `role` is "loss", "gradient", "written" or "out"."""

    role: str
    name: str
    payload: Any = None


def _rows(array: Array, n: int) -> Array:
    """n rows of the data, repeated from the first if there are fewer."""
    return array[np.arange(n) % len(array)]


def record_step(
    network: RecordableNetwork, batch: Sequence[tuple[str, Array]], *, origins: bool = False
) -> tuple[Callable[[int], SizedRecording], list[Target]]:
    """A function that records forward and backward for n rows, and gives the targets.

    With `origins` each value is told with the node that computes it.
    """
    targets: list[Target] = []

    def record(n: int) -> SizedRecording:
        with training_mode(True):
            rec = StepRecording(
                network._record_loss, [(k, _rows(a, n)) for k, a in batch], KERNEL_FUNCTIONS
            )
            low = rec.lower()
            loss, writes = rec.results(low)
            wanted = [p for p in rec.parameters if p.trainable]
            named = output_names(network, rec.outputs)
            arrows = [v for v in named if v.requires_grad]
            grads = low.gradients([*wanted, *arrows])
        names = _parameter_leaves(network, rec)
        targets[:] = [Target("loss", "loss")]
        found = [loss]
        for leaf, value in writes:
            targets.append(Target("written", f"new_{leaf.name}", leaf.array))
            found.append(value)
        for p, g in zip(wanted, grads, strict=False):
            targets.append(Target("gradient", f"d{names[rec.leaves[p]]}", p))
            found.append(g)
        for v, g in zip(arrows, grads[len(wanted) :], strict=True):
            names.setdefault(g, f"d_{named[v]}")
        for v, name in named.items():
            names.setdefault(low.value(v), name)
        names.setdefault(loss, "loss")
        losses = rec.graph.nodes[-1].inputs[0]
        if losses.shape[:1] == (n,):
            names.setdefault(low.value(losses), "losses")
        recording = SizedRecording(n, _arrays(found), names, rec.reads)
        if origins:
            seed = rec.trace.constant(1.0, rec.graph.outputs[0].dtype)
            gradients = chain_rule(rec.graph, seed, low.value, wanted)
            recording.origins = origins_of(rec.graph, claimed(rec.graph, low, gradients))
        return recording

    return _of_other_sizes(record), targets


def record_predict(
    network: RecordableNetwork, x: Array
) -> tuple[Callable[[int], SizedRecording], list[Target]]:
    """A function that records the outputs for n rows, in inference mode."""
    targets = [Target("out", "y")]

    def record(n: int) -> SizedRecording:
        with training_mode(False):
            rec = StepRecording(network._record_predict, [("x", _rows(x, n))], KERNEL_FUNCTIONS)
            low = rec.lower()
            out = rec.results(low)[0]
        names = _parameter_leaves(network, rec)
        for v, name in output_names(network, rec.outputs).items():
            names.setdefault(low.value(v), name)
        names[out] = "y"
        return SizedRecording(n, _arrays([out]), names, rec.reads)

    return _of_other_sizes(record), targets


def _of_other_sizes(record: Callable[[int], SizedRecording]) -> Callable[[int], SizedRecording]:
    """Recording at other batch sizes than the data's, at which the user's code or a check may fail.

    Then the step is left to the NumPy engine, which records at the real size: it raises or goes on.
    """

    def careful(n: int) -> SizedRecording:
        try:
            return record(n)
        except NotCompilable:
            raise
        except Exception as error:
            if isinstance(error, ChainruleError) or not raised_here(error):
                why = _("it cannot be recorded for batches of another size")
                raise NotCompilable(why) from error
            raise  # a bug in chainrule

    return careful


def raised_here(error: BaseException) -> bool:
    """Whether an error was raised by a line of chainrule, not by the user's code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return name.partition(".")[0] == "chainrule"


def _arrays(found: list[Traced]) -> list[Traced]:
    wanted = needed(found)
    for value in (v for v in found[0].trace.values if v in wanted):
        if is_opaque(value):
            who = type(value.args[0].layer).__name__
            raise NotCompilable(_("{layer} is written by hand, in Python", layer=who))
        if value.function in CALLED:
            raise no_form(value.function)
    return found


def _parameter_leaves(network: RecordableNetwork, rec: StepRecording) -> dict[Traced, str]:
    """The names of the parameters that the recording reads."""
    named = parameter_names(network)
    return {rec.leaves[p]: name for p, name in named.items() if p in rec.leaves}
