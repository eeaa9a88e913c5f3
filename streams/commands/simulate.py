"""`hotspots simulate`: events with known truth, to Kafka or to a file."""

from pathlib import Path

import click

from streams.commands.options import SPEED

SCENARIOS = {
    "british-museum": "the seeds' case in nine days and a half, 5,000 ordinary videos beside it"
}


@click.command("simulate")
@click.option(
    "--scenario",
    type=click.Choice(sorted(SCENARIOS)),
    default="british-museum",
    show_default=True,
    help="Which scenario.",
)
@click.option("--list", "list_them", is_flag=True, help="List the scenarios and end.")
@click.option("--seed", type=click.IntRange(0), help="Of all chance.  [default: the scenario's]")
@click.option(
    "--ordinary-videos",
    type=click.IntRange(1, 1_000_000),
    default=5_000,
    show_default=True,
    help="How many ordinary videos live beside the case.",
)
@click.option(
    "--speed",
    type=SPEED,
    default="6600",
    show_default=True,
    metavar="N|max",
    help="Event time over wall time: 6600 is a day in 13 seconds.",
)
@click.option("--kafka", metavar="SERVERS", help="Bootstrap servers, above HOTSPOTS_KAFKA.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write JSON lines to a file (.gz, .zst) instead of Kafka.",
)
@click.option("--truth", type=click.Path(dir_okay=False, path_type=Path), help="Write the truth.")
@click.option(
    "--actions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what people did about hotspots, for `hotspots backtest --actions`.",
)
@click.option("--no-end", is_flag=True, help="Leave the end marks out.")
def command(
    scenario: str,
    list_them: bool,
    seed: int | None,
    ordinary_videos: int,
    speed: float | None,
    kafka: str | None,
    out: Path | None,
    truth: Path | None,
    actions: Path | None,
    no_end: bool,
) -> None:
    """Send the events of a scenario with known truth to Kafka, or write them to a file.

    The input topic is created when it is missing. At the end every partition gets an end mark,
    which lets a worker decide what is still open.
    """
    if list_them:
        for name, about in SCENARIOS.items():
            click.echo(f"{name}  {about}")
        return
    import asyncio

    import polars as pl

    from streams.acting import send_action
    from streams.scenarios.british_museum import SEED, british_museum
    from streams.scenarios.event_files import write_events
    from streams.scenarios.truth import write_truth
    from streams.settings import PRODUCER_NEEDS, load_settings

    del scenario  # there is one so far
    settings = None
    if out is None:
        overrides = {"kafka": kafka} if kafka else None
        settings = load_settings(needs=PRODUCER_NEEDS, overrides=overrides)
    generated = british_museum(SEED if seed is None else seed, ordinary_videos)
    if truth is not None:
        write_truth(generated.truth, truth)
    if actions is not None:
        write_events(pl.Series([line.decode() for line in generated.actions]), actions)
    if out is not None:
        write_events(generated.events["line"], out)
        click.echo(f"{generated.events.height:,} events written to {out}")
    elif settings is not None:
        from streams.sending import send_all

        for action in generated.actions:
            asyncio.run(send_action(settings, action))
        send_all(
            settings,
            generated.timed_events(),
            speed=speed,
            total=generated.events.height,
            end=not no_end,
        )
