"""What holds for every node. Each law gives a list of what is wrong with a case: empty if all is well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.nodes.table import Case

import chainrule as cr
from chainrule.engine.lowering import Lowered, fresh
from chainrule.engine.program import Section, build
from chainrule.engine.rules import FUNCTIONS
from chainrule.engine.trace import Trace
from chainrule.graph.variable import Variable, apply
from chainrule.nodes import Cast, Node

Array = npt.NDArray[Any]

RELATIVE, ABSOLUTE, STEP = 1e-12, 1e-14, 1e-20
#: A node that takes no complex numbers is held to central differences: their step, and their error.
REAL_STEP, REAL_ERROR = 1e-6, 1e-7


def away(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Random numbers away from 0."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def anew(case: Case) -> Node:
    """A node with the case's settings that has seen nothing."""
    return case.node.bound((), ())


def outputs(out: Any) -> tuple[Any, ...]:
    return out if isinstance(out, tuple) else (out,)


def gradients(case: Case, *douts: Array) -> tuple[Any, ...]:
    """Forward, then backward, of the node by itself on arrays."""
    node = anew(case)
    node.forward(*case.inputs)
    return outputs(node.backward(*douts))


def slope(case: Case, moves: dict[int, Array]) -> list[Array]:
    """J v for every output: the slope of the node along a direction, by a complex step.

    A node that takes no complex numbers: by central differences.
    """
    if not case.node.analytic:
        ends = []
        for h in (REAL_STEP, -REAL_STEP):
            moved = [a + h * moves[i] if i in moves else a for i, a in enumerate(case.inputs)]
            ends.append(outputs(anew(case).forward(*moved)))
        return [(a - b) / (2 * REAL_STEP) for a, b in zip(*ends, strict=True)]
    inputs = [a.astype(complex) if i in case.moving else a for i, a in enumerate(case.inputs)]
    for i, v in moves.items():
        inputs[i] = inputs[i] + 1j * STEP * v
    return [np.imag(out) / STEP for out in outputs(anew(case).forward(*inputs))]


def compare(case: Case, what: str, got: float, expected: float, size: float) -> list[str]:
    exact = case.node.analytic
    error = abs(got - expected)
    allowed = RELATIVE * size + ABSOLUTE if exact else REAL_ERROR * (1 + size)
    by = "a complex step through forward" if exact else "central differences"
    fault = f"{what}: {got!r}, not {expected!r} as by {by} (off by {error:.2e})"
    return [] if error <= allowed else [fault]


def stands_alone(case: Case, rng: np.random.Generator) -> list[str]:
    """The chapter's use: forward and backward on arrays; ⟨J v, u⟩ = ⟨v, Jᵀ u⟩ for each input."""
    before = [a.tobytes() for a in case.inputs]
    node = anew(case)
    outs = outputs(node.forward(*case.inputs))
    us = [away(rng, np.shape(out)) for out in outs]
    if isinstance(node, Cast):
        us = [u.astype(node.dtype) for u in us]
    kept = [u.copy() for u in us]
    dxs = outputs(node.backward(*us))
    faults = []
    if [a.tobytes() for a in case.inputs] != before:
        faults.append("an input was changed")
    if any(not np.array_equal(u, k) for u, k in zip(us, kept, strict=True)):
        faults.append("the upstream gradient was changed")
    if len(dxs) != len(case.inputs):
        return [*faults, f"{len(dxs)} gradients for {len(case.inputs)} inputs"]
    for i, (x, dx) in enumerate(zip(case.inputs, dxs, strict=True)):
        if i not in case.moving:
            if dx is not None and x.dtype.kind != "f":
                faults.append(f"input {i} has a gradient, and is not of a kind that has one")
            continue
        if np.shape(dx) != x.shape or dx.dtype != x.dtype:
            faults.append(f"input {i}: gradient {dx.dtype}{np.shape(dx)}, input {x.dtype}{x.shape}")
            continue
        v = away(rng, x.shape)
        js = slope(case, {i: v})
        expected = float(sum(np.sum(u * j) for u, j in zip(us, js, strict=True)))
        size = float(np.sum(np.abs(dx * v)))
        faults += compare(case, f"∂/∂input {i}", float(np.sum(dx * v)), expected, size)
    return faults


