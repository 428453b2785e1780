"""A thread that makes several parts of a batch in turn adds them up as threads of one part each do."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.distributed.messages import add_in_pairs
from chainrule.engine.compiled.kernels import add_in_turn


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
@pytest.mark.parametrize("threads", [1, 2, 4, 8])
def test_the_sum_of_parts_has_the_same_bits(threads: int, parts: int) -> None:
    if threads > parts:
        return
    given = np.random.default_rng(parts).normal(size=(parts, 50)).astype(np.float32)
    count = parts // threads
    waiting = count.bit_length() - 1
    first = np.zeros(50, np.float32)
    others = np.full((threads - 1 + threads * waiting, 50), np.nan, np.float32)
    for k in range(threads):
        own = others[k - 1] if k else first
        for q in range(count):
            own[...] = given[k * count + q]
            add_in_turn(first, others, k, threads, q, count)
    sums = [first, *others[: threads - 1]]
    add_in_pairs(sums)
    whole = list(given.copy())
    add_in_pairs(whole)
    assert first.tobytes() == whole[0].tobytes()
