"""Statements: texts run as plain Python and compiled leave the same numbers, bit for bit."""

from __future__ import annotations

import ctypes
import re
import threading
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engine.compiler.language import HEAD, as_written_only, both, compiled, plain, same

from chainrule.engine.compiled import cache, machine
from chainrule.engine.compiled.blas import blas
from chainrule.engine.compiler import entry
from chainrule.engine.compiler.sized import Sized

_DRAWN = iter(np.random.default_rng(0).spawn(99))
GIVEN: dict[str, Any] = {
    "n": 5, "m": -3, "x": next(_DRAWN).normal(size=7),
    "y": next(_DRAWN).normal(size=(4, 6)).astype(np.float32),
    "z": np.array([3, -2, 0, 7, -9, 2**40], np.int64), "b": np.array([0, 1, 200, 255, 7], np.uint8),
    "t": np.array([True, False, True, True]), "c": np.array(2.5), "e": np.zeros((0, 3)),
    "w": (3, next(_DRAWN).normal(size=3), (np.array([5, 6], np.int32), -1)),
    "q": next(_DRAWN).normal(size=(2, 3, 4)),
    "words": np.zeros((200, 60), np.uint64),
}  # fmt: skip

#: The body of a function of these, by what it is about. `r` counts turns.
BODIES = {
    "one branch assigns": "s = x[0]\nif n > 3:\n    s = x[1]\nnote(words, 0, 0, s)",
    "one branch assigns a parameter": "if n > 3:\n    n = m\nreturn n",
    "the other branch": "if n > 30:\n    n = m\nreturn n",
    "a parameter in a loop": "for i in range(4):\n    n += i\n    m = m - n\nreturn n * 1000 + m",
    "a literal in one branch": "s = 1\nif n == 5:\n    s = 2\nif n == 6:\n    s = 3\nreturn s",
    "both branches": "if n > 3:\n    s = x[0]\nelse:\n    s = x[1]\nnote(words, 0, 0, s)",
    "branches within branches": """
for i in range(-4, 5):
    if i < 0:
        if i < -2:
            s = 1
        else:
            s = 2
    elif i == 0:
        s = 3
    else:
        s = 4
        if i > 2:
            s = s + 10
    note(words, i + 4, 0, s)
""",
    "numbers change places":
        "p, q2 = x[0], x[1]\nfor i in range(n):\n    p, q2 = q2, p\nnote(words, 0, 0, p)",
    "three change places":
        "p, r, s = 1, 2, 3\nfor i in range(n):\n    p, r, s = r, s, p\n"
        "return p * 100 + r * 10 + s",
    "elements change places": "for i in range(3):\n    x[i], x[6 - i] = x[6 - i], x[i]",
    "an index is assigned first": "i = 0\ni, x[i] = 3, 8.0\nreturn i",
    "chains": "p = r = s = n\np += 1\nr *= 2\ns = s\nreturn p * 10000 + r * 100 + s",
    "a name of itself": "s = x[0]\ns = s\nr = s\ns = r + s\nnote(words, 0, 0, s)\nnote(words, 0, 1, r)",
    "a name before it changes": "s = x[0]\nr = s\ns = s + 1\nnote(words, 0, 0, r)\nnote(words, 0, 1, s)",
    "an element before it changes":
        "s = x[0]\nx[0] = 9.0\nnote(words, 0, 0, s)\nnote(words, 0, 1, x[0])",
    "a length before it changes": "s = n + 1\nn = 100\nreturn s",
    "shadowed names": "range_ = 3\nabs = 4\nlen = n\nreturn abs * 10 + len + range_",
    "a parameter of a known name": "return shadow(n, 4)",
    "the sum of an index": "for i in range(3):\n    for j in range(i):\n        z[0] += i * j\nreturn n",
    "ranges": """
k = 0
for i in range(5):
    k = k * 3 + i
for i in range(2, 5):
    k = k * 3 + i
for i in range(5, 2):
    k = k * 3 + i
for i in range(5, -5, -3):
    k = k * 3 + i
for i in range(-5, 5, 4):
    k = k * 3 + i
for i in range(3, 3):
    k += 1000
for i in range(n, m, m):
    k = k * 2 + i
for i in range(m, n, n - 3):
    k = k * 2 + i
for i in range(n, m, n):
    k += 1000
for i in range(z[0]):
    k += i
for i in range(b[1], b[4], b[1]):
    k += i
return k
""",
    "a step with either sign": """
for s in (-2, -1, 1, 2):
    for d in range(-3, 4):
        if d != 0:
            k = 0
            for i in range(s, n * d, d):
                k = k * 7 + i
            note(words, (s + 2) * 7 + d + 3, 0, k)
""",
    "the end of a range is looked up once": "k = n\nfor i in range(k):\n    k += 1\nreturn k",
    "the loop's variable is a Python number": "for i in range(z[0]):\n    note(words, i, 0, i + 1)",
    "over an array": "r = 0\nfor k in z:\n    note(words, r, 0, k)\n    z[5] = 1\n    r += 1",
    "over small numbers": "r = 0\nfor k in b:\n    note(words, r, 0, k + k)\n    r += 1",
    "over booleans": "r = 0\nfor k in t:\n    note(words, r, 0, k)\n    r += 1",
    "over a column":
        "r = 0\nfor k in y[:, 2]:\n    note(words, r, 0, k)\n    r += 1\nfor k in y.T[2]:\n"
        "    note(words, r, 1, k)\n    r += 1",
    "over nothing": "r = 0\nfor k in e[:, 0]:\n    r += 1\nfor k in x[3:3]:\n    r += 1\nreturn r",
    "over values": "s = 0.0\nfor k in (1.5, 2.5, 3.5):\n    s = s * 2 + k\nnote(words, 0, 0, s)",
    "over no values": "s = 0.0\nfor k in ():\n    s = 5.0\nnote(words, 0, 0, s)",
    "over values of several kinds": "for k in (1.5, 2, x[0], y[0, 0], z[1], b[2]):\n    x[1] += k",
    "over arrays": "for k in (x, w[1]):\n    k[0] = k[1] + k.size\nreturn len(w)",
    "a while loop": "s = 0\nwhile n > 0:\n    s = s * 10 + n\n    n -= 1\nreturn s",
    "a while loop without turns": "while n > 50:\n    n += 1\nreturn n",
    "a while loop that only a return ends": "while True:\n    n += 1\n    if n > 20:\n        return n",
    "a condition that is known":
        "while False:\n    n = 0\nif 1 > 2:\n    n = 7\nif 2 > 1 or n:\n    n += 1\nreturn n",
    "an early return in loops":
        "for i in range(4):\n    for j in range(6):\n        if y[i, j] > 1:\n"
        "            return i * 10 + j\n        y[i, j] = 5\nreturn -1",
    "an early return without a number":
        "for i in range(7):\n    x[i] = 1\n    if i == n:\n        return",
    "every way returns":
        "if n > 3:\n    if m > 0:\n        return 1\n    else:\n        return 2\nelse:\n"
        "    return 3",
    "statements after a return": "return n\nn = undefined",
    "parts": """
for s in (x[2:5], x[:3], x[3:], x[:], x[2:2], y[1], y[1:3, 2], y[1, 2:4], y[:, 1], y[1:3][1], y.T[1],
          q[1, 2], q[0][1], q[1, :, 2], q[:, 1, 3], q.T[1, 2], w[1][1:]):
    for i in range(s.shape[0]):
        note(words, i, 0, i)
        s[i] = s[i] * 2 + i
    if s.size > 0:
        s[-1] = 3
    if len(s) > 1:
        s[-2] += 1
""",
    "parts of two axes": """
for s in (y[1:3], y[:, 2:5], y[1:3, 2:5], y.T, y.T[1:3], y[1:, :2], q[1], q[:, 1], q[:, :, 2],
          q[0, 1:], q[0, :, 1:3], y[:, :], e):
    m = s.shape[0] * 100 + s.shape[1] * 10
    for i in range(s.shape[0]):
        for j in range(s.shape[1]):
            s[i, j] = s[i, j] + i * 10 + j
""",
    "parts that know their length":
        "s = y[1:3]\n"
        "return s.shape[0] * 1000 + s.shape[1] * 100 + s.size + len(s[0]) + s[0].size",
    "a part with computed ends":
        "s = x[z[3] - 5:z[0] + 1]\nfor i in range(len(s)):\n    s[i] = i\n"
        "note(words, 0, 0, len(s))",
    "all of a part": "x[2:4] = 7\ny[1] = 2.5\nq[0] = n\nw[1][:] = 0.1\nt[1:3] = True\nb[:2] = n",
    "three axes":
        "for i in range(2):\n    for j in range(3):\n        for k in range(4):\n"
        "            q[i, j, k] = q.T[k, j, i] * i + q[i][j][k] - q[i, j][k]",
    "flat":
        "for i in range(y.size):\n    y.flat[i] = y.flat[i] + i\nfor i in range(q.size):\n"
        "    q.flat[i] += i\ny.flat[-1] = 9\nnote(words, 0, 0, y[1].flat[2])",
    "a number without axes":
        "c[()] = c[()] * 2\nnote(words, 0, 0, c[()])\nreturn c.size * 10 + len(c.shape)",
    "small indices":
        "for i in range(3):\n    y[b[1] + b[1], b[1]] = i\n"
        "    note(words, i, 0, y[b[1], w[2][0][0]])",
    "an index that its dtype holds barely":
        "big[b[3], 1] = 5\nbig[b[2], b[1]] += 1\nnote(words, 0, 0, big[b[3], b[1]])",
    "attributes":
        "note(words, 0, 0, x.itemsize)\nnote(words, 0, 1, y.itemsize + b.itemsize)\n"
        "note(words, 0, 2, y.dtype.type(3))\nnote(words, 0, 3, x.dtype.type(n))\n"
        "return y.shape[1] + y.shape[-2] + q.T.shape[0]",
    "tuples":
        "p, (r, s), k = w[0], w[2], w[1:]\nnote(words, 0, 0, r[0])\nnote(words, 0, 1, s)\n"
        "note(words, 0, 2, len(k))\nnote(words, 0, 3, w[-1][0][1])\n"
        "note(words, 0, 4, w[::2][0])\nreturn p + len(w[2:0]) + len(w[:2])",
    "whole numbers wrap around in their dtypes": """
for i in range(5):
    b[i] += b[i]
    b[i] = b[i] * b[i] - b[1]
    z[i] = z[i] * z[5] * z[5]
note(words, 0, 0, b[2] + b[3])
note(words, 0, 1, b[2] * 3 + 200)
note(words, 0, 2, -b[2])
note(words, 0, 3, ~b[2])
note(words, 0, 4, -z[4])
note(words, 0, 5, int8(b[2]))
note(words, 0, 6, uint8(z[4]))
note(words, 0, 7, uint64(z[4]))
note(words, 0, 8, uint64(z[4]) >> uint64(60))
note(words, 0, 9, uint64(0x9E3779B97F4A7C15) * uint64(z[3]))
note(words, 0, 10, uint64(18446744073709551615) > uint64(z[0]))
note(words, 0, 11, float64(uint64(0x9E3779B97F4A7C15)))
note(words, 0, 12, float32(z[5]))
""",
    "sums of booleans are counted where it is said":
        "s = 0\nfor k in t:\n    if k:\n        s += 1\n"
        "note(words, 0, 0, int64(t[0]) + int64(t[2]))\n"
        "note(words, 0, 1, t[0] & t[1] | t[2] ^ t[3])\nnote(words, 0, 2, x[0] * t[0])\n"
        "return s",
    "or, and look only as far as they must": """
for i in range(9):
    note(words, i, 0, i < 7 and x[i] > 0)
    note(words, i, 1, i >= 7 or x[i] > 0)
    if (i < 4 and t[i] and not (i > 4 or y[i, 0] > 0)) or i == 8:
        note(words, i, 2, i)
    if i > 6 or i >= 0 and x[i] > 0.5 or not i:
        note(words, i, 3, i)
    note(words, i, 4, 0.0 if i > 6 else float(x[i]))
""",
    "and, or of calls":
        "s = add_atomic(z, 0, 1) > 5 and add_atomic(z, 1, 1) > 5\n"
        "s = add_atomic(z, 2, 1) < 5 or add_atomic(z, 3, 1) > 5\n"
        "if n > 7 and add_atomic(z, 4, 1) > 5:\n    n = 0\nreturn n",
    "from left to right":
        "s = add_atomic(z, 0, 1) < add_atomic(z, 0, 1)\nnote(words, 0, 0, s)\n"
        "note(words, 0, 1, add_atomic(z, 0, 1) - add_atomic(z, 0, 1))\n"
        "z[1] += add_atomic(z, 1, 5)\n"
        "x[add_atomic(z, 2, 1)], x[add_atomic(z, 2, 1)] = 7.0, 8.0",
    "not a number": """
x[0] = float("nan")
for i in range(3):
    for j in range(3):
        note(words, i * 3 + j, 0, x[i] < x[j])
        note(words, i * 3 + j, 1, x[i] == x[j])
        note(words, i * 3 + j, 2, x[i] != x[j])
        note(words, i * 3 + j, 3, maximum(x[i], x[j]))
        note(words, i * 3 + j, 4, minimum(x[i], x[j]))
        note(words, i * 3 + j, 5, not x[i] >= x[j])
        note(words, i * 3 + j, 6, isfinite(x[i] * x[j]))
        note(words, i * 3 + j, 7, x[i] if x[i] else x[j])
        if not x[i] < x[j] and not x[i] > x[j]:
            note(words, i * 3 + j, 8, i)
""",
    "the sign of zero":
        "x[0] = -0.0\nnote(words, 0, 0, x[0])\nnote(words, 0, 1, -x[0])\n"
        "note(words, 0, 2, x[0] + 0.0)\nnote(words, 0, 3, 0.0 - x[0])\n"
        "note(words, 0, 4, x[0] * 1)\nnote(words, 0, 5, zero_of(0.0, x))\n"
        "note(words, 0, 6, zero_of(-0.0, x))",
    "several returns": """
r = 0
for i in range(-3, 9):
    note(words, r, 0, helpers.clipped(i, 0, 5))
    note(words, r, 1, helpers.nested(i, 0, 5))
    note(words, r, 2, helpers.nested(float(i), 0.5, 4.5))
    note(words, r, 3, helpers.changed(i, i))
    note(words, r, 4, helpers.clipped(helpers.clipped(i, 1, 7), 2, helpers.clipped(i, 3, 6)))
    note(words, r, 5, helpers.nested(x[3], x[1], x[2] + i))
    r += 1
""",
    "functions that write":
        "helpers.written(x, -1, 5.0)\nhelpers.written(x, 2, 5.0)\n"
        "helpers.written(x[3:], 1, n)\nfill(y, 3)\nfill(y[1:3], 4)\nfill(y.T, n)",
    "functions of other kinds":
        "note(words, 0, 0, total(x))\nnote(words, 0, 1, total(y[0]))\n"
        "note(words, 0, 2, total(y[:, 0]))\nnote(words, 0, 3, total(z))\n"
        "note(words, 0, 4, total(x[2:4]))\nnote(words, 0, 5, helpers.power(x[0], n))\n"
        "note(words, 0, 6, helpers.power(n, 3))\nreturn helpers.first_above(x, 0.3)",
    "functions with tuples":
        "p, r = helpers.parts(y)\nr[0, 0] = p[1]\nnote(words, 0, 0, of_team((n, (x, m), w)))\n"
        "note(words, 0, 1, of_team((n, (x[2:], 4), w)))",
    "functions with functions and dtypes":
        "note(words, 0, 0, applied(twice, x[0], float32))\n"
        "note(words, 0, 1, applied(thrice, z[1], int8))",
    "two of one array":
        "fold(x, x)\nfold(x[1:4], x[2:5])\nfold(w[1], w[1][:2])\nfold_both((x[3:], x), n)",
    "memory in another shape": """
s = shaped(q, (4, 6))
s[1, 2] = 5
r = shaped(q, (z[0], 2))
r[2, 1] = 7
note(words, 0, 0, r.shape[0] + 1)
note(words, 0, 1, shaped(y[1:], (z[0] * 6,)).size)
shaped(c, (1,))[0] = 8
k = in_words(z, 2, y, (2, 3))
k[1, 2] = 0.5
k[0, 0] = k[1, 2] + n
note(words, 0, 2, k.shape[1])
own = y[1:3]
every = rows_of_all(own, 1, 4)
every[0, 0] = 3
every[3, 5] = own[0, 2]
note(words, 0, 3, every.shape[0])
""",
    "stacks": """
p = at(stack, 1)
p[2, 1] = 5
r = own_rows(stack, 1, 2)
for i in range(3):
    s = at(r, i)
    for k in range(s.size):
        s.flat[k] = s.flat[k] + 10 * i
    fold(s[0], at(r, 2 - i)[1])
note(words, 0, 0, r.shape[1] + p.shape[0])
at(y, 2)[1] = n
""",
    "blocks turned":
        "turned_block(square4, (0, 1, 2, 3), 0, other4, 0)\n"
        "turned_block(square4, (3, 1, 1, 0), 2, other6, 0)",
    "counters":
        "note(words, 0, 0, add_atomic(z, 1, 5))\nnote(words, 0, 1, look(z, 1))\n"
        "note(words, 0, 2, add_atomic(z, n - 3, -z[0]))\nnote(words, 0, 3, look(z, -1))\n"
        "add_atomic(z[2:], 1, 7)",
    "known numbers":
        "note(words, 0, 0, 7 // 2 * 3 % 5 - 2 ** 3)\nnote(words, 0, 1, 7 / 2)\n"
        "note(words, 0, 2, -7 // 2)\nnote(words, 0, 3, -7 % 3)\n"
        "note(words, 0, 4, 1 << 40 | 3)\nnote(words, 0, 5, not 3)\n"
        "note(words, 0, 6, 2 ** -1)\nnote(words, 0, 7, 3 if True else 4)\n"
        "note(words, 0, 8, ~5)\nnote(words, 0, 9, 0.1 + 0.2)\n"
        "note(words, 0, 10, min(3, 2) + max(4, 5))\nnote(words, 0, 11, abs(-3))\n"
        "note(words, 0, 12, float('-inf'))\nnote(words, 0, 13, 2 ** 64 > n)",
    "numbers of modules":
        "note(words, 0, 0, np.pi * n)\nnote(words, 0, 1, y[0, 0] * np.pi)\n"
        "note(words, 0, 2, np.float32(0.1) * np.pi)\nnote(words, 0, 3, THIRD * x[0])\n"
        "note(words, 0, 4, WHOLE + b[1])",
    "dividing by nothing":
        "note(words, 0, 0, z[0] // z[2])\nnote(words, 0, 1, z[0] % z[2])\n"
        "note(words, 0, 2, b[2] // b[0])\nnote(words, 0, 3, x[0] / (x[0] - x[0]))\n"
        "lowest[0] = lowest[0] // z[1] // -z[1]\nnote(words, 0, 4, lowest[1] // -b_one[0])\n"
        "note(words, 0, 5, lowest[1] % -b_one[0])",
}  # fmt: skip

