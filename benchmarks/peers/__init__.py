"""The peers of `compare.py`: one small file each, all with the methods of `Peer`.

A peer runs in a process of its own and in the Python environment that its entry names
(`benchmarks/environments.py`), so several versions of a library take turns in one run. What is
imported here must work in all of them: NumPy and Python's own library.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, Protocol

from benchmarks.environments import OURS
from benchmarks.workloads import Array, Setting, Workload

#: How many networks' losses are compared, and how many are trained one after another, of many.
COMPARED = 64


class Peer(Protocol):
    """One way to train and use a network, or many networks at once."""

    #: `predict` gives probabilities, where the others give scores.
    probabilities: bool

    def prepare(self, workload: Workload, setting: Setting) -> None:
        """Take the data over, and build the network."""

    def restart(self) -> None:
        """Go back to the first weights and a fresh optimizer; not timed."""

    def epochs(self, k: int) -> list[float]:
        """Train for k epochs, and give the mean loss of each (of the first COMPARED networks)."""

    def predict(self, x: Array) -> Array:
        """The outputs for x, NumPy array in, NumPy array out."""


class UnavailableError(Exception):
    """A peer cannot run here, for the reason given."""


@dataclass(frozen=True)
class Entry:
    """A peer's name, where its class is, and what it takes part in.

    `kind`: "ours"; "framework"; "one call", a framework that nobody can look into before the end
    of a fit; "by hand"; or "bare", which does a part of the work. `takes`: the kinds of rows.
    """

    name: str
    title: str
    kind: str
    module: str
    maker: str
    arguments: tuple[Any, ...] = ()
    takes: tuple[str, ...] = ("train", "predict", "fresh")
    environment: str = OURS
    needs: tuple[str, ...] = ()  # distributions
    variables: dict[str, str] = field(default_factory=dict)
    #: The distribution whose version belongs into the title.
    versioned: str | None = None

    def make(self) -> Peer:
        """The peer itself; imports its framework."""
        module = import_module(f"benchmarks.peers.{self.module}")
        peer: Peer = getattr(module, self.maker)(*self.arguments)
        return peer

    def shown(self, versions: dict[str, str]) -> str:
        """The title, with the version of its library in this environment."""
        version = versions.get(self.versioned or "", "").partition("+")[0]
        library, comma, way = self.title.partition(",")
        # Such a build of PyTorch loads much more, so it starts later and holds more memory.
        build = " for CUDA" if self.versioned == "torch" and "nvidia-cublas" in versions else ""
        return f"{library} {version}{build}{comma}{way}" if version else self.title


def _ours(name: str, title: str, engine: str, *needs: str, **more: Any) -> Entry:
    entry = Entry(name, title, "ours", "with_chainrule", "Chainrule", (engine,), needs=needs)
    return replace(entry, **more)


def _torch(name: str, title: str, maker: str) -> Entry:
    return Entry(
        name, title, "framework", "with_torch", maker, environment="torch", needs=("torch",),
        versioned="torch",
    )  # fmt: skip


def _jax(name: str, environment: str) -> tuple[Entry, ...]:
    """The ways to train with a version of JAX."""

    def entry(suffix: str, title: str, maker: str, *takes: str, kind: str = "framework") -> Entry:
        return Entry(
            f"{name}-{suffix}", f"JAX, {title}", kind, "with_jax", maker, (), takes, environment,
            ("jax", "optax"), {"JAX_PLATFORMS": "cpu"}, "jax",
        )  # fmt: skip

    return (
        entry("scan", "lax.scan", "Scanned", "train", "fresh"),
        entry("fit", "one call a fit", "Fitted", "train", "fresh", kind="one call"),
        entry("jit", "jit", "Stepped", "train", "predict", "fresh"),
        entry("vmap", "vmap in lax.scan", "Mapped", "many", kind="one call"),
    )


def _bare(name: str, title: str, with_adam: bool) -> Entry:
    variables = {"OPENBLAS_NUM_THREADS": "1"}
    return Entry(
        name, title, "bare", "with_bare_blas", "BareStep", (with_adam,), ("bare",), OURS,
        ("scipy", "llvmlite"), variables,
    )  # fmt: skip


PEERS = {
    entry.name: entry
    for entry in (
        _ours(
            "chainrule", "chainrule, compiled engine", "compiled", "llvmlite", "scipy",
            takes=("train", "predict", "fresh", "first fit", "command"),
        ),
        _ours(
            "chainrule-numpy", "chainrule, NumPy engine", "numpy",
            takes=("train", "predict", "fresh", "first fit", "command"),
        ),
        _ours("chainrule-auto", "chainrule, engine as it chooses", "auto", takes=("command",)),
        _ours(
            "chainrule-many", "chainrule, fit_many", "compiled",
            takes=("many",), module="many_chainrule", maker="FitMany",
        ),
        _ours(
            "chainrule-loop", "chainrule, one Trainer after another", "compiled", "llvmlite",
            takes=("many",), module="many_chainrule", maker="Loop",
        ),
        Entry("numpy", "NumPy by hand", "by hand", "with_numpy", "ByHand"),
        _torch("torch", "PyTorch, eager", "Eager"),
        _torch("torch-compile", "PyTorch, torch.compile", "Compiled"),
        *_jax("jax", "jax"),
        *_jax("old-jax", "jax-0.4.31"),
        Entry(
            "onnxruntime", "onnxruntime", "framework", "with_onnxruntime", "OnnxRuntime", (),
            ("predict",), "onnxruntime", ("onnxruntime", "onnx"), versioned="onnxruntime",
        ),
        Entry(
            "sklearn", "scikit-learn", "framework", "with_sklearn", "ScikitLearn",
            environment="scikit-learn", needs=("scikit-learn",), versioned="scikit-learn",
        ),
        Entry(
            "tinygrad", "tinygrad", "framework", "with_tinygrad", "TinyGrad",
            environment="tinygrad", needs=("tinygrad",), versioned="tinygrad",
        ),
        _bare("bare-products", "bare products, OpenBLAS", False),
        _bare("bare", "bare products and Adam", True),
    )
}  # fmt: skip
