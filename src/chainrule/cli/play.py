"""`chainrule play`: the playground, in a browser."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.options import Command, Number, OneOf
from chainrule.cli.terminal import paint, say
from chainrule.errors import ExtraMissingError, SettingError

if TYPE_CHECKING:
    from chainrule.playground.caps import Caps
    from chainrule.playground.session import Session

__all__ = ["play"]


def a_cap(flag: str, default: int, words: str) -> Callable[[Any], Any]:
    """An option that changes one of the caps."""
    return click.option(
        flag, type=Number(whole=True, least=1, most=10**6), default=default, show_default=True,
        metavar="N", help=words,
    )  # fmt: skip


@click.command(
    cls=Command,
    short_help="Watch a network learn, in the browser.",
    epilog="""\b
Examples:
  chainrule play
  chainrule play '#activation=tanh&batchSize=10&dataset=circle&networkShape=4,2'
  chainrule play --host 0.0.0.0 --allow-remote --max-clients 60 --max-per-address 60
""",
)
@click.argument("link", required=False, metavar="[LINK]")
@click.option(
    "--port", type=Number(whole=True, least=0, most=65535), default=8700, show_default=True,
    metavar="N", help="The port; if it is taken, the next free one. 0 takes any.",
)  # fmt: skip
@click.option(
    "--host", metavar="HOST", default="127.0.0.1", show_default=True,
    help="The address to listen at; 0.0.0.0 with --allow-remote is all of this machine's.",
)  # fmt: skip
@click.option("--allow-remote", is_flag=True, help="Let other machines in, if they have the link.")
@click.option("--no-browser", is_flag=True, help="Only print the link.")
@click.option("--lang", type=OneOf(("en", "zh")), help="The language. [default: the browser's]")
@a_cap("--max-clients", 32, "How many pages may be open at once.")
@a_cap("--max-per-address", 8, "How many of them from one machine.")
@a_cap("--max-sessions", 40, "How many learners' networks are kept.")
@a_cap("--max-layers", 6, "How many hidden layers a network may have.")
@a_cap("--max-units", 64, "How many units a layer may have.")
@a_cap("--max-parameters", 100_000, "How many weights and biases a network may have.")
@a_cap("--max-points", 5_000, "How many rows of data there may be.")
def play(
    link: str | None,
    port: int,
    host: str,
    allow_remote: bool,
    no_browser: bool,
    lang: str | None,
    max_clients: int,
    max_per_address: int,
    max_sessions: int,
    max_layers: int,
    max_units: int,
    max_parameters: int,
    max_points: int,
) -> None:
    """Open a page where a network can be built, watched, stopped and taken home.

    LINK is one of this playground or of TensorFlow Playground, to begin with: all of it, or what
    stands after the #. The page is this machine's alone unless --allow-remote is given. Every
    browser is a learner with a network of its own. Ctrl-C ends it.
    """
    missing = [name for name in ("starlette", "uvicorn", "websockets") if find_spec(name) is None]
    if missing:
        raise ExtraMissingError(
            f"The playground needs {', '.join(missing)}: pip install 'chainrule[play]'."
        )
    from chainrule.playground.caps import Caps
    from chainrule.playground.linking import read_link
    from chainrule.playground.server.limits import Limits
    from chainrule.playground.server.listening import is_loopback
    from chainrule.playground.server.serve import Server

    if not is_loopback(host) and not allow_remote:
        raise click.UsageError(
            f"--host {host} would let other machines in. Add --allow-remote if that is meant."
        )
    caps = Caps(layers=max_layers, units=max_units, parameters=max_parameters, points=max_points)
    limits = Limits(clients=max_clients, clients_per_address=max_per_address, sessions=max_sessions)
    if link is not None:
        beginning(caps, link)  # what is wrong with it is said now, not in the page
        for note in read_link(link, caps).notes:
            say(note)
    server = Server(lambda: beginning(caps, link), host, port, limits)
    with server.ending:  # Ctrl-C may come as soon as the link is there
        if port and server.port != port:
            say(f"Port {port} is taken; this is {server.port}.")
        say(f"The playground: {paint(server.link(server.near, server.access.token, lang), 'bold')}")
        if server.remote:
            say(f"For others:     {server.link(server.far, server.access.token, lang)}")
            say("Whoever has the link can come in. The connection is not encrypted.")
        say("Ctrl-C ends it.")
        if not no_browser:
            server.open_browser(lang)
        server.run()
    say("The playground has ended.")


def beginning(caps: Caps, link: str | None) -> Session:
    """The session with which a learner begins."""
    from chainrule.playground.session import Session

    session = Session(caps=caps)
    if link is not None:
        answer = session.do({"do": "link", "text": link})
        if answer.kind == "error":
            raise SettingError(" ".join(answer.fields["errors"]))
    return session
