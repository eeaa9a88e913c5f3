"""The seeds' own case: when the monitor would have told what, beside the dates of the boards.

    python -m streams.scoreboard.case DIR [--write]

DIR holds `case.jsonl`, events of the videos of one work, and `case.csv`, which they were made of:
`ts` and `pub_ts` in seconds, `platform`, `item`, `metric`, `value`; counters of videos, and places
of topics on boards (`board_pos`). Nothing is tuned on it, and what forecasts has seen none of its
videos: it learns from `uploads.jsonl` and `popular.jsonl` without them.

Counters are known when they are read: what is told of events spread between two readings counts
from the later one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click
import numpy as np
import polars as pl

from models.alerts import AlertType
from models.events import DecodingLimits
from models.forecast_training import train, trees_to_grow, video_number
from models.forecasting import Forecaster
from models.identity import video_key
from models.parameters import Level, Parameters
from models.vocabulary import Stage
from streams.measured_pages import DOCS, write
from streams.offline.backtest import Backtest
from streams.progress import progress, say
from streams.scenarios.event_files import read_events
from streams.scoreboard import case_page, ship_forecast
from streams.scoreboard.forecast_sets import MILLION
from streams.scoreboard.forecasts import KEY, RECEIVED_MS

EVENTS: Final = "case.jsonl"
READINGS: Final = "case.csv"
TAUGHT_BY: Final = (("uploads.jsonl", 10_000), ("popular.jsonl", MILLION))
"""What the shipped forecast was made of, each with its level."""
SETS: Final = (EVENTS, READINGS, *(name for name, _ in TAUGHT_BY))

LEVELS: Final = tuple(Level("view", count) for count in (Parameters().level.count, MILLION))
"""The default level, and the one that the popular list is asked about (forecasts.QUESTIONS): all of
these videos stood on it."""

BOARD_PLACES: Final = ("board_pos", "hot_question_first_seen")
"""Metrics that are places on a board; of a question on Zhihu only when it was first seen there."""


@dataclass(frozen=True, slots=True)
class Told:
    """One alert.

    Attributes:
        kind: Its type.
        of: The id of the video, or the name of the topic.
        title: Of the video; empty for a topic.
        stage: The stage entered, where one was.
        time_s: Event time, in seconds.
        known_s: When it could be known: the next reading of the counters behind it.
        data: All that it says.
    """

    kind: AlertType
    of: str
    title: str
    stage: Stage | None
    time_s: float
    known_s: float
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A topic on a board for the first time.

    Attributes:
        board: The platform.
        topic: The topic.
        time_s: When, in seconds.
        place: Which place; None where it is not said.
    """

    board: str
    topic: str
    time_s: float
    place: int | None


def missing(data: Path) -> list[str]:
    """Return which of the files are not there."""
    return [name for name in SETS if not (data / name).exists()]


def measure(data: Path, *, save: bool) -> None:
    """Run the case at each level, print what was told, and write page and picture where asked.

    Args:
        data: The directory of the sets.
        save: Whether docs/detection.md and its picture are written anew.
    """
    readings = pl.read_csv(data / READINGS, infer_schema_length=None)
    work = work_of(data / EVENTS)
    shown = boards(readings, work)
    forecaster = taught_without(data, counters(readings)["item"].unique().to_list())
    told = {level: list(tell(data / EVENTS, readings, level, forecaster)) for level in LEVELS}
    parts = {
        "case": case_page.leads_table(told, shown, work),
        "case told": case_page.told_table(told[LEVELS[-1]], work),
    }
    for name, text in parts.items():
        click.echo(f"\n## {name}\n\n{text}")
    if save:
        write(DOCS / case_page.PAGE, parts)
        case_page.draw(told, shown, work, DOCS / case_page.PICTURE)
        say(f"wrote docs/{case_page.PAGE} and docs/{case_page.PICTURE}")


def work_of(events: Path) -> str:
    """Return the topic that all videos of the case have."""
    topics = {tuple(json.loads(line).get("topics", ())) for line in read_events(events)}
    (only,) = {topic for several in topics for topic in several}
    return str(only)


def counters(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the readings that are counters of videos."""
    return readings.filter(pl.col("metric") == "view")


def boards(readings: pl.DataFrame, work: str) -> list[Shown]:
    """Return the first place of every topic that names the work, in order of time."""
    rows = (
        readings.filter(pl.col("metric").is_in(BOARD_PLACES) & pl.col("item").str.contains(work))
        .sort("ts", maintain_order=True)
        .unique(["platform", "item"], keep="first", maintain_order=True)
        .with_columns(pl.col("value").cast(pl.Int64, strict=False))
    )
    columns = rows.select("platform", "item", "ts", "metric", "value").rows()
    return [
        Shown(board, topic, float(time_s), place if metric == BOARD_PLACES[0] else None)
        for board, topic, time_s, metric, place in columns
    ]


def taught_without(data: Path, videos: Sequence[str]) -> Forecaster:
    """Return what forecasts as the shipped model does, taught by all but some videos."""
    unseen = np.array([video_number(video_key("bilibili", video)) for video in videos], np.int64)
    parts = []
    for name, level in TAUGHT_BY:
        examples = ship_forecast.read(Level("view", level), data / name).examples()
        parts.append(examples.at(~np.isin(examples.video, unseen)))
    sizes = ship_forecast.SIZES
    with progress("learning without the case", trees_to_grow(sizes), unit="trees") as steps:
        model = train(
            *parts,
            level=ship_forecast.LEVEL,
            horizon_ms=Parameters().horizon_ms,
            name="without-the-case",
            sizes=sizes,
            advance=steps.advance,
        )
    return Forecaster.of(model)


def tell(
    events: Path, readings: pl.DataFrame, level: Level, forecaster: Forecaster
) -> Iterator[Told]:
    """Yield what `hotspots backtest` tells of a file of events, in its order."""
    read = counters(readings).sort("ts")
    backtest = Backtest(Parameters(level=level), KEY, DecodingLimits(), RECEIVED_MS, forecaster)
    for _, alerts, _ in backtest.run(read_events(events)):
        for alert in map(json.loads, alerts):
            data = alert["data"]
            time_s = datetime.fromisoformat(alert["time"]).timestamp()
            of_video = "video_id" in data
            of = pl.col("item") == data["video_id"] if of_video else pl.col("pub_ts") <= time_s
            after = read.filter(of & (pl.col("ts") >= time_s))["ts"]
            kind = AlertType(alert["type"])
            entered = kind is AlertType.STAGE_ENTERED and data["juncture"] is not None
            yield Told(
                kind=kind,
                of=data["video_id"] if of_video else data["topic"],
                title=data.get("title", ""),
                stage=Stage[data["stage"].upper()] if entered else None,
                time_s=time_s,
                known_s=float(after[0]) if len(after) else time_s,
                data=data,
            )


@click.command()
@click.argument("data", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--write", "save", is_flag=True, help="Write what was measured into docs/.")
def main(data: Path, save: bool) -> None:
    """Tell the case on the sets in DATA."""
    if lacking := missing(data):
        raise click.UsageError(f"{data} lacks {', '.join(lacking)}")
    measure(data, save=save)


if __name__ == "__main__":
    main()
