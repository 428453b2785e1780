"""Numbers that kernels share with what calls them."""

from __future__ import annotations

__all__ = ["FAILED", "MET", "NARROW", "SMALL", "WAITING", "WIDE", "YIELD"]

#: Products of fewer multiplications than this are done by plain loops.
SMALL = 6000
#: Products with fewer columns than this are summed column by column, in registers.
NARROW = 12
#: Threads share out a product's columns if each then has at least so many; else its rows.
WIDE = 64

# The counters of a crew: an array that all threads of a step share, with each counter in a cache
# line of its own: how many wait, how often all have met, whether one has failed, and the address
# of the function that gives the core to another thread.
WAITING, MET, FAILED, YIELD = 0, 16, 32, 48
