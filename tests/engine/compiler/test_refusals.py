"""What the language does not have is refused, with the file, the line, what stands there, and why."""

from __future__ import annotations

import ast
import re
import textwrap
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from tests.engine.compiler.language import HEAD

from chainrule.engine.compiler import entry
from chainrule.engine.compiler.refusals import Broken, Refused
from chainrule.engine.compiler.sized import Sized
from chainrule.engine.compiler.target import vector_bytes

MORE = """
from chainrule.engine.compiled.elementary import *
from chainrule.engine.compiler.vectors import *
from tests.engine.compiler import helpers

def twice(x):
    return x * 2

def all_of(a):
    for i in range(2):
        if a[i] > 0:
            return i
"""
START = f"{HEAD}{MORE}\n\ndef f(n, x, y, z, t, b, c, w, sized):\n"
GIVEN = {
    "n": 3, "x": np.zeros(5), "y": np.zeros((3, 4), np.float32), "z": np.zeros(4, np.int64),
    "t": np.zeros(4, bool),
    "b": np.zeros(3, np.uint8), "c": np.zeros(()), "w": (1, np.zeros(2)),
    "sized": Sized(np.zeros((2, 64), np.float32), rows_last=True),
}  # fmt: skip
#: The numbers of a vector of float64.
WIDE = vector_bytes() // 8

