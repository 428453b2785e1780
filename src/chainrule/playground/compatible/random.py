"""The page's random numbers: the seedrandom stream, which is ARC4 keyed by the text of the seed.

Source: David Bau's seedrandom, version 2.4, and RC4 with its first 256 bytes left out.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

__all__ = ["SeedRandom", "fixed5"]

_BYTE = 256
#: A number is drawn with at least 52 significant bits, and cut to 53.
_LEAST, _MOST = 2.0**52, 2.0**53


class SeedRandom:
    """Numbers from 0 to below 1 that follow from a text: `random()` gives the next.

    The seed is text, so "0.4" and "0.40" begin two different streams.

    >>> SeedRandom("0.40401").random()
    0.005325321144268823
    """

    def __init__(self, seed: str) -> None:
        key = _mixed(seed)
        self._i = self._j = 0
        state = self._state = list(range(_BYTE))
        j = 0
        for i in range(_BYTE):
            j = (j + key[i % len(key)] + state[i]) % _BYTE
            state[i], state[j] = state[j], state[i]
        for _ in range(_BYTE):  # the first bytes of RC4 tell too much of the key
            self._byte()

    def _byte(self) -> int:
        """The next byte of ARC4."""
        state = self._state
        i = self._i = (self._i + 1) % _BYTE
        j = self._j = (self._j + state[i]) % _BYTE
        state[i], state[j] = state[j], state[i]
        return state[(state[i] + state[j]) % _BYTE]

    def random(self) -> float:
        """The next number, from 0 to below 1."""
        n, d, rest = 0.0, float(_BYTE**6), 0
        for _ in range(6):
            n = n * _BYTE + self._byte()
        while n < _LEAST:
            n, d, rest = (n + rest) * _BYTE, d * _BYTE, self._byte()
        while n >= _MOST:
            n, d, rest = n / 2, d / 2, rest // 2
        return (n + rest) / d

    def uniform(self, low: float, high: float) -> float:
        """The next number, from low to below high."""
        return self.random() * (high - low) + low


def _mixed(seed: str) -> list[int]:
    """The key of a seed: its UTF-16 codes, each mixed with those before; at most 256 numbers."""
    units = seed.encode("utf-16-le", "surrogatepass")
    key: list[int] = []
    smear = 0
    for place in range(len(units) // 2):
        code = int.from_bytes(units[2 * place : 2 * place + 2], "little")
        at = place % _BYTE
        old = key[at] if at < len(key) else 0
        smear ^= old * 19
        mixed = (smear + code) % _BYTE
        if at < len(key):
            key[at] = mixed
        else:
            key.append(mixed)
    return key or [0]


def fixed5(number: float) -> str:
    """The number with five decimals as JavaScript's `toFixed(5)` has it: a tie goes up.

    >>> fixed5(0.404014999), fixed5(0.5)
    ('0.40401', '0.50000')
    """
    return str(Decimal(number).quantize(Decimal("0.00001"), ROUND_HALF_UP))
