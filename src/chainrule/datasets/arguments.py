"""Checks of arguments that several data functions share."""

from __future__ import annotations

import numpy as np

from chainrule.errors import SettingError, shown
from chainrule.lang.messages import _

__all__ = ["generator", "is_whole"]


def is_whole(value: object, least: int) -> bool:
    """Whether `value` is an integer (Python's or NumPy's, but not a bool) of at least `least`."""
    return (
        isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= least
    )


def generator(who: str, seed: int | np.random.Generator) -> np.random.Generator:
    """`seed` itself if it is a generator, else a new generator with this seed.

    `who` is the calling function, for the message.

    Raises:
        SettingError: `seed` is neither a whole number nor a generator.

    >>> generator("moons", 0).integers(10) == generator("moons", 0).integers(10)
    np.True_
    """
    if isinstance(seed, np.random.Generator):
        return seed
    if not is_whole(seed, 0):
        raise SettingError(
            _(
                "{who}: the seed must be a whole number, 0 or more, or a numpy.random.Generator."
                " Got {got}.",
                who=who,
                got=shown(seed),
            )
        )
    return np.random.default_rng(int(seed))
