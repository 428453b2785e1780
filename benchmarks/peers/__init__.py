"""The peers of `compare.py`: one small file each, all with the methods of `Peer`."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import Any, Protocol

from benchmarks.workloads import Array, Setting, Workload


class Peer(Protocol):
    """One way to train and use a network."""

    #: `predict` gives probabilities, where the others give scores.
    probabilities: bool

    def prepare(self, workload: Workload, setting: Setting) -> None:
        """Take the data over, and build the network."""

    def restart(self) -> None:
        """Go back to the first weights and a fresh optimizer; not timed."""

    def epochs(self, k: int) -> list[float]:
        """Train for k epochs of the given orders, and give the mean loss of each."""

    def predict(self, x: Array) -> Array:
        """The outputs for x, NumPy array in, NumPy array out."""


class UnavailableError(Exception):
    """A peer cannot run here, for the reason given."""


@dataclass(frozen=True)
class Entry:
    """A peer's name, where its class is, and what it needs."""

    name: str
    title: str
    kind: str  # "ours", "framework", "one call", "by hand" or "limit"
    module: str
    maker: str
    arguments: tuple[Any, ...] = ()
    needs: tuple[str, ...] = ()  # distributions
    environment: dict[str, str] = field(default_factory=dict)
    predicts: bool = True  # in a way of its own

    def missing(self) -> list[str]:
        """The distributions that are not installed."""
        return [name for name in self.needs if version(name) is None]

    def make(self) -> Peer:
        """The peer itself; imports its framework."""
        module = import_module(f"benchmarks.peers.{self.module}")
        peer: Peer = getattr(module, self.maker)(*self.arguments)
        return peer


def version(distribution: str) -> str | None:
    """The version of an installed distribution."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _ours(name: str, title: str, engine: str, *needs: str) -> Entry:
    return Entry(name, title, "ours", "with_chainrule", "Chainrule", (engine,), needs)


def _framework(name: str, title: str, file: str, maker: str, *needs: str, **more: Any) -> Entry:
    return Entry(name, title, "framework", f"with_{file}", maker, needs=needs, **more)


def _limit(name: str, title: str, with_adam: bool) -> Entry:
    environment = {"OPENBLAS_NUM_THREADS": "1"}
    needs = ("numba", "scipy")
    return Entry(
        name, title, "limit", "with_bare_blas", "BareStep", (with_adam,), needs, environment
    )


_JAX = ("jax", "optax")

PEERS = {
    entry.name: entry
    for entry in (
        _ours("chainrule", "chainrule", "compiled", "numba", "scipy"),
        _ours("chainrule-numpy", "chainrule, NumPy engine", "numpy"),
        Entry("numpy", "NumPy by hand", "by hand", "with_numpy", "ByHand"),
        _framework("torch", "PyTorch, eager", "torch", "Eager", "torch"),
        _framework("torch-compile", "PyTorch, torch.compile", "torch", "Compiled", "torch"),
        _framework("jax-scan", "JAX, lax.scan", "jax", "Scanned", *_JAX, predicts=False),
        Entry(
            "jax-fit",
            "JAX, one call a fit",
            "one call",
            "with_jax",
            "Fitted",
            needs=_JAX,
            predicts=False,
        ),
        _framework("jax-jit", "JAX, jit", "jax", "Stepped", *_JAX),
        _framework("sklearn", "scikit-learn", "sklearn", "ScikitLearn", "scikit-learn"),
        _framework("tinygrad", "tinygrad", "tinygrad", "TinyGrad", "tinygrad"),
        _limit("limit-products", "bare products", False),
        _limit("limit", "bare products and Adam", True),
    )
}
