"""The command line: `hotspots COMMAND`, each command in a file of its own under streams/commands.

Exit codes: 0 when all went well, 1 when interrupted, 2 for what the user can mend (one line on
stderr for each problem). docs/commands.md is generated from the help (streams/reference.py).
"""

import sys
from importlib import import_module
from typing import Final

import click

from streams.commands.options import HELP_SETTINGS
from streams.errors import EXIT_USER_ERROR, UserError

COMMANDS: Final = (
    "demo",
    "worker",
    "simulate",
    "replay",
    "backtest",
    "train",
    "board",
    "act",
    "topics",
    "withheld",
    "views",
    "check",
    "hooks",
)
"""In the order in which they are listed; each is `streams.commands.NAME:command`."""


class LazyGroup(click.Group):
    """Imports a command when it is asked for, so that no command pays for another."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of `COMMANDS`."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, or None when there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        found: object = import_module(f"streams.commands.{cmd_name}").command
        if not isinstance(found, click.Command):
            raise TypeError(f"streams.commands.{cmd_name}:command is no click.Command")
        return found


@click.group(cls=LazyGroup, context_settings=HELP_SETTINGS)
@click.version_option(package_name="hotspots", prog_name="hotspots")
def hotspots() -> None:
    """Tells a short-video platform which cultural hotspots are emerging, and why.

    Everything is set by HOTSPOTS_* variables: see docs/settings.md.
    """


def main() -> None:
    """Run the command line; a mistake the user can mend ends with its line and exit code 2."""
    try:
        hotspots(prog_name="hotspots")
    except UserError as error:
        for line in error.lines:
            click.echo(f"hotspots: {line}", err=True)
        sys.exit(EXIT_USER_ERROR)


if __name__ == "__main__":
    main()
