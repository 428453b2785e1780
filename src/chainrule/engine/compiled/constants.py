"""Constants shared by kernels and the code that calls them."""

from __future__ import annotations

__all__ = [
    "ASLEEP",
    "COUNTERS",
    "FAILED",
    "FEW",
    "LONGEST",
    "MET",
    "NARROW",
    "OFTEN",
    "PATIENCE",
    "SEND",
    "SENT",
    "SHORTEST",
    "SMALL",
    "SPARE",
    "SYSTEM",
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
# met, whether one has failed, how many sleep, how often a thread that waits looks before it sleeps;
# how to sleep: the address of C's `syscall` and the number of Linux' futex, or the address of a
# function that yields the core to another thread; the address of a function that adds up over ranks,
# or 0, and how often it was called.
WAITING, MET, FAILED, ASLEEP, PATIENCE, SYSTEM, YIELD, SEND, SENT = (
    0,
    16,
    32,
    48,
    64,
    80,
    82,
    83,
    84,
)
COUNTERS, SPARE = 96, 45_056
#: The most patience, several times as long as it takes to wake up, and the least: halved by every sleep,
#: doubled by every wait without, and tried in full at one meeting of so many.
LONGEST, SHORTEST, OFTEN = 4096, 16, 64