#: What stands in the body of a function, the line that is refused (its last, if it is none), and why.
REFUSED: list[tuple[str, str] | tuple[str, str, str]] = [
    # statements
    ("raise ValueError", "a statement of this kind (Raise)"),
    ("import os", "a statement of this kind (Import)"),
    ("with x:\n    pass", "with x:", "a statement of this kind (With)"),
    ("try:\n    pass\nfinally:\n    pass", "try:", "a statement of this kind (Try)"),
    ("def g():\n    pass", "def g():", "a statement of this kind (FunctionDef)"),
    ("del n", "a statement of this kind (Delete)"),
    ("global number", "a statement of this kind (Global)"),
    ("assert n", "a statement of this kind (Assert)"),
    ("for i in range(3):\n    break", "a statement of this kind (Break)"),
    ("for i in range(3):\n    continue", "a statement of this kind (Continue)"),
    # assignments
    ("n.size = 3", "an assignment of this kind"),
    ("[n] = w", "an assignment of this kind"),
    ("n.size += 3", "an assignment of this kind"),
    ("p, q = (1, 2, 3)", "several names for another number of values"),
    ("p, q = n", "several names for another number of values"),
    ("(p, q), r = w", "several names for another number of values"),
    ("s = 0\ns = 0.5", "s is a int and becomes a float"),
    ("s = 0.5\ns = 1", "s is a float and becomes a int"),
    ("s = y[0, 0]\ns = 0.1", "s is a float32 and becomes a float"),
    ("s = y[0, 0]\ns = x[0]", "s is a float32 and becomes a float64"),
    ("n = 0.5", "n is a int and becomes a float"),
    ("s = 0\ns += x[0]", "s is a int and becomes a float64"),
    ("y[1:2] += 1", "a change of many elements at once: write the loop"),
    ("y[1] += 1", "a change of many elements at once: write the loop"),
    ("x[0] = x", "an element that is not a number: write the loop"),
    ("x[:] = w", "an element that is not a number: write the loop"),
    ("y[:, 1:2] = 0", "all elements of a part that does not lie in one piece"),
    ("y.T[:] = 0", "all elements of a part that does not lie in one piece"),
    # what a name stands for depends on the way
    ("return p", "p is not defined"),
    ("s = s + 1", "s may have no value here"),
    ("if n > 2:\n    s = 1\nreturn s", "s may have no value here"),
    ("if n > 2:\n    s = 1\nelse:\n    r = 1\nreturn s", "s may have no value here"),
    ("for i in range(n):\n    s = 5\nreturn s", "s may have no value here"),
    ("for i in range(n):\n    pass\nreturn i", "i may have no value here"),
    ("i = 0\nfor i in range(n):\n    pass\nreturn i", "i may have no value here"),
    ("for k in z:\n    pass\nreturn k", "k may have no value here"),
    ("for i in range(n):\n    if i > 0:\n        z[0] = last\n    last = i", "z[0] = last",
     "last may have no value here"),
    ("while n > 3:\n    s = n\n    n -= 1\nreturn s", "s may have no value here"),
    ("while s < 3:\n    s = 4", "while s < 3:", "s may have no value here"),
    ("if n:\n    p = x\nelse:\n    p = w[1]\nreturn p.size", "p may have no value here"),
    ("p = x\nif n:\n    p = w[1]\nreturn p.size", "p may have no value here"),
    ("p, q = x, w[1]\nfor i in range(n):\n    p[0] = 1\n    p, q = q, p", "for i in range(n):",
     "p is something else in the next turn of the loop"),
    ("p = x\nwhile p[0] > n:\n    p = p[1:]", "while p[0] > n:",
     "p is something else in the next turn of the loop"),
    # loops
    ("for i in range(3):\n    pass\nelse:\n    n = 1", "for i in range(3):", "a loop of this kind"),
    ("while n < 3:\n    n += 1\nelse:\n    n = 9", "while n < 3:", "a loop of this kind"),
    ("for i, j in w:\n    pass", "for i, j in w:", "a loop of this kind"),
    ("for i in range(n):\n    i = 3", "for i in range(n):", "i is assigned within its own loop"),
    ("for i in range(0, 3, 0):\n    pass", "for i in range(0, 3, 0):", "a range with a step of 0"),
    ("for i in range():\n    pass", "for i in range():", "a range of this kind"),
    ("for i in range(1, 2, 3, 4):\n    pass", "for i in range(1, 2, 3, 4):", "a range of this kind"),
    ("for i in range(1.5):\n    pass", "for i in range(1.5):", "1.5 is no whole number"),
    ("for i in range(x[0]):\n    pass", "for i in range(x[0]):", "x[0] is no whole number"),
    ("for i in range(t[0]):\n    pass", "for i in range(t[0]):", "t[0] is no whole number"),
    ("for i in y:\n    pass", "for i in y:", "a loop over this"),
    ("for i in enumerate(x):\n    pass", "for i in enumerate(x):", "enumerate is not a function of a kernel"),
    ("for i in n:\n    pass", "for i in n:", "a loop over this"),
    # returns
    ("return 0.5", "", "a result with a fraction"),
    ("return x", "several returns, or a loop, in a function that gives no number"),
    ("if n > 1:\n    return 1\nreturn z[0]", "f gives a int or a int64"),
    ("if n > 1:\n    return\nreturn 1", "f gives a number only sometimes"),
    ("if n > 1:\n    return 1", "if n > 1:", "f gives a number only sometimes"),
    ("return all_of(x)", "for i in range(2):", "all_of gives a number only sometimes"),
    ("return helpers.sometimes(n)", "if x > 0:", "sometimes gives a number only sometimes"),
    ("z[0] = helpers.either(z[1])", "return 0", "either gives a int64 or a int"),
    ("p = helpers.one_of_two(n)", "return (x, x)",
     "several returns, or a loop, in a function that gives no number"),
    # expressions
    ("p = [1]", "an expression of this kind (List)"),
    ("p = {1: 2}", "an expression of this kind (Dict)"),
    ("p = [i for i in z]", "an expression of this kind (ListComp)"),
    ("p = lambda: 1", "an expression of this kind (Lambda)"),
    ("p = (s := 3)", "an expression of this kind (NamedExpr)"),
    ("p = f'{n}'", "an expression of this kind (JoinedStr)"),
    ("p = (yield)", "an expression of this kind (Yield)"),
    ("p = twice(*w)", "an expression of this kind (Starred)"),
    ("p = n + 'text'", "'text' is not a number"),
    ("p = n + x", "x is not a number"),
    ("p = n + None", "None is not a number"),
    ("p = 1j * n", "1j is not a number"),
    ("x += 1", "x is not a number"),
    ("p = -x", "x is not a number"),
    ("p = not w", "w is not a number"),
    ("if x:\n    pass", "if x:", "x is not a number"),
    ("p = n @ n", "an operator of this kind (MatMult)"),
    ("n @= n", "an operator of this kind (MatMult)"),
    ("p = n in w", "an operator of this kind (In)"),
    ("p = n is None", "an operator of this kind (Is)"),
    ("p = 1 < n < 3", "a chain of comparisons"),
    ("p = n and 3", "the value of n with and, or: it is no boolean"),
    ("p = t[0] or z[0]", "the value of z[0] with and, or: it is no boolean"),
    ("p = x[0] // 2", "// between numbers with a fraction"),
    ("p = x[0] % 2", "% between numbers with a fraction"),
    ("p = x[0] & 2", "& between numbers with a fraction"),
    ("p = z[0] ** 3", "a power of whole numbers"),
    ("p = t[0] + t[1]", "+ between bool and bool numbers"),
    ("p = t[0] * 2", "* between bool and int numbers"),
    ("p = (n > 2) + 1", "+ between bool and int numbers"),
    ("p = -t[0]", "-t[0] of a bool"),
    ("p = ~t[0]", "~t[0] of a bool"),
    ("p = ~x[0]", "~x[0] of a float64"),
    ("p = +(n > 1)", "+(n > 1) of a bool"),
    ("p = 1 / 0", "division by zero"),
    ("p = 1 << -1", "negative shift count"),
    ("p = 1.5 & 1", "unsupported operand type(s) for &: 'float' and 'int'"),
    ("p = (-8) ** 0.5", "(1.7319121124709868e-16+2.8284271247461903j) is no real number"),
    ("p = 7 ** 7000", "too large a number"),
    ("p = x[0] if n else z[0]", "either a float64 or a int64"),
    ("p = y[0, 0] if n else 0.1", "either a float32 or a float"),
    ("p = n if n else 0.5", "either a int or a float"),
    ("p = min(x[0], x[1])", "min and max of numbers with a fraction: write minimum, maximum"),
    ("p = max(n, z[0])", "either a int or a int64"),
    # numbers that do not fit
    ("b[0] = 256", "256 does not fit into a uint8"),
    ("p = b[0] + 256", "256 does not fit into a uint8"),
    ("p = uint8(-1)", "-1 does not fit into a uint8"),
    ("p = n + 2 ** 63", f"{2**63} does not fit into a int"),
    ("z[0] = 2 ** 63", f"{2**63} does not fit into a int64"),
    ("z[0] = float('inf')", "inf is no whole number"),
    # elements and parts
    ("p = x[0, 1]", "2 indices for an array of 1 axes"),
    ("p = x[0.5]", "0.5 is no whole number"),
    ("p = x[x[0]]", "x[0] is no whole number"),
    ("p = x[t[0]]", "t[0] is no whole number"),
    ("p = x[1.5:]", "1.5 is no whole number"),
    ("p = x.flat[0.5]", "0.5 is no whole number"),
    ("p = x[-2:]", "a part that is counted from the end"),
    ("p = x[::2]", "a part with a step"),
    ("p = x[None]", "None is not a number"),
    ("p = y[..., 0]", "... is not a number"),
    ("p = n[0]", "n has no elements"),
    ("p = helpers.table[0]", "helpers.table has no elements"),
    ("p = y.T.flat[0]", "flat of an array that does not lie in one piece"),
    ("p = shaped(y.T, (12,))", "another shape of an array that does not lie in one piece"),
    ("p = shaped(y, (x[0],))", "a length that is no whole number"),
    ("p = w[n]", "an index must be a number that the text says"),
    ("p = w[2]", "number 2 of 2 values"),
    ("p = x.strides", "x.strides is not known"),
    ("p = n.size", "n.size is not known"),
    ("p = np.nothing_at_all", "np.nothing_at_all is not known"),
    ("p = np.float16", "float16 numbers"),
    ("p = helpers.half", "float16 numbers"),
    # calls
    ("p = float(x=1)", "arguments by name"),
    ("p = print(n)", "print is not a function of a kernel"),
    ("p = int(x[0])", "int is not a function of a kernel"),
    ("p = np.exp(x[0])", "np.exp is not a function of a kernel"),
    ("p = n()", "n is not a function of a kernel"),
    ("p = helpers.table()", "helpers.table is not a function of a kernel"),
    ("p = twice(1, 2)", "twice takes 1 arguments, got 2"),
    ("p = helpers.with_default(1)", "with_default takes 2 arguments, got 1"),
    ("p = helpers.several_kinds(1)", "several_kinds takes other than plain arguments"),
    ("p = twice('text')", "str as an argument"),
    ("p = twice(None)", "NoneType as an argument"),
    ("p = helpers.unnamed(1)", "the source of <lambda> is not at hand"),
    ("p = helpers.itself(n)", "return x if x < 0 else itself(x - 1)", "itself calls itself"),
    ("p = helpers.itself_in_a_loop(n)", "x = itself_in_a_loop(x)", "itself_in_a_loop calls itself"),
    ("p = float64(x)", "x is not a number"),
    ("p = float64(1, 2)", "1, 2 is not a number"),
    ("p = float64()", " is not a number"),
    ("p = float(x)", "float of this"),
    ("p = float('text')", "could not convert string to float: 'text'"),
    ("p = len(n)", "the length of this"),
    ("p = len(c)", "the length of this"),
    ("p = abs(x)", "x is no number"),
    ("p = abs(1, 2)", "too many positional arguments"),
    ("p = abs(t[0])", "the absolute value of a boolean"),
    ("p = np.sign(t[0])", "the sign of a boolean"),
    ("p = np.sqrt(b[0])", "a function of a uint8 gives a float16"),
    ("p = exp(z[0])", "exp of a int64"),
    ("p = x[0].view(float32)", "a view of other bits"),
    ("p = x[0].view()", "a view of other bits"),
    ("p = n.view(int64)", "a view of a int as a int64"),
    ("p = t[0].view(uint8)", "a view of a bool as a uint8"),
    # memory and threads
    ("p = rows_of_all(y.T, 0, 3)", "rows of a batch lie one after the other"),
    ("p = at(x, 2)", "a stack of numbers"),
    ("p = own_rows(x, 0, 2)", "rows of a stack of numbers"),
    ("p = own_rows(sized, 1, 2)", "rows abreast that are not the first"),
    ("call_at(0, np.sum, y.T)", "an array that does not lie in one piece, for a compiled function"),
    ("call_at(0, np.sum, float32)", "Dtype as an argument of a compiled function"),
    ("gemm(0, n > 1, False, y, y, False, y)", "whether to transpose must be known"),
    ("gemm(0, False, False, y.T, y, False, y)", "columns lie one after the other"),
    ("gemm(0, False, False, y, shaped(x, (2, 2)), False, y)",
     "a product of float32 and float64 numbers as float32"),
    ("p = add_atomic(z, 0, 0.5)", "an amount that is no whole number"),
    ("p = add_atomic(x, 0, 1)", "counters are one int64 after the other"),
    ("p = look(y, 0)", "counters are one int64 after the other"),
    # vectors
    ("p = vector(x, 0) + vector(y, 0, 0)", f"a vector of {WIDE} numbers meets one of {2 * WIDE}"),
    ("p = vector(x, 0, 1)", "2 indices for an array of 1 axes"),
    ("p = vector(y, 0)", "1 indices for an array of 2 axes"),
    ("p = vector(y.T, 0, 0)", "a vector of elements that lie apart"),
    ("p = vector(t, 0)", "a vector of booleans"),
    ("x[0] = vector(x, 0)", "all rows write one element, or beyond an array"),
    ("p = total(vector(z, 0))", "the sum of a vector of whole numbers"),
    ("for i in range(vector(z, 0)):\n    pass", "for i in range(vector(z, 0)):",
     "a vector stands where one number should"),
    ("p = np.cbrt(vector(x, 0))", "cbrt of a vector"),
    ("if vector(x, 0) > 0:\n    pass", "if vector(x, 0) > 0:", "rows that go different ways"),
    ("p = several(n, 0.0)", "the number of variables must be a number that the text says"),
    ("p = several(2, 0.0)\np[2] = 1.0", "variable 2 of 2"),
    # rows abreast
    ("for i in abreast(n):\n    for j in abreast(n):\n        pass", "for j in abreast(n):",
     "a loop over several rows at a time within another"),
    ("for i in abreast(n):\n    return", "for i in abreast(n):",
     "a return from a loop over several rows at a time"),
    ("for i in abreast(n):\n    p = helpers.first_above(x, 1)",
     "first_above in a loop over several rows at a time"),
    ("for i in abreast(n):\n    p = sized[i]", "a part of an array for each row"),
    ("for i in abreast(n):\n    x[0] = 1", "all rows write one element, or beyond an array"),
    ("for i in abreast(n):\n    x[i] = 1", "all rows write one element, or beyond an array"),
    ("for i in abreast(n):\n    z[z[i]] = 1", "all rows write one element, or beyond an array"),
    ("for i in abreast(n):\n    z[z[i]] += 1", "rows that write anywhere in an array"),
    ("s = 0\nfor i in abreast(n):\n    s = s + 1", "rows that meet in one number, but for a sum"),
    ("s = 1.0\nfor i in abreast(n):\n    s *= sized[i, 0]", "rows that meet in one number, but for a sum"),
    ("for i in abreast(n):\n    for j in range(n):\n        x[j] += sized[i, 0]", "x[j] += sized[i, 0]",
     "sums over rows in an array that is not small and in one piece"),
    ("for i in abreast(n):\n    if sized[i, 0] > 0:\n        pass", "if sized[i, 0] > 0:",
     "rows that go different ways"),
]  # fmt: skip


