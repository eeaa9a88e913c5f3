"""`hotspots topics`: what people know better about names of works than the monitor does."""

import click


@click.group("topics")
def command() -> None:
    """Say which topics are not one work: `hotspots topics split A B` (docs/topics.md)."""


@command.command("split")
@click.argument("topic")
@click.argument("other")
@click.option("--by", default="", help="Who says so.")
@click.option("--note", default="", help="For people.")
@click.option("--at", metavar="TIME", help="From when on, as RFC 3339.  [default: now]")
@click.option("--kafka", metavar="SERVERS", help="Bootstrap servers, above HOTSPOTS_KAFKA.")
def split(topic: str, other: str, by: str, note: str, at: str | None, kafka: str | None) -> None:
    """Keep TOPIC and OTHER two works for ever, whatever the evidence says.

    It is written to the topic guidance-actions, which is created when it is missing.
    """
    import asyncio
    import json
    import time

    from streams.acting import action_line, send_action
    from streams.settings import PRODUCER_NEEDS, load_settings

    settings = load_settings(needs=PRODUCER_NEEDS, overrides={"kafka": kafka} if kafka else None)
    now_ms = time.time_ns() // 1_000_000
    said = {"level": "dissemination", "kind": "split_topics", "split_from": other}
    said |= {"by": by, "note": note}
    latest_ms = now_ms + settings.max_ahead_ms
    line = action_line(f"topic:{topic}", said, at or now_ms, None, latest_ms=latest_ms)
    asyncio.run(send_action(settings, line))
    click.echo(f"{json.loads(line)['action_id']}  {topic} and {other} stay two works")
