"""Options that several commands share."""

from typing import Any, Final

import click

HELP_COLUMNS: Final = 100
"""The widest that help gets, where the terminal allows it: the width of a line of code here."""
HELP_SETTINGS: Final[dict[str, Any]] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": HELP_COLUMNS,
}
"""How the program and each group of commands answer to a call for help. A group needs them itself:
click keeps the help option that a command had when it was first asked, and a group that is called
by itself would leave its commands with `--help` alone for as long as the process lives."""

MAX: str = "max"


class SpeedType(click.ParamType):
    """A factor, event time over wall time, or `max` (None)."""

    name = "speed"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        """Return the factor, None for `max`."""
        if value == MAX or value is None:
            return None
        try:
            speed = float(str(value))
        except ValueError:
            speed = 0.0
        if not 0 < speed < float("inf"):
            self.fail(f"{value!r} is neither a number above 0 nor {MAX!r}", param, ctx)
        return speed


SPEED = SpeedType()
