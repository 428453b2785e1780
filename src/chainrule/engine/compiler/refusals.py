"""What a text says that the language of kernels does not have, and where it says so."""

from __future__ import annotations

import ast

__all__ = ["At", "Broken", "Refused"]


class Refused(Exception):  # noqa: N818 - what a text asks for, not a fault of the program
    """The text says something that the language of kernels does not have."""


class Broken(Exception):  # noqa: N818 - it carries a place
    """What the text says cannot be translated, and where it says so."""

    def __init__(self, file: str, line: int, text: str, reason: str) -> None:
        super().__init__(f"{file}, line {line}, `{text}`: {reason}")


class At:
    """Says at which statement of a file something was refused."""

    def __init__(self, file: str, node: ast.stmt) -> None:
        self.file, self.node = file, node

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refused):
            (first, *_) = ast.unparse(self.node).splitlines()
            raise Broken(self.file, self.node.lineno, first, str(error)) from error