def answers_what_is_asked(case: Case, rng: np.random.Generator) -> list[str]:
    """The gradient of one input is the same bits, whether those of the others are wanted or not."""
    us = [away(rng, np.shape(out)) for out in outputs(anew(case).forward(*case.inputs))]
    if isinstance(case.node, Cast):
        us = [u.astype(case.node.dtype) for u in us]
    everything = gradients(case, *us)
    faults = []
    for i in case.moving:
        node = anew(case)
        node.forward(*case.inputs)
        node.asked = tuple(k == i for k in range(len(case.inputs)))
        if not np.array_equal(outputs(node.backward(*us))[i], everything[i]):
            faults.append(f"input {i}: another gradient where it alone is asked for")
    return faults


def is_dual(case: Case, rng: np.random.Generator) -> list[str]:
    """⟨J v, u⟩ = ⟨v, Jᵀ u⟩ with every input moving at once."""
    vs = {i: away(rng, case.inputs[i].shape) for i in case.moving}
    js = slope(case, vs)
    us = [away(rng, j.shape) for j in js]
    if isinstance(case.node, Cast):
        us = [u.astype(case.node.dtype) for u in us]
    dxs = gradients(case, *us)
    got = float(sum(np.sum(dxs[i] * v) for i, v in vs.items()))
    size = float(sum(np.sum(np.abs(dxs[i] * v)) for i, v in vs.items()))
    expected = float(sum(np.sum(u * j) for u, j in zip(us, js, strict=True)))
    return compare(case, "⟨v, Jᵀu⟩", got, expected, size)


def is_linear(case: Case, rng: np.random.Generator) -> list[str]:
    """backward(a u₁ + b u₂) = a backward(u₁) + b backward(u₂)."""
    shapes = [np.shape(out) for out in outputs(anew(case).forward(*case.inputs))]
    if isinstance(case.node, Cast):
        return []
    first, second = ([away(rng, shape) for shape in shapes] for _ in range(2))
    both = [2.5 * a - 0.75 * b for a, b in zip(first, second, strict=True)]
    faults = []
    d1, d2, d3 = (gradients(case, *us) for us in (first, second, both))
    for i in case.moving:
        error = np.abs(2.5 * d1[i] - 0.75 * d2[i] - d3[i])
        if np.any(error > 1e-13 * (1 + np.abs(d1[i]) + np.abs(d2[i]))):
            faults.append(f"backward is not linear for input {i}: off by {error.max():.2e}")
    return faults


def keeps_dtype(case: Case, rng: np.random.Generator) -> list[str]:
    """float32 in, float32 out, float32 gradient."""
    if isinstance(case.node, Cast):
        return []
    inputs = tuple(a.astype(np.float32) if a.dtype.kind == "f" else a for a in case.inputs)
    if not any(a.dtype.kind == "f" for a in inputs):
        return []
    node = anew(case)
    outs = outputs(node.forward(*inputs))
    faults = [
        f"float32 in, {o.dtype} out" for o in outs if o.dtype.kind == "f" and o.dtype != np.float32
    ]
    if case.moving:
        dxs = outputs(node.backward(*(away(rng, np.shape(o)).astype(np.float32) for o in outs)))
        faults += [
            f"float32 in, gradient {dxs[i].dtype}"
            for i in case.moving
            if dxs[i].dtype != np.float32
        ]
    return faults


def recorded(case: Case) -> Callable[..., Any]:
    """The case's node on Variables, as a function of its moving inputs; several outputs weighted."""

    def f(*moved: Any) -> Any:
        inputs: list[Any] = list(case.inputs)
        for i, value in zip(case.moving, moved, strict=True):
            inputs[i] = value
        outs = outputs(anew(case).forward(*inputs))
        if len({out.shape for out in outs}) > 1:  # each with weights of its own, to one number
            return sum(
                cr.sum(out * np.cos(np.arange(out.size) + k).reshape(out.shape))
                for k, out in enumerate(outs)
            )
        total = outs[0]
        for k, out in enumerate(outs[1:]):
            total = total + (k + 1.5) * out
        return total

    return f


