"""What `simulate` and `replay` share: the topic, the sending and its progress."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

import click

from streams.producing import INPUT_PARTITIONS, EventProducer, Pace, produce
from streams.progress import progress
from streams.settings import Settings
from streams.topics import create_input_topic


def send_all(
    settings: Settings,
    events: Iterable[tuple[int, bytes]],
    *,
    speed: float | None,
    total: int | None,
    end: bool,
) -> None:
    """Send events to the input topic, created when it is missing, and show how far they are.

    Args:
        settings: Where Kafka is.
        events: When each is sent (ms since the epoch), and its bytes.
        speed: Event time over wall time; None is as fast as Kafka takes them.
        total: How many there are, None when nobody knows.
        end: Whether every partition gets an end mark afterwards.

    Raises:
        UserError: Kafka does not answer or refuses.
    """
    count = asyncio.run(_send_all(settings, events, speed=speed, total=total, end=end))
    ended = ", and an end mark on every partition" if end else ""
    click.echo(f"{count:,} events sent to {settings.input_topic}{ended}")


async def _send_all(
    settings: Settings,
    events: Iterable[tuple[int, bytes]],
    *,
    speed: float | None,
    total: int | None,
    end: bool,
) -> int:
    await create_input_topic(settings, partitions=INPUT_PARTITIONS)
    async with EventProducer(settings, settings.input_topic) as producer:
        with progress("sending", total, unit="events") as steps:

            def sent(events_sent: int, last_ms: int) -> None:
                steps.advance(events_sent)
                if speed is not None:
                    now = datetime.fromtimestamp(last_ms / 1000, UTC)
                    steps.describe(f"sending, at {now:%Y-%m-%d %H:%M} UTC")

            count = await produce(producer, events, Pace(speed), sent)
        if end:
            await producer.end()
    return count
