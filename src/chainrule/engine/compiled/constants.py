"""Constants shared by kernels and the code that calls them."""

from __future__ import annotations

__all__ = [
    "COUNTERS",
    "FAILED",
    "FEW",
    "MET",
    "NARROW",
    "SMALL",
    "SPARE",
    "TILED",
    "WAITING",
    "WIDE",
    "YIELD",
]

#: Products of fewer multiplications than this are done by plain loops.
SMALL = 6000
#: Up to so many, a transposed operand is better copied before BLAS reads it.
FEW = 1_000_000
#: From so many on our own products in tiles are faster than BLAS, by enough to compile them once.
TILED = 1_500_000
#: Products with fewer columns than this are summed column by column, in registers.
NARROW = 12
#: Threads divide a product's columns if each then has at least so many; else its rows.
WIDE = 64

# A crew is an array of 64-bit words that all threads of a step share: counters, then working memory
# for each thread. The counters, each in its own cache line: how many threads wait, how often all have
# met, whether one has failed, and the address of the function that yields the core to another thread.
WAITING, MET, FAILED, YIELD = 0, 16, 32, 48
COUNTERS, SPARE = 64, 45_056
