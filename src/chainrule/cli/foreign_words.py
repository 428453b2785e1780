"""The words of others that the command passes on: those of click, and of the operating system.

They are listed here so that the catalogue has them. Click asks gettext for its own.
"""

from __future__ import annotations

from chainrule.lang.messages import Text, _, _n

__all__ = ["system_words"]


def clicks(**given: int) -> tuple[Text, ...]:
    """What click 8.2 to 8.5 says in help pages and of a command line; nobody calls this."""
    return (
        # help pages
        _("Options"),
        _("Commands"),
        _("default: {default}", **given),
        _("required"),
        _("(dynamic)"),
        _("env var: {var}", **given),
        # command lines
        _n(
            "Got unexpected extra argument ({args})",
            "Got unexpected extra arguments ({args})",
            given["n"],
            **given,
        ),
        _n(
            "Option {name!r} requires an argument.",
            "Option {name!r} requires {nargs} arguments.",
            given["n"],
            **given,
        ),
        _("Option {name!r} does not take a value.", **given),
        _("Missing command."),
        _("No such command {name!r}.", **given),
    )


#: What the operating system refuses, in small letters.
SYSTEM = (
    _("no such file or directory"),
    _("permission denied"),
    _("operation not permitted"),
    _("is a directory"),
    _("not a directory"),
    _("file exists"),
    _("directory not empty"),
    _("no space left on device"),
    _("disk quota exceeded"),
    _("file too large"),
    _("read-only file system"),
    _("file name too long"),
    _("too many levels of symbolic links"),
    _("too many open files"),
    _("input/output error"),
    _("device or resource busy"),
    _("text file busy"),
    _("invalid argument"),
    _("broken pipe"),
    _("bad file descriptor"),
    _("cannot allocate memory"),
    _("stale file handle"),
    _("no such device"),
    _("no such device or address"),
    _("operation not supported"),
    _("transport endpoint is not connected"),
    _("address already in use"),
    _("cannot assign requested address"),
    _("name or service not known"),
    _("temporary failure in name resolution"),
    _("network is unreachable"),
    _("connection refused"),
    _("connection timed out"),
)
_KNOWN = {str(words): words for words in SYSTEM}


def system_words(words: str) -> str:
    """What the operating system says, as it stands in our sentences; in Chinese where it is known."""
    told = words[:1].lower() + words[1:]
    return _KNOWN.get(told, told)
