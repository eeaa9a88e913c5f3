"""Options that several commands share."""

import click

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
