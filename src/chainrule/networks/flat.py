"""Flat buffers: all parameters in one array, all gradients in another; and shared parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy.typing as npt

from chainrule.aligned import aligned, room
from chainrule.errors import ShapeError
from chainrule.graph.variable import Parameter
from chainrule.lang.messages import _

__all__ = ["FlatBuffer", "Segment", "follow_ties", "tie"]

Array = npt.NDArray[Any]


class Segment(NamedTuple):
    """A run of parameters that an optimizer moves as one."""

    data: Array
    grad: Array
    #: Whether weight decay applies to it.
    decays: bool
    #: What the learning rate is multiplied with.
    lr_factor: float


class FlatBuffer:
    """All parameters a network owns of one dtype in one array, all gradients in another.

    So an optimizer is one elementwise pass, and a checkpoint a few contiguous writes. The
    parameters that weight decay applies to come first.
    """

    def __init__(self, parameters: list[Parameter]) -> None:
        self.parameters = sorted(parameters, key=lambda p: not p.decays)
        dtype = parameters[0].dtype
        size = sum(p.size for p in parameters)
        self.data, self.grad = room((size,), dtype), room((size,), dtype)
        for parameter, place in self.places():
            shape = parameter.shape
            parameter.move(self.data[place].reshape(shape), self.grad[place].reshape(shape))
            parameter.adopted = True

    def places(self) -> Iterator[tuple[Parameter, slice]]:
        """Each parameter and where it lies."""
        start = 0
        for parameter in self.parameters:
            yield parameter, slice(start, start + parameter.size)
            start += parameter.size

    def segments(self) -> Iterator[Segment]:
        """The longest runs of trainable parameters alike in decay and rate."""
        start, end, way = 0, 0, (False, 1.0)
        for parameter, place in self.places():
            own = parameter.decays, parameter.lr_factor
            if parameter.trainable and end == place.start > start and way == own:
                end = place.stop
                continue
            if end > start:
                yield Segment(self.data[start:end], self.grad[start:end], *way)
            start, end = (
                (place.start, place.stop) if parameter.trainable else (place.stop, place.stop)
            )
            way = own
        if end > start:
            yield Segment(self.data[start:end], self.grad[start:end], *way)

    def restore(self) -> None:
        """Make the parameters views of the buffers again, after a copy or an unpickling."""
        self.data, self.grad = aligned(self.data), aligned(self.grad)
        for parameter, place in self.places():
            parameter.data = self.data[place].reshape(parameter.shape)
            parameter._grad = self.grad[place].reshape(parameter.shape)


def _memory(array: Array) -> tuple[int, int]:
    return array.__array_interface__["data"][0], array.nbytes


def tie(parameters: list[Parameter]) -> None:
    """Find parameters that are one array, or one array and its transpose."""
    first: dict[tuple[int, int], Parameter] = {}
    for p in parameters:
        q = first.setdefault(_memory(p.data), p)
        if q is p or p.tied is not None:
            continue
        if (q.shape, q.data.strides) == (p.shape, p.data.strides):
            p.tied = (q, False)
        elif q.shape == p.shape[::-1] and q.data.strides == p.data.strides[::-1]:
            p.tied = (q, True)
        else:
            raise ShapeError(
                _(
                    "two parameters share one memory with shapes {one} and {other}, which is neither the"
                    " same array nor its transpose. Give one of them a copy.",
                    one=q.shape,
                    other=p.shape,
                )
            )


def follow_ties(parameters: list[Parameter]) -> None:
    """Let tied parameters look at where the first one lies now."""
    for p in parameters:
        if p.tied is not None:
            q, transposed = p.tied
            p.data = q.data.T if transposed else q.data
            p._grad = q.grad.T if transposed else q.grad
