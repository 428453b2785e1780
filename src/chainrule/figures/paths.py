"""Why ∂L/∂x = ∂L/∂y Wᵀ: all paths from xᵢ to L (1.12), inner products (1.13), one product (1.14)."""

from __future__ import annotations

from chainrule.drawing.scene import Scene
from chainrule.figures.boxes import Box, framed, numbers, row, words
from chainrule.figures.canvas import Canvas
from chainrule.figures.common import black, blue, figure
from chainrule.figures.flow import Sketch, Tag
from chainrule.figures.matmul import Product, shape_box
from chainrule.graph.variable import Array
from chainrule.lang.messages import _

__all__ = ["HERE", "all_paths", "inner_products", "one_product", "small"]

#: The index i of the xᵢ in the pictures, from 0.
HERE = 1


def small() -> Product:
    """One row: 1×3 times 3×3."""
    return Product(1, 3, 3, seed=6)


def bracketed(v: float) -> str:
    """A factor, in parentheses if it is negative."""
    return f"({figure(v)})" if v < 0 else figure(v)


def product_of(a: float, b: float) -> str:
    """a · b in numbers."""
    return f"{figure(a)} · {bracketed(b)}"


def inner(a: Array, b: Array) -> str:
    """Σ a · b in numbers."""
    terms = [product_of(u, v) for u, v in zip(a, b, strict=True)]
    return " + ".join(f"({term})" if term.startswith("−") else term for term in terms)


def all_paths(lang: str) -> Scene:
    """Equation 1.12: from xᵢ through every yⱼ to L; along a path multiply, over the paths add."""
    p = small()
    dy, W, i = p.grad(p.y)[0], p.W.data[HERE], HERE + 1
    sketch = Sketch(back=True)
    start = sketch.circle(f"x_{i}")
    middle = [sketch.circle(f"y_{j}") for j in range(1, len(dy) + 1)]
    end = sketch.circle("L")
    room = Box(0.0, 33.0, 0.0)  # as high as the labels above the arrows on the left
    for j, y in enumerate(middle):
        slope = black(rf"\frac{{∂y_{j + 1}}}{{∂x_{i}}} = W_{{{i}{j + 1}}} = {figure(W[j])}", 14.0)
        back = blue(f"{product_of(dy[j], W[j])} = {figure(dy[j] * W[j])}", 14.0)
        sketch.arrow(start, y, Tag([slope], [back]))
    for j, y in enumerate(middle):
        back = blue(rf"\frac{{∂L}}{{∂y_{j + 1}}} = {figure(dy[j])}", 14.0)
        sketch.arrow(y, end, Tag([room], [back]))
    scene = sketch.scene()
    canvas = Canvas()
    canvas.scene(scene, 0.0, 0.0)
    added = " + ".join(bracketed(a * b) for a, b in zip(dy, W, strict=True))
    source = (
        rf"\frac{{∂L}}{{∂x_{i}}} = \sum{{j}} \frac{{∂L}}{{∂y_j}} \frac{{∂y_j}}{{∂x_{i}}} = {added}"
    )
    line = blue(f"{source} = {figure(p.grad(p.x)[0, HERE])}", 17.0)
    canvas.put(line, scene.width / 2, scene.height + 14.0 + line.above, anchor="middle")
    return canvas.finish(_("equation 1.12").said(lang), 8.0)


def inner_products(lang: str) -> Scene:
    """Equation 1.13: every ∂L/∂xᵢ is the inner product of ∂L/∂y and row i of W."""
    p = small()
    dy, W, dx = p.grad(p.y)[0], p.W.data, p.grad(p.x)[0]
    canvas = Canvas()
    slopes = r"\sum{j} \frac{∂L}{∂y_j} \frac{∂y_j}{∂x_i}"
    head = black(rf"\frac{{∂L}}{{∂x_i}} = {slopes} = \sum{{j}} \frac{{∂L}}{{∂y_j}} W_{{ij}}", 18.0)
    right = canvas.put(head, 0.0, head.above)
    note = _("the inner product of ∂L/∂y and row i of W").said(lang)
    canvas.put(words(note, 13.0, "muted", flush=True), right + 28.0, head.above)
    y = head.height + 52.0
    for i, line in enumerate(W):
        marked = [(i, j) for j in range(len(dy))]
        x = canvas.put(row(blue(r"\frac{∂L}{∂y} ="), numbers(dy, fill="gradient")), 0.0, y)
        x = canvas.put(row(black("W = "), numbers(W, marked=marked)), x + 24.0, y)
        result = blue(rf"\frac{{∂L}}{{∂x_{i + 1}}} = {inner(dy, line)} = {figure(dx[i])}")
        canvas.put(result, x + 24.0, y)
        y += 84.0
    return canvas.finish(_("equation 1.13").said(lang))


def one_product(lang: str) -> Scene:
    """Equation 1.14: all inner products at once, ∂L/∂x = ∂L/∂y Wᵀ."""
    p = small()
    dy, W, dx = p.grad(p.y), p.W.data, p.grad(p.x)
    h = W.shape[1]
    parts: list[tuple[Box, Box, str, Array]] = [
        (_blue("x"), numbers(dx, 4, 15.0, "gradient", [(0, HERE)]), "1×D", dx),
        (_blue("y"), numbers(dy, 4, 15.0, "gradient", [(0, j) for j in range(h)]), "1×H", dy),
        (
            black("W^T", 20.0),
            numbers(W.T, 4, 15.0, marked=[(j, HERE) for j in range(h)]),
            "H×D",
            W.T,
        ),
    ]
    canvas = Canvas()
    x = 0.0
    for k, (name, array, letters, data) in enumerate(parts):
        shape = shape_box(letters, data.shape)
        width = max(array.width, name.width, shape.width)
        for box, y in ((name, 26.0), (array, 100.0), (shape, 158.0)):
            canvas.put(box, x + width / 2, y, anchor="middle")
        x += width + 16.0
        if k == 0:
            for y in (26.0, 100.0):
                canvas.put(black("=", 20.0), x, y)
            x += 36.0
    i = HERE + 1
    line = blue(rf"\frac{{∂L}}{{∂x_{i}}} = {inner(dy[0], W[HERE])} = {figure(dx[0, HERE])}", 16.0)
    canvas.put(framed(line, "none", "highlight"), canvas.width / 2, 222.0, anchor="middle")
    return canvas.finish(_("equation 1.14").said(lang))


def _blue(name: str) -> Box:
    return blue(rf"\frac{{∂L}}{{∂{name}}}", 18.0)