MORE = """
from tests.engine.compiler import helpers

THIRD, WHOLE = 1 / 3, 7


def shadow(range, len):
    abs = range + len
    return abs


def fill(a, x):
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] = x


def total(a):
    s = a[0]
    for i in range(1, a.shape[0]):
        s = s + a[i]
    return s


def of_team(team):
    k, (a, more), rest = team
    s = a[0] * k
    for i in range(len(rest[1])):
        s += rest[1][i] * more
    return s


def twice(x):
    return x * 2


def thrice(x):
    return x * 3


def applied(f, x, dtype):
    for i in range(2):
        x = f(x)
    return dtype(x)


def fold(a, b):
    for i in range(min(len(a), len(b))):
        a[i] = a[i] + b[-1] * 2
        b[i] = b[i] - a[0]


def fold_both(team, n):
    a, b = team
    for i in range(n - 3):
        fold(a, b)


def zero_of(sign, a):
    for i in range(1):
        a[6] = sign
    return a[6]

"""
ARRAYS: dict[str, Any] = {
    "stack": np.arange(24.0).reshape(3, 4, 2),
    "big": np.zeros((256, 3)), "lowest": np.array([-(2**63), -(2**63)]), "b_one": np.array([1]),
    "square4": np.arange(24, dtype=np.float32).reshape(4, 6),
    "other4": np.zeros((4, 4), np.float32), "other6": np.zeros((6, 4), np.float32),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_both_leave_the_same(name: str) -> None:
    body = BODIES[name].strip()
    used = set(re.findall(r"\w+", body))
    given = {k: v for k, v in {**GIVEN, **ARRAYS}.items() if k in used | {"n"}}
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    text = f"{HEAD}{MORE}\n\ndef f({', '.join(given)}):\n{lines}"
    both(text, "f", given)
    # Some numbers may be known when the text is translated: the same comes out.
    known = {k: v for k, v in given.items() if k in ("n", "m")}
    both(text, "f", given, **known)
    # With the freedom that kernels take, as much but for some roundings.
    slack = 64 if name not in ("over values of several kinds", "two of one array") else 512
    if name != "the sign of zero":
        same(compiled(text, "f", given), plain(text, "f", given), slack)


# -- rows abreast -------------------------------------------------------------------------------------

#: Bodies of functions of p, q and r, arrays with n rows side by side, of constants, and of sums.
ROWS = {
    "of each row": """
for i in abreast(n):
    s = p[i, 0] * 2 + p[i, 1]
    q[i, 0] = s if s > 0 else -s
    q[i, 1] = maximum(s, p[i, 2]) + q[i, 0]
""",
    "the numbers of rows": """
for i in abreast(n):
    q[i, 0] = i * 3 + m
    q[i, 1] = min(i, m) + max(2, i)
""",
    "loops within": """
for i in abreast(n):
    s = p[i, 0] * 0
    for k in range(3):
        s += p[i, k] * w[k]
        q[i, 1] = s
    q[i, 0] = s
""",
    "numbers of all rows": """
for i in abreast(n):
    r[i] = (k[i] << uint64(3)) ^ uint64(i)
""",
    "whole numbers": """
for i in abreast(n):
    r[i] = k[i] // uint64(7) + k[i] % uint64(1000) * (k[i] >> uint64(60))
""",
    "what is picked": """
for i in abreast(n):
    q[i, 0] = w[ids[i]]
    q[i, 1] = table[ids[i], 1] + table[ids[n - 1 - i], 0]
""",
    "a sum": """
s = float32(0.5)
for i in abreast(n):
    s += p[i, 0]
w[0] = s
""",
    "a count": """
t = float32(0)
for i in abreast(n):
    t += 0.5
    t += p[i, 1]
w[0] = t
""",
    "sums of columns": """
for i in abreast(n):
    for c in range(3):
        w[c] += p[i, c]
    w[1] += 1.0
""",
    "numbers with conditions": """
for i in abreast(n):
    s = (p[i, 0] > 0 and p[i, 1] > 0) or not p[i, 2] > 0
    q[i, 0] = 1.0 if s else 2.0
    q[i, 1] = p[i, 0] if p[i, 1] < p[i, 2] else p[i, 1]
""",
    "stacks": """
a = own_rows(stack, 0, n)
for k in range(2):
    c, d = at(a, k), at(a, k + 1)
    for i in abreast(n):
        d[i, 1] = c[i, 0] + d[i, 1]
    for i in abreast(d.size):
        d.flat[i] = d.flat[i] * 2
w[0] = a.shape[1]
""",
    "loops one after the other": """
for i in abreast(n):
    t = p[i, 0]
    q[i, 0] = t
for i in abreast(n):
    t = q[i, 0]
    q[i, 1] = t * t
""",
}  # fmt: skip


@pytest.mark.parametrize("n", [0, 1, 7, 16, 61])
@pytest.mark.parametrize("name", ROWS)
def test_rows_abreast(name: str, n: int) -> None:
    """One row in each lane: the same as row by row, sums but for their order."""
    rng, room = np.random.default_rng(n), -(-max(n, 1) // 32) * 32
    given: dict[str, Any] = {
        "n": n, "m": 5, "p": Sized(rng.normal(size=(3, room)).astype(np.float32), rows_last=True),
        "q": Sized(np.zeros((2, room), np.float32), rows_last=True),
        "w": Sized(rng.normal(size=4).astype(np.float32)),
        "table": rng.normal(size=(4, 2)).astype(np.float32),
        "stack": Sized(
            rng.normal(size=(3, 2, room)).astype(np.float32), rows_last=True, stacked=True
        ),
        "r": Sized(np.zeros(room, np.uint64), rows_last=True),
        "k": Sized(rng.integers(0, 2**63, room).astype(np.uint64), rows_last=True),
        "ids": rng.integers(0, 4, n), "words": np.zeros((1, 1), np.uint64),
    }  # fmt: skip
    lines = "".join(f"    {line}\n" for line in ROWS[name].strip().splitlines())
    text = f"{HEAD}from chainrule.engine.compiler.vectors import abreast\n\n\n"
    text += f"def f({', '.join(given)}):\n{lines}"
    with as_written_only():
        ours = compiled(text, "f", given)
    same(ours, plain(text, "f", given), 0 if "sum" not in name and "count" not in name else 64)


# -- memory and threads -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        pytest.param(dtype, size, marks=[pytest.mark.long] if (i + j) % 2 else [])
        for i, dtype in enumerate(("float32", "float64"))
        for j, size in enumerate(
            [(5, 7, 3), (1, 1, 1), (64, 3, 40), (4, 0, 3), (0, 4, 3), (4, 3, 0), (2, 9, 1)]
        )
    ],
)
def test_products_with_rows_that_lie_apart(
    dtype: str, size: tuple[int, int, int], capfd: pytest.CaptureFixture[str]
) -> None:
    m, inner, n = size
    rng = np.random.default_rng(0)
    for turn_a, turn_b, more, apart in np.ndindex(2, 2, 2, 2):
        wide = 3 if apart else 0
        a = rng.normal(size=((inner, m + wide) if turn_a else (m, inner + wide))).astype(dtype)
        b = rng.normal(size=((n, inner + wide) if turn_b else (inner, n + wide))).astype(dtype)
        out = rng.normal(size=(m, n + wide)).astype(dtype)
        cut = [
            f"[:, 1:1 + {k}]" if apart else "" for k in ("mi"[not turn_a], "ni"[turn_b == 1], "n")
        ]
        text = f"""{HEAD}
def f(blas, a, b, out, m, n, i, more):
    gemm(blas, {bool(turn_a)}, {bool(turn_b)}, a{cut[0]}, b{cut[1]}, {more and "more > 0"}, out{cut[2]})
""".replace(", 0, out", ", False, out")
        given = {"a": a, "b": b, "out": out, "m": m, "n": n, "i": inner, "more": 1}
        with blas().alone():
            ours = compiled(text, "f", {"blas": blas().address(np.dtype(dtype)), **given})
        theirs = plain(text, "f", {"blas": 0, **given})
        slack = (1 + inner) * 20 * float(np.finfo(dtype).eps)
        np.testing.assert_allclose(ours.given["out"], theirs.given["out"], rtol=0, atol=slack)
    assert capfd.readouterr() == ("", "")  # BLAS says what it does not like


