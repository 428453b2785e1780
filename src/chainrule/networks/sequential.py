"""Sequential: layers in order; and TwoLayerNet, the chapter's network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt

from chainrule import layers as public_layers
from chainrule.errors import SettingError, ShapeError, nearest, refuse_class, shown
from chainrule.lang.messages import Text, _, sentences
from chainrule.layers import (
    ELU,
    GELU,
    SELU,
    Affine,
    Function,
    LeakyReLU,
    Loss,
    Mish,
    ReLU,
    Sigmoid,
    SiLU,
    SoftmaxWithLoss,
    Tanh,
)
from chainrule.layers.base import Array, Layer, layers_in
from chainrule.layers.initial import Init, Seed
from chainrule.layers.opaque import OpaqueLayer, is_hand_written
from chainrule.networks.network import Network
from chainrule.nodes.base import Value
from chainrule.settings import whole

__all__ = ["ACTIVATIONS", "Sequential", "TwoLayerNet", "activation_named"]

#: Activations by name, each with the initialization that suits it.
ACTIVATIONS: dict[str, tuple[type[Layer], str]] = {
    "sigmoid": (Sigmoid, "xavier"),
    "tanh": (Tanh, "xavier"),
    "relu": (ReLU, "he"),
    "leaky_relu": (LeakyReLU, "he"),
    "gelu": (GELU, "he"),
    "elu": (ELU, "he"),
    "selu": (SELU, "xavier"),
    "silu": (SiLU, "he"),
    "mish": (Mish, "he"),
}


def _as_layer(given: object, i: int) -> Layer | Network:
    """The layer or network itself; a hand-written layer or a function wrapped in a layer."""
    if isinstance(given, Layer | Network) and not isinstance(given, Loss):
        return given
    if is_hand_written(given):
        return OpaqueLayer(given)
    where = _("Sequential: layer {i}", i=i)
    if isinstance(given, Loss):
        raise SettingError(
            _(
                "{where} is the loss {loss}: give it apart from the layers,"
                " cr.Sequential(..., loss=cr.{loss}()).",
                where=where,
                loss=type(given).__name__,
            )
        )
    refuse_class(given, where, _("a layer"))
    if isinstance(given, list | tuple):
        raise SettingError(
            _(
                "{where} is a {kind}: give the layers one by one, cr.Sequential(*layers, loss=...).",
                where=where,
                kind=type(given).__name__,
            )
        )
    if callable(given):
        return Function(given)
    diagnosis = _("{where} is {given}.", where=where, given=shown(given))
    if isinstance(given, str) and given in ACTIVATIONS:
        diagnosis = _(
            "{where} is {given}; write cr.{name}().",
            where=where,
            given=shown(given),
            name=ACTIVATIONS[given][0].__name__,
        )
    elif isinstance(given, str):
        diagnosis = _(
            "{where} is {given}; {nearest}.",
            where=where,
            given=shown(given),
            nearest=nearest(given, ACTIVATIONS),
        )
    raise SettingError(
        sentences(
            diagnosis,
            _(
                "A layer has params, grads, forward(x) and backward(dout); a function of one array, such as"
                " cr.tanh, will do, too."
            ),
        )
    )


class Sequential(Network):
    """Layers in order: the output of one is the input of the next.

    A function of one array, such as `cr.tanh` or a lambda, becomes a `Function` layer.

    >>> import chainrule as cr
    >>> net = cr.Sequential(
    ...     cr.Affine.sized(2, 10), cr.Sigmoid(), cr.Affine.sized(10, 3),
    ...     loss=cr.SoftmaxWithLoss(), seed=0,
    ... )
    >>> print(net.summary())
    layer       parameters   count
    ──────────────────────────────
    0  Affine   W 2×10 b 10     30
    1  Sigmoid  -                0
    2  Affine   W 10×3 b 3      33
    ──────────────────────────────
    63 parameters, float32; loss: SoftmaxWithLoss
    """

    def __init__(self, *layers: object, loss: Any = None, seed: Seed = 0) -> None:
        super().__init__(loss=loss, seed=seed)
        by_id: dict[int, Layer | Network] = {}  # a hand-written layer used twice is wrapped once
        for i, layer in enumerate(layers):
            if id(layer) not in by_id:
                by_id[id(layer)] = _as_layer(layer, i)
        self.sequence: tuple[Any, ...] = tuple(by_id[id(layer)] for layer in layers)
        self._check_widths()
        self._flatten_parameters()

    def named_layers(self) -> list[tuple[str, Layer]]:
        """Every layer once, named by its index."""
        layers: dict[int, tuple[str, Layer]] = {}
        for i, layer in enumerate(self.sequence):
            layers_in(str(i), layer, layers)
        return list(layers.values())

    def _check_widths(self) -> None:
        """Raise for two layers of which one gives another number of outputs than the next one takes."""
        width: int | None = None
        before: tuple[str, object] = "", None
        for path, layer in self._in_order():
            takes, gives = layer._widths(width) if _is_public(layer) else (None, None)
            if width is not None and takes not in (width, None):
                raise ShapeError(
                    _(
                        "{layer} takes {inputs} inputs, but {before} gives {outputs} outputs. Make the"
                        " two numbers the same.",
                        layer=_named(path, layer),
                        inputs=takes,
                        before=_named(*before),
                        outputs=width,
                    )
                )
            if gives != width or layer._parameters:
                width, before = gives, (path, layer)

    def _in_order(self, prefix: str = "") -> list[tuple[str, Layer | Network]]:
        """The layers in the order they run, with their paths; those of inner Sequentials too."""
        layers: list[tuple[str, Layer | Network]] = []
        for i, layer in enumerate(self.sequence):
            if isinstance(layer, Sequential):
                layers += layer._in_order(f"{prefix}{i}.")
            else:
                layers.append((f"{prefix}{i}", layer))
        return layers

    @classmethod
    def from_state_dict(
        cls, weights: Any, activation: Any, *, loss: Any = None, seed: Seed = 0
    ) -> Sequential:
        """A network made of the weights of a stack of Linear or Dense layers and norms.

        The weights are as in `load_state_dict`. They do not say what is between the layers, so
        `activation` does: a name ("relu"), a layer or a function for all places, or a list with one
        for each (None: nothing). The places are those that the numbers of PyTorch's Sequential leave
        free, else behind every layer but the last.

        Raises:
            SettingError: where something between the layers stays open, as with an Embedding. Make
                the network then, and fill it by `load_state_dict`.
            DataError, NonFiniteError: as `load_state_dict`.

        >>> import chainrule as cr, numpy as np
        >>> weights = {"0.weight": np.ones((4, 2)), "0.bias": np.zeros(4), "2.weight": np.ones((1, 4)),
        ...     "2.bias": np.zeros(1)}
        >>> cr.Sequential.from_state_dict(weights, "relu")
        Sequential(0=Affine(W: 2×4, b: 4), 1=ReLU(), 2=Affine(W: 4×1, b: 1), loss=None)
        """
        from chainrule.networks.stack import stack_of

        layers = [
            activation_named(part)[0]() if isinstance(part, str) else part
            for part in stack_of(weights, activation)
        ]
        return Sequential(*layers, loss=loss, seed=seed)

    def predict(self, x: Value) -> Value:
        """The output of the last layer."""
        for layer in self.sequence:
            x = layer.predict(x) if isinstance(layer, Network) else layer.forward(x)
        return x

    def _check_input(self, x: Array) -> None:
        super()._check_input(x)
        for first in self.sequence[:1]:
            if isinstance(first, Network):
                first._check_input(x)
            else:
                first._check_input(x)


def _is_public(layer: object) -> TypeGuard[Layer]:
    """Whether it is a layer of chainrule, and no class of a user's own made from one."""
    return getattr(public_layers, type(layer).__name__, None) is type(layer)


