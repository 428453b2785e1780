"""The chapter's figures in order: number, title, caption, and the function that draws each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainrule.figures import (
    add,
    affine,
    branch,
    composition,
    derivative,
    descent,
    gradient,
    matmul,
    matrix_gradient,
    memory,
    multiply,
    networks,
    paths,
    playground,
    repeat_sum,
    shapes,
    sigmoid,
    softmax_loss,
)
from chainrule.lang.messages import Text, _

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Plot

    from chainrule.drawing.scene import Scene

__all__ = ["FIGURES", "Figure"]


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """One figure of the chapter; `number` is "" if the chapter does not number it."""

    number: str
    slug: str
    draw: Callable[[str], Scene | Plot]
    title: Text
    caption: Text
    #: Whether it is the same every time; one with memory addresses is not.
    repeats: bool = True

    @property
    def name(self) -> str:
        """The name of its file, without an ending."""
        return f"{self.number}-{self.slug}" if self.number else self.slug

    @property
    def key(self) -> str:
        """The number, or else the slug, by which `find` finds it."""
        return self.number or self.slug

    def heading(self, lang: str) -> str:
        """The number and the title."""
        if not self.number:
            return self.title.said(lang)
        number = self.number.removeprefix("eq-")
        return (
            _("Figure {number}. {title}", number=number, title=self.title)
            if number == self.number
            else _("Equation {number}. {title}", number=number, title=self.title)
        ).said(lang)


FIGURES: tuple[Figure, ...] = (
    Figure(
        "", "network-loss", networks.loss_in_two,
        _("A network and its loss"),
        _("One sample x goes through the layers; Softmax turns the scores s into probabilities y, and"
         " Cross Entropy Error compares them with the label t. Training makes L small."),
    ),
    Figure(
        "", "network-softmax-with-loss", networks.loss_in_one,
        _("Softmax and the loss as one layer"),
        _("The same network, sample and label: the two last layers as one give the same L."),
    ),
    Figure(
        "", "derivative", derivative.secants,
        _("The derivative as a slope"),
        _("The line through x and x + h turns into the tangent as h shrinks; its slope becomes dy/dx."),
    ),
    Figure(
        "", "square-tangents", derivative.tangents,
        _("Tangents of x²"),
        _("Each slope of the curve above is a point below, and the points lie on the line 2x."),
    ),
    Figure(
        "", "gradient-field", gradient.gradient_field,
        _("The gradient of a function of two variables"),
        _("Moving along a direction d, f changes at the rate ∇f · d. No direction is steeper than"
         " that of the gradient, whose rate is its length |∇f|."),
    ),
    Figure(
        "", "matrix-gradient", matrix_gradient.matrix_gradient,
        _("The gradient of a matrix"),
        _("For every element of W there is one derivative, in the same place: ∂L/∂W has the shape of W."),
    ),
    Figure(
        "", "composition", composition.composition,
        _("A network is a composition of functions"),
        _("Affine and activation layers in turn; the derivative of the whole is the product of the"
         " slopes of the parts, which is the chain rule."),
    ),
    Figure(
        "", "playground", playground.playground,
        _("A network at work"),
        _("Each square is the plane as one unit sees it: two coordinates, then lines, then shapes, in"
         " the end a ring told from its middle."),
    ),
    Figure(
        "", "add-graph", add.add_graph,
        _("A computational graph: z = x + y"),
        _("A node stands for an operation; values flow along the arrows, from left to right."),
    ),
    Figure(
        "", "add-within", add.around_add,
        _("The add node within a larger computation"),
        _("What x and y came from and what becomes of z does not matter to the node; in the end there"
         " is one number L."),
    ),
    Figure(
        "", "add-within-backward", add.around_add_backward,
        _("The same, backward"),
        _("Thick blue arrows carry the derivatives of L against the flow, each written below its arrow."),
    ),
    Figure(
        "1-18", "add", add.add_node,
        _("The add node"),
        _("∂z/∂x and ∂z/∂y are 1, so the gradient is handed on as it is."),
    ),
    Figure(
        "1-19", "multiply", multiply.multiply_node,
        _("The multiply node"),
        _("∂z/∂x = y and ∂z/∂y = x: each input gets the gradient times the other input."),
    ),
    Figure(
        "1-20", "branch", branch.branch_node,
        _("The branch node"),
        _("One value goes two ways, unchanged; the gradients that come back are added."),
    ),
    Figure(
        "1-21", "repeat", repeat_sum.repeat_node,
        _("The Repeat node"),
        _("Forward, N copies of a row; backward, the sum of the N gradients."),
    ),
    Figure(
        "1-22", "sum", repeat_sum.sum_node,
        _("The Sum node"),
        _("Forward, the sum of N rows; backward, N copies of the gradient: Repeat the other way round."),
    ),
    Figure(
        "1-23", "matmul", matmul.matmul_node,
        _("The MatMul node"),
        _("y = xW for one row, with the shapes above the arrows."),
    ),
    Figure(
        "eq-1.12", "all-paths", paths.all_paths,
        _("All paths from xᵢ to L"),
        _("xᵢ moves every yⱼ, and every yⱼ moves L: multiply along each path, add over all paths."),
    ),
    Figure(
        "eq-1.13", "inner-products", paths.inner_products,
        _("Row by row"),
        _("Since ∂yⱼ/∂xᵢ = Wᵢⱼ, each ∂L/∂xᵢ is the inner product of ∂L/∂y and row i of W."),
    ),
    Figure(
        "eq-1.14", "one-product", paths.one_product,
        _("All inner products at once"),
        _("The rows of W are the columns of Wᵀ, so one matrix product gives all of ∂L/∂x."),
    ),
    Figure(
        "1-24", "shape-check", shapes.shape_check,
        _("Checking shapes"),
        _("The lengths that meet are equal, and what is left is the shape of x."),
    ),
    Figure(
        "1-25", "matmul-batch", matmul.batch_node,
        _("MatMul for a batch"),
        _("N rows at once; every gradient has the shape of its value."),
    ),
    Figure(
        "1-26", "backward-by-shapes", shapes.by_shapes,
        _("The backward pass, found from shapes"),
        _("Each gradient is a product of ∂L/∂y and the other input, in the one order that fits."),
    ),
    Figure(
        "1-27", "names-and-memory", memory.names_and_memory,
        _("Two names, or copied contents"),
        _("After a = b both names mean one array, and nothing was copied. a[...] = b writes the contents"
         " of b where a has always been, which is how grads keep their addresses. The addresses"
         " shown are real."),
        repeats=False,
    ),
    Figure(
        "eq-1.15", "sigmoid-derivative", sigmoid.sigmoid_derivative,
        _("The derivative of the sigmoid"),
        _("Each line of the derivation is computed at three places and compared."),
    ),
    Figure(
        "1-28", "sigmoid", sigmoid.sigmoid_node,
        _("The Sigmoid layer"),
        _("As one node, and taken apart: the gradient of x is the same."),
    ),
    Figure(
        "1-29", "affine", affine.affine_layer,
        _("The Affine layer"),
        _("A MatMul, and a bias that Repeat gives to every row; so ∂L/∂b is a sum over the rows."),
    ),
    Figure(
        "1-30", "softmax-with-loss", softmax_loss.softmax_with_loss,
        _("Softmax with Loss"),
        _("Of all the exponentials and logarithms y − t is left: how far off the answer is."),
    ),
    Figure(
        "", "sgd", descent.sgd_step,
        _("A step of SGD"),
        _("The gradient points uphill; each step goes the other way, η times as far."),
    ),
)  # fmt: skip
