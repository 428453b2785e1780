"""A kernel's text, with arguments of certain kinds, to an object file with the function `entry`.

`entry` takes the address of a table of 64-bit words with the arguments in order: an integer as
itself, an array as its address and its lengths, a tuple as its parts. It gives a 64-bit integer.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from itertools import count
from types import FunctionType
from typing import Any

import numpy as np

from chainrule.engine.compiler import (  # noqa: F401 - they register the language
    branches,
    calls,
    expressions,
    loops,
    operators,
    rules,
    statements,
    subscripts,
)
from chainrule.engine.compiler.arithmetic import cast
from chainrule.engine.compiler.arrays import with_rows_last
from chainrule.engine.compiler.control import subnormals_as_zero
from chainrule.engine.compiler.functions import Function
from chainrule.engine.compiler.kinds import INT, KINDS
from chainrule.engine.compiler.outlining import call_outside
from chainrule.engine.compiler.refusals import Broken, Refused
from chainrule.engine.compiler.sized import Sized
from chainrule.engine.compiler.target import object_file, vector_bytes
from chainrule.engine.compiler.values import Array, Number, Value, literal
from chainrule.engine.compiler.writer import Module, Writer

__all__ = ["SYMBOL", "machine_code", "written"]

SYMBOL = "entry"


def machine_code(
    source: str, file: str, name: str, given: Mapping[str, Any], known: Mapping[str, int]
) -> bytes:
    """The object file for the function `name` of a text.

    `known` are integers that the machine code is made for; a call with others is wrong.

    Raises:
        Broken: the text says what cannot be translated; it names the line.
    """
    return object_file(written(source, file, name, given, known))


def written(
    source: str, file: str, name: str, given: Mapping[str, Any], known: Mapping[str, int]
) -> str:
    """The text as LLVM IR."""
    try:
        tree = ast.parse(source)
        names: dict[str, Any] = {"__name__": "kernel"}
        exec(compile(source, file, "exec"), names)  # noqa: S102 - our own text
        own = {
            n.name: Function(n, names, file).marked_as(names[n.name])
            for n in tree.body
            if isinstance(n, ast.FunctionDef)
        }
        names.update({k: f for k, f in own.items() if isinstance(names[k], FunctionType)})
        module = Module(call_outside, vector_bytes())
        for function in own.values():
            function.inline, function.apart = False, function.node.name != name
        w = Writer(module)
        private = known.get("shards") == 1
        words = _words(w)
        arguments: list[Value] = []
        for key, x in given.items():
            taken = _taken(x, w, words, private and key != "crew")
            arguments.append(literal(known[key]) if key in known else taken)
        # The whole of the parameters is one argument, and each of them another.
        flushed = subnormals_as_zero(w) if own[name].flushing else nullcontext()
        with flushed:
            result = call_outside(w, own[name], arguments, apart=False)
        if isinstance(result, Number) and result.kind.sort == "f":
            raise Refused("a result with a fraction")
    except Refused as error:
        raise Broken(file, 1, name, str(error)) from error
    result = cast(w, result if isinstance(result, Number) else literal(0), INT)
    w.do(f"ret i64 {result.ir}")
    module.functions.append(f"define i64 @{SYMBOL}(i64 %words) nounwind {{\n{w.body()}\n}}")
    return module.text()


def _words(w: Writer) -> Iterator[str]:
    """The words of the table, one after the other."""
    table = w.op("inttoptr i64 %words to ptr")
    for i in count():
        yield w.op(f"load i64, ptr {w.op(f'getelementptr inbounds i64, ptr {table}, i64 {i}')}")


def _taken(x: Any, w: Writer, words: Iterator[str], private: bool) -> Value:
    if isinstance(x, Sized):
        a = _taken(x.array, w, words, private)
        lengths = tuple(map(literal, x.array.shape))
        if not x.rows_last:
            return dataclasses.replace(a, shape=lengths)
        return with_rows_last(w, dataclasses.replace(a, shape=lengths), stacked=x.stacked)
    if isinstance(x, tuple):
        return tuple(_taken(part, w, words, private) for part in x)
    if isinstance(x, np.ndarray):
        kind = KINDS.get(x.dtype.name)
        if kind is None or not x.dtype.isnative:
            raise Refused(f"numbers of dtype {x.dtype}")
        pointer = w.op(f"inttoptr i64 {next(words)} to ptr")
        shape = tuple(Number(INT, next(words)) for _ in x.shape)
        return Array(pointer, kind, shape, None, pointer, private)
    return Number(INT, next(words))
