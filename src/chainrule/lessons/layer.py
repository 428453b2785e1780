"""Exercises on a layer: a class with forward and backward, params and grads, as the chapter has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import Text, _
from chainrule.lessons.exercise import Case, Picture
from chainrule.lessons.faults import Fault, FaultError, Suspect
from chainrule.lessons.slopes import slopes
from chainrule.lessons.trying import unchanged

__all__ = ["LayerCases"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LayerCases:
    """Cases for a class Layer(*params): `out` of forward, `dx` of backward, and grads of the params.

    Every case works with a layer of its own, on two batches of unlike sizes one after the other: what the
    first has left behind must not be in the second. `grads` must be written in place.
    """

    formula: Callable[..., Any]
    expression: Callable[..., Any]
    #: The names of the parameters, in the order in which the class takes them.
    params: tuple[str, ...]
    #: What is said of each case, and its x and parameters by name.
    tries: Sequence[tuple[Text, Callable[[np.random.Generator], Mapping[str, Array]]]]
    mistakes: Callable[..., Mapping[str, Sequence[Suspect]]] = lambda dout, **inputs: {}

    def __call__(self, rng: np.random.Generator) -> Iterator[Case]:
        """The cases."""
        for about, draw in self.tries:
            inputs = dict(draw(rng))
            out = np.asarray(self.formula(*inputs.values()))
            dout = rng.normal(size=out.shape)
            gradients = slopes(self.formula, inputs, dout)
            earlier = rng.normal(size=(len(inputs["x"]) + 2, *inputs["x"].shape[1:]))
            before = slopes(self.formula, {**inputs, "x": earlier})

            def run(
                kind: Any,
                inputs: dict[str, Array] = inputs,
                dout: Array = dout,
                earlier: Array = earlier,
            ) -> Mapping[str, object]:
                return self._try(kind, inputs, dout, earlier)

            wanted = {"out": np.asarray(out, float)}
            wanted |= {f"d{name}": gradients[name] for name in ("x", *self.params)}
            suspects = {name: [*known] for name, known in self.mistakes(dout, **inputs).items()}
            for name in self.params:
                added = _added(f"d{name}", gradients[name], before[name])
                suspects.setdefault(f"d{name}", []).append(added)
            yield Case(
                about,
                run,
                wanted,
                suspects,
                {f"d{name}": name for name in inputs},
                rows=len(inputs["x"]),
                picture=Picture(self.expression, inputs, dout),
            )

    def _try(
        self, kind: Any, inputs: Mapping[str, Array], dout: Array, earlier: Array
    ) -> Mapping[str, object]:
        copies = {name: array.copy() for name, array in inputs.items()}
        layer = kind(*(copies[name] for name in self.params))
        grads = self._grads(layer)
        first = layer.forward(earlier.copy())
        if np.shape(first) == (len(earlier), *dout.shape[1:]):
            layer.backward(np.ones_like(first))
        out = layer.forward(copies["x"])
        if out is None:
            raise FaultError(
                Fault(
                    "nothing", _("forward ends without `return`: nothing came back from it."), "out"
                )
            )
        taken = dout.copy()
        dx = layer.backward(taken)
        unchanged({**inputs, "dout": dout}, {**copies, "dout": taken})
        if dx is None:
            raise FaultError(
                Fault(
                    "nothing", _("backward ends without `return`: nothing came back from it."), "dx"
                )
            )
        found = {"out": out, "dx": dx}
        for i, name in enumerate(self.params):
            if layer.grads[i] is not grads[i]:
                raise FaultError(
                    Fault(
                        "in place",
                        _(
                            "grads[{i}] is another array after backward: write into the one that is there,"
                            " grads[{i}][...] = d{name}, since optimizers hold on to it.",
                            i=i,
                            name=name,
                        ),
                        f"d{name}",
                    )
                )
            found[f"d{name}"] = np.array(grads[i])
        return found

    def _grads(self, layer: Any) -> list[Any]:
        """The arrays of the gradients, which stay the same ones."""
        for attribute in ("params", "grads"):
            arrays = getattr(layer, attribute, None)
            if not isinstance(arrays, list | tuple) or len(arrays) != len(self.params):
                raise FaultError(
                    Fault(
                        attribute,
                        _(
                            "self.{attribute} has to be a list of {count} arrays, made in __init__, for"
                            " {names}.",
                            attribute=attribute,
                            count=len(self.params),
                            names=", ".join(self.params) or "—",
                        ),
                    )
                )
        return list(layer.grads)


def _added(name: str, gradient: Array, before: Array) -> Suspect:
    """What comes out where the gradient of the batch before is still in the array."""
    sentence = _(
        "{name} still has the gradient of the batch before in it: write over it ([...] =), do not add.",
        name=name,
    )
    return Suspect("added", gradient + before, sentence)
