"""`hotspots hooks`: check the file of hooks, and send a test alert."""

from typing import TYPE_CHECKING

import click

from streams.commands.options import HELP_SETTINGS
from streams.errors import EXIT_USER_ERROR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.delivery.routes import Receiver


@click.group("hooks", context_settings=HELP_SETTINGS)
def command() -> None:
    """Check where alerts go (HOTSPOTS_HOOKS, docs/hooks.md), and try it."""


@command.command("check")
@click.option("--file", "path", metavar="FILE", help="The file, above HOTSPOTS_HOOKS.")
def check(path: str | None) -> None:
    """Check the file, its secrets and the addresses of its receivers, without sending anything.

    Each problem is one line on stderr. Exit code 0 when all could be delivered to, 2 otherwise.
    """
    from streams.delivery.addresses import address_problems

    receivers = _receivers(path)
    problems = address_problems(receivers)
    for receiver in receivers:
        click.echo(f"{receiver.route.name}: {receiver.route.kind.value} at {receiver.place}")
    for problem in problems:
        click.echo(f"hotspots: {problem}", err=True)
    if problems:
        raise SystemExit(EXIT_USER_ERROR)


@command.command("test")
@click.argument("routes", nargs=-1, metavar="[ROUTE]...")
@click.option("--file", "path", metavar="FILE", help="The file, above HOTSPOTS_HOOKS.")
def test(routes: tuple[str, ...], path: str | None) -> None:
    """Send one test alert to the routes that are named, or to all of them, whatever they filter.

    Its type is `hotspot.test`. It is tried once. Exit code 0 when every receiver took it, 2
    otherwise.
    """
    import asyncio

    from streams.delivery.attempts import Outcome
    from streams.delivery.hooks import send_test

    failed = False
    for receiver in _named(_receivers(path), routes):
        attempt = asyncio.run(send_test(receiver))
        taken = attempt.outcome is Outcome.DELIVERED
        failed = failed or not taken
        said = "delivered" if taken else attempt.why
        click.echo(f"{receiver.route.name}: {said}", err=not taken)
    if failed:
        raise SystemExit(EXIT_USER_ERROR)


def _receivers(path: str | None) -> "tuple[Receiver, ...]":
    from streams.delivery.hooks import usable_receivers
    from streams.delivery.routes import WHERE
    from streams.errors import UserError
    from streams.settings import load_settings

    overrides = {"hooks": path} if path else {}
    receivers = usable_receivers(load_settings(needs=(), overrides=overrides))
    if not receivers:
        raise UserError("there are no hooks", WHERE, "set it to a file as docs/hooks.md has it")
    return receivers


def _named(receivers: "Sequence[Receiver]", names: tuple[str, ...]) -> "list[Receiver]":
    from streams.errors import UserError

    known = [receiver.route.name for receiver in receivers]
    for name in names:
        if name not in known:
            raise UserError(f"there is no route {name}", remedy=f"name one of {', '.join(known)}")
    return [one for one in receivers if not names or one.route.name in names]
