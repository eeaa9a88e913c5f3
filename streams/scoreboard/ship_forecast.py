"""Makes the forecast that is shipped for levels of views, out of pasts of several platforms.

    python -m streams.scoreboard.ship_forecast OUT LEVEL=FILE [LEVEL=FILE ...]

FILE holds events as for `hotspots train`, LEVEL is what they are about, such as `view:10000`. What
a forecast looks at are ratios to the level, so that pasts of different levels teach one model; each
past weighs the same. The file that the repository holds was made of the development halves of the
uploads and of the popular list (docs/detection.md):

    python -m streams.scoreboard.ship_forecast models/shipped_forecast.json \
        view:10000=newsongs.jsonl view:1000000=popular.jsonl
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from models.boosted_trees import Size
from models.forecast_training import trees_to_grow
from models.parameters import Level
from streams.commands.backtest import OFFLINE_KEY
from streams.offline.backtest import Backtest
from streams.offline.training import Past, learn, save
from streams.progress import progress, say
from streams.scenarios.event_files import read_events
from streams.settings import load_settings

SIZES: Final = (Size(7, 0.05, 250),)
"""Small enough for a file below 250 KB when it is grown twice; what it loses to larger ones on
unseen videos is within the intervals (docs/detection.md)."""

LEVEL: Final = Level("view", 10_000)
"""What the file names; it serves any level of views."""


def read(level: Level, file: Path) -> Past:
    """Return what was forecast over a file of events.

    Raises:
        UserError: It cannot be read.
    """
    settings = load_settings(needs=(), overrides={"level": str(level)})
    backtest = Backtest(
        parameters=replace(settings.parameters(), learn_forecast=False),
        actor_key=settings.actor_key.get_secret_value().encode() or OFFLINE_KEY,
        limits=settings.decoding_limits(),
        received_ms=time.time_ns() // 1_000_000,
    )
    past = Past(level, settings.horizon_ms)
    with progress(f"reading {file.name}", unit="events") as steps:
        for count in past.read(backtest, read_events(file)):
            steps.advance(count)
    return past


def ship(out: Path, pasts: Sequence[Past], sizes: Sequence[Size] = SIZES) -> None:
    """Learn from pasts and write the file.

    Raises:
        TooFewExamplesError: One of them teaches too little.
        OSError: The file cannot be written.
    """
    told = {"levels": [str(past.level) for past in pasts]}
    with progress("learning", trees_to_grow(sizes), unit="trees") as steps:
        model = learn(
            *pasts,
            level=LEVEL,
            horizon_ms=pasts[0].horizon_ms,
            told=told,
            made_by="shipped",
            sizes=sizes,
            advance=steps.advance,
        )
    save(model, out)
    say(f"{model.name}: {dict(model.trained)}")


@click.command()
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("pasts", metavar="LEVEL=FILE...", nargs=-1, required=True)
def main(out: Path, pasts: tuple[str, ...]) -> None:
    """Make the forecast OUT from events in files, each with its level."""
    read_pasts = []
    for given in pasts:
        level, sign, file = given.partition("=")
        if not sign:
            raise click.BadParameter(f"{given!r} is not LEVEL=FILE, such as view:10000=past.jsonl")
        read_pasts.append(read(Level.parse(level), Path(file)))
    ship(out, read_pasts)


if __name__ == "__main__":
    main()
