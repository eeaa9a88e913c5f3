"""`hotspots replay`: a file of events, to Kafka."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click

from streams.commands.options import SPEED


@click.command("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--speed",
    type=SPEED,
    default="max",
    show_default=True,
    metavar="N|max",
    help="Event time over wall time: 3600 is an hour in a second.",
)
@click.option("--kafka", metavar="SERVERS", help="Bootstrap servers, above HOTSPOTS_KAFKA.")
@click.option("--no-end", is_flag=True, help="Leave the end marks out: more is to come.")
def command(file: Path, speed: float | None, kafka: str | None, no_end: bool) -> None:
    """Send the events of FILE to Kafka in the order of the file.

    FILE holds JSON lines, plain or compressed (.gz, .zst), or parquet with a column per field. The
    input topic is created when it is missing. At the end every partition gets an end mark, which
    lets a worker decide what is still open.
    """
    from streams.errors import UserError
    from streams.scenarios.event_files import (
        event_time_ms,
        read_events,
    )
    from streams.sending import send_all
    from streams.settings import PRODUCER_NEEDS, load_settings

    overrides = {"kafka": kafka} if kafka else None
    settings = load_settings(needs=PRODUCER_NEEDS, overrides=overrides)
    lines = read_events(file)
    first = next(lines, None)
    if first is None:
        raise UserError(f"{file} holds no event", remedy="give a file with at least one line")

    def timed() -> Iterator[tuple[int, bytes]]:
        # As fast as possible nobody asks when an event happened, and reading it takes longest.
        last_ms = 0
        for line in chain([first], lines):
            if speed is not None:
                last_ms = event_time_ms(line, last_ms)
            yield last_ms, line

    send_all(settings, timed(), speed=speed, total=None, end=not no_end)
