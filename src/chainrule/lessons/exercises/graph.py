"""Exercises of the lesson on the computational graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chainrule.lang.messages import _
from chainrule.lessons.exercise import Exercise
from chainrule.lessons.faults import Suspect
from chainrule.lessons.forward import Forward
from chainrule.lessons.slopes import slopes

__all__ = ["EXERCISES"]

Array = npt.NDArray[np.float64]


def _three(rng: np.random.Generator) -> Mapping[str, Array]:
    return {name: rng.normal(size=()) for name in "abc"}


def _forward(a: Array, b: Array, c: Array) -> tuple[Array, Array, Array]:
    u = a + b
    v = u * c
    return u, v, v**2


def _mistakes_of_forward(a: Array, b: Array, c: Array) -> Mapping[str, Sequence[Suspect]]:
    u, v, _L = _forward(a, b, c)
    return {
        "u": [
            Suspect("product", a * b, _("u is a · b: its node is the addition.")),
            Suspect("later", v, _("u is the value of v: u is what leaves the node +.")),
            Suspect("slope", 1.0, _("u is 1, the slope of the addition; its value is asked for.")),
        ],
        "v": [
            Suspect("sum", u + c, _("v is u + c: its node is the multiplication.")),
            Suspect(
                "input", a * c, _("v was made with a: its left arrow comes from u, not from a.")
            ),
            Suspect(
                "input", b * c, _("v was made with b: its left arrow comes from u, not from b.")
            ),
            Suspect("input", a + b * c, _("v is a + b · c: the sum comes first, (a + b) · c.")),
            Suspect("slope", c, _("v is c, a slope of the product; its value is asked for.")),
        ],
        "L": [
            Suspect("slope", 2 * v, _("L is 2v, the slope of the square; its value is asked for.")),
            Suspect("input", u**2, _("L is the square of u: its arrow comes from v.")),
            Suspect("input", v, _("L is v: the square is missing.")),
        ],
    }


FORWARD_VALUES = Exercise(
    name="forward-values",
    lesson="05-graph",
    title=_("The values on the arrows"),
    task=_(
        "A graph has three nodes: u = a + b, v = u · c, L = v². Write forward(a, b, c), which gives"
        " the values"
        " on the arrows that leave the nodes: u, v and L, in this order."
    ),
    entry="forward",
    starter="""def forward(a, b, c):
    u = ...
    v = ...
    L = ...
    return u, v, L
""",
    cases=Forward(
        formula=_forward,
        results=("u", "v", "L"),
        tries=[(_("three numbers"), _three), (_("three other numbers"), _three)],
        mistakes=_mistakes_of_forward,
    ),
    hints=(
        _("Go from left to right: each node uses what the node before it has made."),
        _("The square is v ** 2 in Python."),
    ),
)


def _gradients(a: Array, b: Array, c: Array) -> tuple[Array, ...]:
    u, v, _L = _forward(a, b, c)
    dv = slopes(lambda v: v**2, {"v": np.asarray(v)})["v"]
    du = slopes(lambda u: (u * c) ** 2, {"u": np.asarray(u)})["u"]
    inputs = slopes(lambda a, b, c: _forward(a, b, c)[2], {"a": a, "b": b, "c": c})
    return dv, du, inputs["c"], inputs["a"], inputs["b"]


def _mistakes_of_backward(a: Array, b: Array, c: Array) -> Mapping[str, Sequence[Suspect]]:
    u, v, _L = _forward(a, b, c)
    dv = 2 * v
    du = dv * c
    own = _("du is c, the slope of its node alone: multiply it by dv, which comes from the right.")
    return {
        "dv": [
            Suspect("half", v, _("dv is v: the slope of v² is 2v.")),
            Suspect("value", v**2, _("dv is v², the value of L: its slope, 2v, is asked for.")),
            Suspect(
                "one",
                1.0,
                _("dv is 1, as the gradient of L itself: on the way to v it is multiplied by 2v."),
            ),
            Suspect("two", 2.0, _("dv is 2: the slope of v² is 2v, and depends on v.")),
            Suspect("input", 2 * u, _("dv is 2u: the square works on v.")),
            Suspect(
                "order",
                du,
                _("dv has the value of du: they are returned in the order dv, du, dc, da, db."),
            ),
        ],
        "du": [
            Suspect("own", c, own),
            Suspect(
                "input",
                dv * u,
                _("du was made with u itself: the slope of u · c in u is the other input, c."),
            ),
            Suspect(
                "local", dv, _("du is dv as it came: the slope of the product, c, is missing.")
            ),
            Suspect(
                "value",
                v * c,
                _("du was made with v: it is dv, the gradient of v, that comes from the right."),
            ),
        ],
        "dc": [
            Suspect(
                "own",
                u,
                _(
                    "dc is u, the slope of its node alone: multiply it by dv, which comes from the right."
                ),
            ),
            Suspect(
                "input",
                dv * c,
                _("dc was made with c itself: the slope of u · c in c is the other input, u."),
            ),
            Suspect(
                "local", dv, _("dc is dv as it came: the slope of the product, u, is missing.")
            ),
            Suspect(
                "path",
                du * u,
                _("dc was made from du: c goes into the product, so from the right comes dv."),
            ),
        ],
        **{
            f"d{name}": [
                Suspect(
                    "own",
                    1.0,
                    _(
                        "d{name} is 1, the slope of its node alone: du, which comes from the right,"
                        " is missing.",
                        name=name,
                    ),
                ),
                Suspect(
                    "value",
                    du * value,
                    _(
                        "d{name} was multiplied by {name}: the slope of a sum is 1 for each of its terms.",
                        name=name,
                    ),
                ),
                Suspect(
                    "half",
                    du / 2,
                    _(
                        "d{name} is half of du: a sum hands all of it to both of its inputs.",
                        name=name,
                    ),
                ),
                Suspect(
                    "path",
                    dv,
                    _("d{name} is dv: on the way it comes through the product, too.", name=name),
                ),
                Suspect(
                    "other",
                    du * other,
                    _(
                        "d{name} was multiplied by {other}, as in a product; its node is the addition.",
                        name=name,
                        other="b" if name == "a" else "a",
                    ),
                ),
            ]
            for name, value, other in (("a", a, b), ("b", b, a))
        },
    }


FORWARD_AND_BACK = Exercise(
    name="forward-and-back",
    lesson="05-graph",
    title=_("Forward and back through a graph"),
    task=_(
        "A graph has three nodes: u = a + b, v = u · c, L = v². Write backward(a, b, c), which goes"
        " forward, then back"
        " from dL = 1, and gives the gradients of L on the arrows: dv, du, dc, da, db, in this order."
    ),
    entry="backward",
    starter="""def backward(a, b, c):
    u = a + b
    v = u * c
    dv = ...
    du = ...
    dc = ...
    da = ...
    db = ...
    return dv, du, dc, da, db
""",
    cases=Forward(
        formula=_gradients,
        results=("dv", "du", "dc", "da", "db"),
        tries=[(_("three numbers"), _three), (_("three other numbers"), _three)],
        mistakes=_mistakes_of_backward,
    ),
    hints=(
        _("Each node: what comes from the right, times its own slope."),
        _("The slopes: 2v of the square; c and u of the product; 1 and 1 of the sum."),
    ),
)

EXERCISES = [FORWARD_VALUES, FORWARD_AND_BACK]
