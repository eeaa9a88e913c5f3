"""`hotspots topics`: what people know better about names of works than the monitor does."""

import click

from streams.commands.options import HELP_SETTINGS


@click.group("topics", context_settings=HELP_SETTINGS)
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
    from streams.acting import tell_action

    said = {"level": "dissemination", "kind": "split_topics", "split_from": other}
    told = tell_action(f"topic:{topic}", said | {"by": by, "note": note}, at, kafka=kafka)
    click.echo(f"{told}  {topic} and {other} stay two works")
