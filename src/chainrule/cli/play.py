"""`chainrule play`: the playground, in a browser."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from chainrule.cli.help_pages import Command, option
from chainrule.cli.language import asked_for
from chainrule.cli.options import Number
from chainrule.cli.terminal import paint, say
from chainrule.errors import ExtraMissingError, SettingError
from chainrule.lang.messages import Text, _, listed, sentences

if TYPE_CHECKING:
    from chainrule.playground.caps import Caps
    from chainrule.playground.server.serve import Server
    from chainrule.playground.session import Session

__all__ = ["play"]

#: How many pages, and pupils' networks, a class may have: two hundred, and some to spare.
CLASS = 250
#: Points along a side of a map in a class: a quarter of the usual work.
MAP = 50


def a_cap(flag: str, default: int | None, words: Text) -> Callable[[Any], Any]:
    """An option that changes one of the caps."""
    return option(
        flag, type=Number(whole=True, least=1, most=10**6), default=default, show_default=default is not None,
        metavar="N", help=words,
    )  # fmt: skip


@click.command(
    cls=Command,
    help=(
        _("Open a page where a network can be built, watched, stopped and taken home."),
        _(
            "LINK is one of this playground or of TensorFlow Playground, to begin with: all of it, or what"
            " stands after the #. The page is this machine's alone unless --allow-remote is given. Every"
            " browser is a learner with a network of its own. Ctrl-C ends it."
        ),
    ),
    short_help=_("Watch a network learn, in the browser."),
    examples=(
        "chainrule play",
        "chainrule play '#activation=tanh&batchSize=10&dataset=circle&networkShape=4,2'",
        "chainrule play --class '#chainrule=1&data=xor&loss_hide=true&noise_lock=true'",
    ),
    language=_("The language, of the page too, where that of the browser is the default."),
)
@click.argument("link", required=False, metavar="[LINK]")
@option(
    "--port", type=Number(whole=True, least=0, most=65535), default=8700, show_default=True,
    metavar="N", help=_("The port; if it is taken, the next free one. 0 takes any."),
)  # fmt: skip
@option(
    "--host", metavar="HOST",
    help=_(
        "The address to listen at, by default 127.0.0.1; 0.0.0.0 with --allow-remote, and by default with"
        " --class, is all of this machine's."
    ),
)  # fmt: skip
@option(
    "--class", "class_", is_flag=True,
    help=_(
        "A class: pupils join by a code, the teacher has a page with all of their networks. Lets other"
        " machines in, and up to 250 pages."
    ),
)  # fmt: skip
@option("--allow-remote", is_flag=True, help=_("Let other machines in, if they have the link."))
@option("--no-browser", is_flag=True, help=_("Only print the link."))
@a_cap("--max-clients", None, _("How many pages may be open at once: 32, of a class 250."))
@a_cap("--max-per-address", None, _("How many of them from one machine: 8, of a class 250."))
@a_cap("--max-sessions", None, _("How many learners' networks are kept: 40, of a class 250."))
@a_cap("--max-layers", 6, _("How many hidden layers a network may have."))
@a_cap("--max-units", 64, _("How many units a layer may have."))
@a_cap("--max-parameters", 100_000, _("How many weights and biases a network may have."))
@a_cap("--max-points", 5_000, _("How many rows of data there may be."))
@click.pass_context
def play(
    context: click.Context,
    link: str | None,
    port: int,
    host: str | None,
    class_: bool,
    allow_remote: bool,
    no_browser: bool,
    max_clients: int | None,
    max_per_address: int | None,
    max_sessions: int | None,
    max_layers: int,
    max_units: int,
    max_parameters: int,
    max_points: int,
) -> None:
    """Open a page where a network can be built, watched, stopped and taken home."""
    lang = asked_for(context)
    missing = [name for name in ("starlette", "uvicorn", "websockets") if find_spec(name) is None]
    if missing:
        raise ExtraMissingError(
            _(
                "The playground needs {packages}: {command}.",
                packages=listed(missing),
                command="pip install 'chainrule[play]'",
            )
        )
    from chainrule.playground.caps import Caps
    from chainrule.playground.linking import read_link
    from chainrule.playground.server.limits import Limits
    from chainrule.playground.server.listening import is_loopback
    from chainrule.playground.server.serve import Server

    host = host or ("0.0.0.0" if class_ else "127.0.0.1")  # noqa: S104 - asked for by --class
    if not is_loopback(host) and not (allow_remote or class_):
        raise click.UsageError(
            _(
                "--host {host} would let other machines in. Add --allow-remote if that is meant.",
                host=host,
            )
        )
    caps = Caps(layers=max_layers, units=max_units, parameters=max_parameters, points=max_points)
    if class_:
        caps = replace(caps, map=MAP)
    usual = Limits(clients=CLASS, clients_per_address=CLASS, sessions=CLASS) if class_ else Limits()
    limits = replace(
        usual,
        clients=max_clients or usual.clients,
        clients_per_address=max_per_address or usual.clients_per_address,
        sessions=max_sessions or usual.sessions,
    )
    if link is not None:
        beginning(caps, link)  # what is wrong with it is said now, not in the page
        for note in read_link(link, caps).notes:
            say(note)
    server = Server(lambda: beginning(caps, link), host, port, limits, class_=class_)
    with server.ending:  # Ctrl-C may come as soon as the link is there
        if port and server.port != port:
            say(_("Port {port} is taken; this is {other}.", port=port, other=server.port))
        if server.code is not None:
            welcome_class(server, lang)
        else:
            near = server.link(server.near, server.access.token, lang)
            say(_("The playground: {link}", link=paint(near, "bold")))
        if server.remote and server.code is None:
            far = server.link(server.far, server.access.token, lang)
            say(_("For others:     {link}", link=far))
            say(_("Whoever has the link can come in. The connection is not encrypted."))
        say(_("Ctrl-C ends it."))
        if not no_browser:
            server.open_browser(lang)
        server.run()
    say(_("The playground has ended."))


def welcome_class(server: Server, lang: str | None) -> None:
    """Say how the teacher and the pupils come in."""
    from chainrule.playground.server.teaching import qr_lines

    access, code = server.access, server.code or ""
    teacher = server.link(server.near, access.teacher_token, lang)
    say(_("The teacher's page: {link}", link=paint(teacher, "bold")))
    say(
        _(
            "Pupils open {address} and type the code {code}",
            address=paint(server.address, "bold"),
            code=paint(code, "bold"),
        )
    )
    picture = qr_lines(f"{server.address}?token={code}")
    if picture is None:
        say(_("For a QR code that they can point a camera at: pip install 'chainrule[play]'."))
    elif sys.stdout.isatty():
        say(picture)
    say(_("Whoever has the code can come in. The connection is not encrypted."))


def beginning(caps: Caps, link: str | None) -> Session:
    """The session with which a learner begins."""
    from chainrule.playground.pace import FIRST_SPEED
    from chainrule.playground.session import Session

    session = Session(caps=caps)
    session.pace.set(FIRST_SPEED)
    if link is not None:
        answer = session.do({"do": "link", "text": link})
        if answer.kind == "error":
            raise SettingError(sentences(*answer.fields["errors"]))
    return session
