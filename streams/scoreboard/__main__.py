"""Measures what docs/detection.md, docs/detectors.md and docs/budget.md say: `make scoreboard`.

    python -m streams.scoreboard DIR

reads the data sets in DIR and writes the tables and pictures of these pages anew.
"""

import sys
from pathlib import Path
from typing import Final

import click

from streams.measured_pages import DOCS, write
from streams.progress import say
from streams.scoreboard import budget, case, detection
from streams.scoreboard import detection_tweets as bursts
from streams.scoreboard import forecast_page as page
from streams.scoreboard.bursts_told import measure as measure_bursts
from streams.scoreboard.forecasts import AS_SHIPPED, QUESTIONS, measure
from streams.scoreboard.stage_order import beside_badges, beside_board

PAGE: Final = "detection.md"
SETS: Final = (
    *(f"{question.file}{ending}" for question in QUESTIONS for ending in (".parquet", ".jsonl")),
    "tweets.parquet",
    "tweets.jsonl",
    "works.parquet",
)
WHERE: Final = (
    "give DATA=DIR with {files}: events (docs/events.md) and parquet (columns: "
    "streams/scoreboard/forecast_sets.py) of sets such as GitHub's archives of the popular lists "
    "of video sites, the retweet cascades of SEISMIC and the tweets of Numenta's benchmark (NAB)"
)
WRONG_USAGE: Final = 2
"""Exit code, click's own."""


@click.command()
@click.argument("data", type=click.Path(path_type=Path), required=False)
def main(data: Path | None) -> None:
    """Measure everything on the sets in DATA and write it into docs/."""
    missing = [name for name in SETS if data is None or not (data / name).exists()]
    if data is None or missing:
        say(WHERE.format(files=", ".join(missing)))
        sys.exit(WRONG_USAGE)
    answers = []
    for answer in measure(data):
        ratio, (low, high) = answer.judged.scores.ratio
        say(f"{answer.question.name}, {answer.way}: {ratio:.2f} ({low:.2f} to {high:.2f})")
        answers.append(answer)
    listed = next(a for a in answers if a.question.file == "popular" and a.way == AS_SHIPPED)
    curves = bursts.curves(bursts.read(data / "tweets.parquet"))
    orders = [*beside_badges(data, listed.told_s), beside_board(data, listed.told_s)]
    write(
        DOCS / PAGE,
        {
            "scores": page.scores_table(answers),
            "calibration": page.calibration_table(answers),
            "leads": page.leads_table(answers),
            "tweets": page.bursts_table(measure_bursts(data), curves),
            "order": page.order_table(orders),
        },
    )
    say(f"wrote docs/{PAGE}")
    for path in page.draw(answers, DOCS):
        say(f"wrote {path.relative_to(DOCS.parent)}")
    say("measuring the budget on simulated days")
    write(DOCS / "budget.md", {"budget": "\n".join(budget.table())})
    say("wrote docs/budget.md")
    if lacking := case.missing(data):
        say(f"the seeds' case is passed over: {data} lacks {', '.join(lacking)}")
    else:
        case.measure(data, save=True)
    say("measuring the detectors")
    detection.measure(data, write=True)


if __name__ == "__main__":
    main()
