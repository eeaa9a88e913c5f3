"""Measure the detectors, and write docs/detectors.md: `python -m streams.scoreboard.detection`.

The simulated parts need nothing. The others need a directory with the data sets, each as parquet
and as a file of events (models/events.py): `tweets.parquet`, `tweets.jsonl`, `uploads.parquet`,
`uploads.jsonl`.
"""

from pathlib import Path
from typing import Final

import click

from models.parameters import Parameters
from streams import measured_pages
from streams.measured_pages import DOCS
from streams.progress import say
from streams.scoreboard import detection_page as page
from streams.scoreboard import detection_quiet as quiet
from streams.scoreboard import detection_tweets as bursts
from streams.scoreboard.detection_delays import Delay, delays
from streams.scoreboard.detection_discoveries import discoveries_on_nulls
from streams.scoreboard.detection_nulls import bursts_on_nulls, evidence_on_nulls

PAGE: Final = "detectors.md"
PICTURE: Final = "detectors.svg"
SEED: Final = 7


@click.command()
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False, exists=True), help="The data sets."
)
@click.option("--write", is_flag=True, help="Write what was measured into docs/.")
def main(data: Path | None, write: bool) -> None:
    """Measure the detectors; without --data, only what is simulated."""
    measure(data, write=write)


def measure(data: Path | None, *, write: bool) -> None:
    """Measure the detectors, print the tables, and write them into docs/ where asked.

    Args:
        data: The directory of the sets; without, only what is simulated.
        write: Whether the page is written anew.
    """
    parts = {
        "nulls": page.nulls_table(list(evidence_on_nulls(SEED))),
        "bursts on nulls": page.nulls_table(list(bursts_on_nulls(SEED))),
    }
    parts["discoveries"] = page.discoveries_table(list(discoveries_on_nulls(SEED)))
    waited = delays(SEED)
    parts["delays"] = page.delays_table(waited)
    if data is not None:
        parts |= _on_data(data, waited, DOCS / PICTURE if write else None)
    for name, text in parts.items():
        click.echo(f"\n## {name}\n\n{text}")
    if write:
        measured_pages.write(DOCS / PAGE, parts)
        say(f"wrote docs/{PAGE}")


def _on_data(data: Path, waited: list[Delay], picture: Path | None) -> dict[str, str]:
    series = bursts.read(data / "tweets.parquet")
    windows = bursts.windows_of(series)
    curves = bursts.curves(series)
    if picture is not None:
        page.draw(waited, curves, windows, picture)
    sets = (
        quiet.tweets(data / "tweets.parquet", data / "tweets.jsonl"),
        quiet.ordinary_uploads(data / "uploads.parquet", data / "uploads.jsonl"),
    )
    alarms = [one for each in sets for one in quiet.measure(each, Parameters())]
    return {
        "tweets": page.tweets_table(curves, windows),
        "quiet": page.quiet_table(alarms),
    }


if __name__ == "__main__":
    main()
