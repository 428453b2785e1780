"""What is installed in an environment: each distribution's version, size and requirements, as JSON.

python -m benchmarks.peers.distributions
"""

from __future__ import annotations

import json
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any


def canonical(name: str) -> str:
    """A distribution's name as it is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(distribution: metadata.Distribution) -> list[str]:
    """The names of what it requires without extras; markers of other platforms are not looked at."""
    found = []
    for line in distribution.requires or ():
        name = re.match(r"[\w.-]+", line)
        if name and "extra ==" not in line:
            found.append(canonical(name[0]))
    return found


def size(distribution: metadata.Distribution) -> int:
    """Bytes of its files that are not made by running it."""
    total = 0
    for file in distribution.files or ():
        path = Path(str(file.locate()))
        if file.suffix != ".pyc" and path.exists():
            total += path.stat().st_size
    return total


def main() -> None:
    found: dict[str, Any] = {}
    for distribution in metadata.distributions():
        found[canonical(distribution.metadata["Name"])] = {
            "version": distribution.version,
            "bytes": size(distribution),
            "requires": required(distribution),
        }
    print(json.dumps({"python": platform.python_version(), "distributions": found}))


if __name__ == "__main__":
    main()