def test_counters_that_threads_share() -> None:
    text = f"""{HEAD}
def f(words, n):
    for i in range(n):
        if add_atomic(words, 3, 2) % 2 != 0:
            return -1
        add_atomic(words, 5, -1)
    return n
"""
    words, n = np.zeros(8, np.int64), 20000
    given = {"words": words, "n": n}
    code = cache.Code(entry.SYMBOL, entry.machine_code(text, "text.py", "f", given, {}))
    kernel, results = machine.Kernel(code), []
    threads = [
        threading.Thread(target=lambda: results.append(kernel.call(given)())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [n] * 4
    assert words.tolist() == [0, 0, 0, 8 * n, 0, -4 * n, 0, 0]


def test_a_function_of_c_is_called_by_its_address() -> None:
    calls = []

    def called() -> int:
        calls.append(1)
        return 0

    function = ctypes.CFUNCTYPE(ctypes.c_int)(called)
    address = ctypes.cast(function, ctypes.c_void_p).value
    text = (
        f"{HEAD}\ndef f(words):\n    if words[0]:\n        call(words[0])\n        call(words[0])\n"
    )
    compiled(text, "f", {"words": np.array([address], np.int64)})
    compiled(text, "f", {"words": np.array([0], np.int64)})
    assert calls == [1, 1]


# -- names that others have, too ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["sin", "pow", "entry", "cbrt", "memset", "fmod", "malloc", "größe", "x_1"]
)
def test_a_function_may_be_called_as_one_of_c(name: str) -> None:
    """Such as the rule of somebody's optimizer, whose class is called so."""
    text = f"""{HEAD}
def {name}(a, k):
    for i in range(len(a)):
        a[i] = np.cbrt(np.sin(a[i])) ** (0.5 + k) + np.remainder(a[i], 3.0)
        a[i] = a[i] * k
    return k


def f(x, n):
    x[:] = 2
    return {name}(x, n)
"""
    given = {"x": np.arange(5.0), "n": 3}
    ours, theirs = compiled(text, "f", given), plain(text, "f", given)
    same(ours, theirs, 64)


# -- memory that two arguments share ------------------------------------------------------------------

SHARED = f"""{HEAD}
def shift(to, by):
    for i in range(1, min(len(to), len(by) + 1)):
        to[i] = by[i - 1] + 1
    return 0


def inner(to, by, far):
    for i in range(1):
        shift(to, by)
        shift(far, by)
    return 0


def f(a, b):
    shift(a, b)
    inner(a, b, b)
    inner(a[1:], a[:4], b)
    inner(b[2:], b[1:4], a)
    return 0
"""


@pytest.mark.parametrize("known", [{}, {"shards": 1}])
def test_arrays_of_one_memory(known: dict[str, int]) -> None:
    """The same memory in two arguments of the kernel, and in two of a function, and of one in that."""
    memory, again = np.arange(10.0), np.arange(10.0)
    code = cache.Code(
        entry.SYMBOL,
        entry.machine_code(SHARED, "text.py", "f", {"a": memory, "b": memory}, known),
    )
    machine.Kernel(code).call({"a": memory[:6], "b": memory[2:9]})()
    names: dict[str, Any] = {}
    exec(SHARED, names)
    names["f"](again[:6], again[2:9])
    np.testing.assert_array_equal(memory, again)
