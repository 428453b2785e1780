"""The memory that a training takes, estimated before its first step."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.errors import ChainruleError, SettingError
from chainrule.lang.messages import _
from chainrule.memory import memory_left
from chainrule.networks import Network
from chainrule.training.state import Training

__all__ = ["memory_needed", "refuse_too_large"]

Array = npt.NDArray[Any]
#: Less than this is not asked about; more than this part of what is left is refused, since BLAS and
#: the compiled engine take up to three quarters more for a moment.
SMALL, PART = 256 << 20, 0.6


def memory_needed(training: Training, x: Array, t: Array, w: Array | None, batch: int) -> int:
    """The bytes that steps on so many rows take besides the network and the data.

    They are the values and gradients of a step, the optimizer's slots, and one copy of the
    parameters and the slots, to go back to.

    >>> import chainrule as cr, numpy as np
    >>> net = cr.Sequential(cr.Affine.sized(100, 1000), loss=cr.MeanSquaredError())
    >>> x, t = np.zeros((500, 100), np.float32), np.zeros((500, 1000), np.float32)
    >>> round(memory_needed(cr.Trainer(net, cr.Adam()), x, t, None, 500) / 2**20, 1)
    5.9
    """
    network: Network = training.model
    try:
        step = network.step_program(x, t, w, rows=np.arange(batch)).nbytes
    except MemoryError:  # it cannot even be planned: what two small ones take says how much
        few, some = (network.step_program(x, t, w, rows=np.arange(n)).nbytes for n in (64, 128))
        step = few + (some - few) * (batch - 64) // 64
    parameters = sum(p.data.nbytes for p in network.named_parameters().values())
    slots = len(getattr(training.optimizer, "slots", ()))
    return step + parameters * (1 + 2 * slots)


def refuse_too_large(training: Training, x: Array, t: Array, w: Array | None, batch: int) -> None:
    """Raise if a training would not fit into the memory that is left.

    Raises:
        SettingError: it would not; the message has the numbers, and a batch that fits.
    """
    if not isinstance(training.model, Network):
        return
    try:
        needed = memory_needed(training, x, t, w, batch)
    except ChainruleError:  # said where the step is made
        return
    if needed < SMALL or needed < PART * (left := memory_left()):
        return
    least = memory_needed(training, x, t, w, 1)
    row = max(1.0, (needed - least) / max(batch - 1, 1))
    fits = int((PART * left - least) / row)
    advice = (
        _("A batch of {rows:,} rows fits.", rows=fits)
        if fits >= 1
        else _("Not even one row fits: give smaller layers, or an optimizer with fewer slots.")
    )
    raise SettingError(
        _(
            "steps on {batch:,} rows take about {needed:,.1f} GiB, and {left:,.1f} GiB of memory are left."
            " {advice}",
            batch=batch,
            needed=needed / 2**30,
            left=left / 2**30,
            advice=advice,
        )
    )
