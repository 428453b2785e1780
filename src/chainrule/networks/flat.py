"""Flat buffers: all parameters in one array, all gradients in another; and shared parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy.typing as npt

from chainrule.aligned import aligned, room
from chainrule.errors import ShapeError
from chainrule.graph.variable import Parameter
from chainrule.lang.messages import _

__all__ = ["MORE", "FlatBuffer", "Segment", "follow_ties", "memory", "tie"]

Array = npt.NDArray[Any]

#: How many numbers a message of gradients has room for behind them.
MORE = 2


class Segment(NamedTuple):
    """A contiguous run of parameters that an optimizer updates as one array."""

    data: Array
    grad: Array
    #: Whether weight decay applies to it.
    decays: bool
    #: The factor of the learning rate.
    lr_factor: float


class FlatBuffer:
    """All parameters a network owns of one dtype in one array, all gradients in another.

    So an update is one elementwise pass, and a checkpoint a few contiguous writes. The parameters
    that weight decay applies to come first.
    """

    def __init__(self, parameters: list[Parameter]) -> None:
        self.parameters = sorted(parameters, key=lambda p: not p.decays)
        dtype = parameters[0].dtype
        size = sum(p.size for p in parameters)
        self.data = room((size,), dtype)
        #: The gradients, and behind them room for a few numbers more, which ranks send with them.
        self.message = room((size + MORE,), dtype)
        for parameter, part in self.places():
            shape = parameter.shape
            parameter.move(self.data[part].reshape(shape), self.grad[part].reshape(shape))
            parameter.adopted = True

    @property
    def grad(self) -> Array:
        """The gradients of all parameters."""
        return self.message[:-MORE]

    def places(self) -> Iterator[tuple[Parameter, slice]]:
        """Each parameter with its slice of the buffers."""
        start = 0
        for parameter in self.parameters:
            yield parameter, slice(start, start + parameter.size)
            start += parameter.size

    def segments(self) -> Iterator[Segment]:
        """The longest runs of trainable parameters with the same decay and rate factor."""
        start, end, settings = 0, 0, (False, 1.0)
        for parameter, part in self.places():
            own = parameter.decays, parameter.lr_factor
            if parameter.trainable and end == part.start > start and settings == own:
                end = part.stop
                continue
            if end > start:
                yield Segment(self.data[start:end], self.grad[start:end], *settings)
            start, end = part.start if parameter.trainable else part.stop, part.stop
            settings = own
        if end > start:
            yield Segment(self.data[start:end], self.grad[start:end], *settings)

    def restore(self) -> None:
        """Make the parameters views of the buffers again, after copying or unpickling."""
        self.data, self.message = aligned(self.data), aligned(self.message)
        for parameter, part in self.places():
            parameter.data = self.data[part].reshape(parameter.shape)
            parameter._grad = self.grad[part].reshape(parameter.shape)


def memory(array: Array) -> tuple[int, int]:
    """The address of an array's numbers, and how many bytes they take."""
    return array.__array_interface__["data"][0], array.nbytes


def tie(parameters: list[Parameter]) -> None:
    """Tie the parameters that share one array, or an array and its transpose, to the first of them."""
    first: dict[tuple[int, int], Parameter] = {}
    for p in parameters:
        q = first.setdefault(memory(p.data), p)
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
    """Make tied parameters views of the first one's arrays again, after those have moved."""
    for p in parameters:
        if p.tied is not None:
            q, transposed = p.tied
            p.data = q.data.T if transposed else q.data
            p._grad = q.grad.T if transposed else q.grad
