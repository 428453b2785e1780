"""A network read from an ONNX file whose operators are not layers one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chainrule.errors import ChainruleError, FormatError, ShapeError
from chainrule.files.onnx.calls import Call
from chainrule.files.onnx.meanings import MEANINGS
from chainrule.graph.variable import Array, Variable
from chainrule.lang.messages import _
from chainrule.layers.base import Layer
from chainrule.layers.initial import Seed
from chainrule.networks import Network
from chainrule.nodes.base import Value

__all__ = ["OnnxNetwork", "Step"]


@dataclass(frozen=True)
class Step:
    """A node of the file: an operator or the layer in its place, and the names of what it takes and gives."""

    op: tuple[str, str]
    title: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    version: int = 17
    #: The name of the layer that is called instead, such as a BatchNorm.
    layer: str = ""


class OnnxNetwork(Network):
    """The operators of an ONNX file in their order; `load_onnx` makes it where no Sequential will do.

    `weights` are the arrays that training changes, by their names in the file, `parts` the layers that
    stand for operators with a state of their own: BatchNorm, Dropout, Embedding.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        x: str,
        y: str,
        weights: Mapping[str, Array],
        constants: Mapping[str, Array],
        parts: Mapping[str, Layer],
        *,
        loss: Any = None,
        seed: Seed = 0,
    ) -> None:
        super().__init__(loss=loss, seed=seed)
        self.steps, self.x, self.y = tuple(steps), x, y
        self.constants = dict(constants)
        self.weights = {name: Variable(array, name) for name, array in weights.items()}
        self.parts = dict(parts)

    def predict(self, x: Value) -> Value:
        """The output of the last operator."""
        return self._values(x)[self.y]

    def _values(self, x: Value, ask: Callable[[int], object] | None = None) -> dict[str, Value]:
        """Every value by its name; `ask` is told, before each operator, how many numbers it gives."""
        values: dict[str, Value] = {"": None, **self.constants, **self.weights, self.x: x}
        for step in self.steps:
            inputs = tuple(values[name] for name in step.inputs)
            if step.layer:
                values[step.outputs[0]] = self.parts[step.layer](inputs[0])
                continue
            call = Call(step.op[1], inputs, step.settings, step.version, len(step.outputs))
            meaning = MEANINGS[step.op]
            try:
                if ask is not None:
                    ask(meaning.size(call))
                out = meaning.run(call)
            except (
                ChainruleError,
                ValueError,
                TypeError,
                IndexError,
                KeyError,
                AttributeError,
            ) as error:
                raise _unfit(step, error) from error
            outs = out if isinstance(out, tuple) else (out,)
            values.update(zip(step.outputs, outs, strict=False))
        return values


def _unfit(step: Step, error: Exception) -> FormatError | ShapeError:
    why = error.args[0] if isinstance(error, ChainruleError) else str(error) or type(error).__name__
    kind = FormatError if isinstance(error, FormatError) else ShapeError
    return kind(_("node {node}: {why}", node=step.title, why=why))