def broken(body: str) -> Broken:
    with pytest.raises(Broken) as caught:
        entry.written(START + textwrap.indent(body, "    ") + "\n", "text.py", "f", GIVEN, {})
    assert isinstance(caught.value.__cause__, Refused)
    return caught.value


@pytest.mark.parametrize("case", REFUSED, ids=[case[0] for case in REFUSED])
def test_it_is_refused(case: Any) -> None:
    body, *where, why = case
    line = where[0] if where else body.splitlines()[-1].strip()
    said = str(broken(body))
    assert "\n" not in said
    place = re.match(r"(\w+\.py), line (\d+), `(.*?)`: ", said)
    assert place is not None
    assert said.endswith(f"`: {why}")
    if not line:  # of the whole function
        assert (place[1], place[2], place[3]) == ("text.py", "1", "f")
        return
    own = Path(__file__).with_name(place[1]) if place[1] == "helpers.py" else None
    lines = (own.read_text() if own else START + textwrap.indent(body, "    ")).splitlines()
    assert place[3] == line
    assert re.sub(r"\W", "", lines[int(place[2]) - 1]) == re.sub(r"\W", "", line)


@pytest.mark.parametrize("dtype", ["float16", "complex128", ">f8", "datetime64[s]"])
def test_an_argument_is_refused(dtype: str) -> None:
    with pytest.raises(Broken, match=r"^text.py, line 1, `f`: numbers of dtype "):
        entry.written("def f(x):\n    return 1\n", "text.py", "f", {"x": np.zeros(3, dtype)}, {})


def test_every_refusal_of_the_compiler_has_its_case() -> None:
    """Reached here, or by what no text can say yet: those are listed."""
    folder = Path(entry.__file__).parent
    reached = set()
    for body, *_ in REFUSED:
        error = broken(body).__cause__
        assert error is not None
        frames = traceback.extract_tb(error.__traceback__)
        reached.add((Path(frames[-1].filename).name, frames[-1].lineno))
    missing = {}
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and ast.unparse(node).startswith("raise Refused("):
                lines = {(path.name, n) for n in range(node.lineno, (node.end_lineno or 0) + 1)}
                if not lines & reached:
                    missing[ast.unparse(node)] = path.name
    by_other_means = {
        "raise Refused(f'numbers of dtype {x.dtype}')",  # of an argument: above
        "raise Refused(f'the source of {code.co_name} is not at hand') from None",
    }
    assert set(missing) <= by_other_means, missing