def _named(path: str, layer: object) -> Text:
    return _("layer {path} ({title})", path=path, title=type(layer).__name__)


def activation_named(name: str) -> tuple[Callable[[], Layer], str]:
    """The layer of an activation, and the initialization that suits it.

    Raises:
        SettingError: no such activation.
    """
    if name not in ACTIVATIONS:
        raise SettingError(
            _(
                'activation="{name}" is not known; {nearest}.',
                name=name,
                nearest=nearest(name, ACTIVATIONS),
            )
        )
    return ACTIVATIONS[name]


class TwoLayerNet(Sequential):
    """The chapter's network: Affine, activation, Affine, and softmax with loss.

    `init` draws the first weights: "book" is the book's 0.01 · normal; the default suits the
    activation.

    >>> import chainrule as cr
    >>> net = cr.TwoLayerNet(2, 10, 3)
    >>> [p.shape for p in net.params]
    [(2, 10), (10,), (10, 3), (3,)]
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        activation: str = "sigmoid",
        *,
        loss: Any = None,
        init: Init | None = None,
        dtype: npt.DTypeLike = np.float32,
        seed: Seed = 0,
    ) -> None:
        make, default = activation_named(activation)
        weights: Init = default if init is None else init
        inputs, outputs = whole(input_size, "input_size"), whole(output_size, "output_size")
        hidden = whole(hidden_size, "hidden_size")
        super().__init__(
            Affine.sized(inputs, hidden, init=weights, dtype=dtype),
            make(),
            Affine.sized(hidden, outputs, init=weights, dtype=dtype),
            loss=SoftmaxWithLoss() if loss is None else loss,
            seed=seed,
        )
