"""Context flags: training or not, which Dropout and BatchNorm read; complex steps or complex numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

__all__ = ["complex_steps", "inference_mode", "is_training", "stepping", "training_mode"]

_training: ContextVar[bool] = ContextVar("chainrule_training", default=True)
_stepping: ContextVar[bool] = ContextVar("chainrule_stepping", default=False)


def is_training() -> bool:
    """Whether layers behave as in training: yes, unless inside `inference_mode()`.

    `predict`, `evaluate`, validation and checks turn it off by themselves.
    """
    return _training.get()


@contextmanager
def training_mode(on: bool = True) -> Iterator[None]:
    """Inside the block, layers behave as in training (or not)."""
    token = _training.set(on)
    try:
        yield
    finally:
        _training.reset(token)


def inference_mode() -> AbstractContextManager[None]:
    """Inside the block, layers behave as in use: no dropout, running statistics.

    >>> import chainrule as cr, numpy as np
    >>> with cr.inference_mode():
    ...     cr.Dropout(0.5).forward(np.ones(3))
    array([1., 1., 1.])
    """
    return training_mode(False)


@contextmanager
def complex_steps() -> Iterator[None]:
    """Inside the block, an imaginary part is a complex step, which every node takes."""
    token = _stepping.set(True)
    try:
        yield
    finally:
        _stepping.reset(token)


def stepping() -> bool:
    """Whether imaginary parts are complex steps."""
    return _stepping.get()
