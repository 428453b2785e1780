"""NTKAffine: an Affine layer whose weights have size 1, whatever the number of inputs."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import says
from chainrule.layers.affine import Affine, _product
from chainrule.layers.initial import Init, Seed, initializer
from chainrule.nodes.base import Value
from chainrule.settings import whole

__all__ = ["NTKAffine"]


class NTKAffine(Affine):
    """y = x W / √D + b: x (..., D), W (D, H), b (H,), y (..., H).

    The parametrisation of the neural tangent kernel (Jacot et al., 2018). W is drawn with variance 1
    and the division by √D keeps y at the size of x, so one learning rate of Adam suits layers of
    every width, and weight decay pulls on all alike. `data_dependent_init` sets W and b by data.

    >>> import chainrule as cr, numpy as np
    >>> cr.NTKAffine(np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([0.5])).forward(np.ones((1, 4)))
    array([[5.5]])
    """

    @classmethod
    def sized(
        cls,
        inputs: int,
        outputs: int,
        *,
        init: Init = "normal",
        dtype: npt.DTypeLike = np.float32,
        seed: Seed = None,
    ) -> Self:
        """A layer whose W and b are both drawn by `init`, by default normal with variance 1.

        `init="zeros"` for the last layer lets a network begin with equal scores.
        """
        n, m = whole(inputs, "inputs"), whole(outputs, "outputs")
        fill = initializer(init)
        return cls(np.zeros((n, m), dtype), np.zeros(m, dtype))._init_later(
            {"W": fill, "b": fill}, seed
        )

    @says("y = x W / √D + b.")
    def formula(self, x: Value, W: Value, b: Value) -> Value:
        return _product(self, x, W) * (1 / math.sqrt(W.shape[0])) + b