def is_recorded(case: Case, seed: int, second_order: bool = False) -> list[str]:
    """The node in a graph: cr.check of the recorded chain rule."""
    if not case.moving or (isinstance(case.node, Cast) and case.node.dtype != np.float64):
        return []
    report = cr.check(
        recorded(case),
        *(case.inputs[i] for i in case.moving),
        seed=seed,
        second_order=second_order,
    )
    return [] if report.ok and not any(row.kink for row in report.rows) else [str(report)]


def broadcasts(case: Case, rng: np.random.Generator, seed: int) -> list[str]:
    """Elementwise nodes in a graph take shapes that repeat to one; gradients keep their shapes."""
    if not case.node.elementwise or len(case.inputs) < 2 or not case.moving:
        return []
    slim = []
    for a in case.inputs:
        for axis in range(a.ndim):
            if a.shape[axis] and rng.random() < 0.4:
                a = a.take([0], axis)
        while a.ndim and a.shape[0] == 1 and rng.random() < 0.5:
            a = a[0]
        slim.append(np.asarray(a))
    if case.name in ("Maximum", "Minimum"):
        # Slimmed, the two may meet anywhere; keep them apart.
        slim[1] = slim[1] + 10 * rng.choice([-1.0, 1.0])
    broad = Case(case.node, tuple(slim), case.moving)
    variables = [Variable(a) if i in case.moving else a for i, a in enumerate(slim)]
    out = apply(anew(case), *variables)
    cr.sum(out).backward()
    faults = [
        f"input {i}: gradient of shape {v.grad.shape}, input {v.shape}"
        for i, v in enumerate(variables)
        if isinstance(v, Variable) and v.grad is not None and v.grad.shape != v.shape
    ]
    return faults + is_recorded(broad, seed)


def lowers(case: Case, rng: np.random.Generator) -> list[str]:
    """Traced down to primitives and run as a program, planned or not, the numbers are the same."""
    variables = [Variable(a, f"x{i}") for i, a in enumerate(case.inputs)]
    made = outputs(anew(case).forward(*variables))
    wanted = [variables[i] for i in case.moving]
    faults = []
    for k, out in enumerate(made):
        u = away(rng, out.shape).astype(out.dtype)
        eager: list[Any] = [out.data]
        graph = out.graph
        if wanted:
            found = graph.gradients(u, wanted)
            eager += [found.get(v, np.zeros(v.shape)) for v in wanted]
        for planned in (False, True):
            trace = Trace(FUNCTIONS)
            leaves = {v: trace.argument(v.shape, v.dtype, v.name or "x") for v in variables}
            low = Lowered(graph, trace, dict(leaves))
            dout = trace.argument(out.shape, out.dtype, "dout")
            results = [fresh(low.value(graph.outputs[0]))]
            if wanted:
                results += [fresh(g) for g in low.gradients(wanted, dout)]
            program = build([Section("run", [*leaves.values(), dout], results)], planned=planned)
            with np.errstate(all="ignore"):
                ran = program.functions["run"](*case.inputs, u)
            for i, (a, b) in enumerate(
                zip(eager, ran if len(results) > 1 else (ran,), strict=True)
            ):
                faults += _same(f"output {k}, result {i}, planned={planned}", case, a, b)
    return faults


def _same(what: str, case: Case, a: Array, b: Any) -> list[str]:
    b = np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return [f"{what}: lowered gives {b.dtype}{b.shape}, the node {a.dtype}{a.shape}"]
    if a.dtype.kind == "b":
        return [] if np.array_equal(a, b) else [f"{what}: truth values differ"]
    sizes = [1.0, *(float(np.max(np.abs(v), initial=0)) for v in (a, *case.inputs))]
    error = float(np.max(np.abs(a - b), initial=0.0))
    return [] if error <= 1e-14 * max(sizes) else [f"{what}: lowered is off by {error:.2e}"]
