"""`hotspots demo`: the whole path on this machine, with a week of which the truth is known."""

import signal
import sys
from types import FrameType

import click

from streams.commands.options import SPEED

EXIT_NOT_KEPT = 4
"""The demo ran well, and what it detected does not keep the promise."""
EXIT_WORKER_FAILED = 3


@click.command("demo")
@click.option("--once", is_flag=True, help="End with the verdict and an exit code.")
@click.option("--seed", type=click.IntRange(0), help="Of all chance.  [default: the scenario's]")
@click.option(
    "--speed",
    type=SPEED,
    default="6600",
    show_default=True,
    metavar="N|max",
    help="Event time over wall time: 6600 is a day in 13 seconds.",
)
@click.option(
    "--ordinary-videos",
    type=click.IntRange(1, 1_000_000),
    default=5_000,
    show_default=True,
    help="How many ordinary videos live beside the case.",
)
def command(once: bool, seed: int | None, speed: float | None, ordinary_videos: int) -> None:
    """Start Kafka, Valkey and a worker here, let the week of the seeds' case pass, and show it.

    Nothing need be installed or running; HOTSPOTS_KAFKA and HOTSPOTS_REDIS, where set, are used
    instead, with topics of the demo's own that are removed afterwards. At the end planted and
    detected transitions are compared.

    Exit codes: 0 when the promise is kept, 4 when a transition was missed, bots were believed or
    more were invented than the promised alarm rate allows, 3 when the worker failed, 1 when
    interrupted before the end, 2 for what you can mend.
    """
    # SIGTERM like Ctrl-C: what was started is ended, in order, on the way out.
    signal.signal(signal.SIGTERM, _interrupt)
    from streams.demo_session import play
    from streams.demonstration import WorkerFailedError

    try:
        kept = play(once=once, seed=seed, speed=speed, ordinary_videos=ordinary_videos)
    except WorkerFailedError as error:
        click.echo(f"hotspots: {error}; its last words:\n{error.log}", err=True)
        sys.exit(EXIT_WORKER_FAILED)
    sys.exit(0 if kept else EXIT_NOT_KEPT)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    signal.raise_signal(signal.SIGINT)
