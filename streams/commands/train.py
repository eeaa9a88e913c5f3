"""`hotspots train`: a forecast from a platform's past."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from models.forecast_scores import Alerts, Scores


@click.command("train")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--model",
    "out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the model, for HOTSPOTS_MODEL and `hotspots backtest --model`.",
)
@click.option("--level", metavar="ACTION:N", help="What a hotspot is, above HOTSPOTS_LEVEL.")
@click.option("--horizon", metavar="DURATION", help="Within which time, above HOTSPOTS_HORIZON.")
def command(file: Path, out: Path, level: str | None, horizon: str | None) -> None:
    """Learn from the events in FILE which videos reach the level.

    FILE is as for `hotspots backtest`. First a model learns from the first 70 % of the videos, from
    what was known by then, and is judged on the others: what is printed is what to expect of a
    model on videos it has never seen. Then one learns from all, and is written with these scores.
    The model remembers its level and horizon. Twenty videos that reached the level are needed, and
    a hundred or so to be judged.
    """
    import time
    from dataclasses import replace

    from models.boosted_trees import NoTreesError
    from models.forecast_training import TooFewExamplesError, sizes_of, trees_to_grow
    from streams.commands.backtest import OFFLINE_KEY
    from streams.errors import UserError
    from streams.offline.backtest import Backtest
    from streams.offline.training import Past, check_place, judged_later, learn, save
    from streams.progress import progress, say
    from streams.scenarios.event_files import read_events
    from streams.settings import load_settings

    given = {"level": level, "horizon": horizon}
    overrides = {name: value for name, value in given.items() if value is not None}
    settings = load_settings(needs=(), overrides=overrides)
    if out.resolve() == file.resolve():
        raise UserError(f"{file} would be overwritten", remedy="name another file to write")
    parameters = settings.parameters()
    backtest = Backtest(
        parameters=replace(parameters, learn_forecast=False),
        actor_key=settings.actor_key.get_secret_value().encode() or OFFLINE_KEY,
        limits=settings.decoding_limits(),
        received_ms=time.time_ns() // 1_000_000,
    )
    past = Past(parameters.level, parameters.horizon_ms)
    try:
        # Before the long reading: it would be in vain.
        check_place(out)
        with progress(f"reading {file.name}", unit="events") as steps:
            for count in past.read(backtest, read_events(file)):
                steps.advance(count)
        trees = 2 * trees_to_grow(sizes_of(parameters.level))
        with progress("learning", trees, unit="trees") as steps:
            threshold = parameters.emerging_probability
            judged: Scores | str
            try:
                judged = judged_later(past, threshold, advance=steps.advance)
            except TooFewExamplesError as error:
                judged = f"not judged, since there is too little for it: {error}"
            told = {
                "events": backtest.events,
                "from_ms": past.first_ms(),
                "through_ms": past.last_ms(),
                "later_videos": judged if isinstance(judged, str) else judged.to_dict(),
            }
            model = learn(
                past,
                level=parameters.level,
                horizon_ms=parameters.horizon_ms,
                told=told,
                advance=steps.advance,
            )
        save(model, out)
    except OSError as error:
        raise UserError(
            f"{out} cannot be written: {error.strerror}", remedy="choose another place"
        ) from error
    except TooFewExamplesError as error:
        raise UserError(
            f"{file} teaches too little about {parameters.level}: {error}",
            remedy="give a longer past, or a lower --level",
        ) from error
    except NoTreesError as error:
        raise UserError(
            str(error), remedy="install GCC's OpenMP library (Debian: libgomp1, macOS: libomp)"
        ) from error
    rejected = sum(backtest.rejects.values())
    say(f"{backtest.events:,} events, {rejected:,} rejected")
    click.echo(judged if isinstance(judged, str) else "\n".join(lines_of(judged, threshold)))
    say(f"{model.name} in {out}")


def lines_of(scores: "Scores", threshold: float) -> list[str]:
    """Return scores in words and figures."""

    def figure(found: tuple[float, tuple[float, float]]) -> str:
        value, (low, high) = found
        return f"{value:.3f} ({low:.3f} to {high:.3f})"

    def told(name: str, alerts: "Alerts") -> str:
        return (
            f"  {name}: {alerts.hits} of {alerts.videos} reached it, "
            f"precision {alerts.precision:.3f}, recall {alerts.recall:.3f}"
        )

    judged = f"judged on {scores.videos:,} later videos, of which {scores.hits:,} reached the level"
    lines = [
        f"{judged};",
        "what was said 6 hours before or earlier counts (95 % intervals by bootstrap):",
        f"  average precision {figure(scores.average_precision)}",
        f"  of views per hour {figure(scores.rival)}",
        f"  ratio             {figure(scores.ratio)}",
        f"alerts at a probability of {threshold:g}:",
        told("forecasts", scores.alerts),
        told("as many by views per hour", scores.rival_alerts),
    ]
    for when, bins in scores.calibration.items():
        lines.append(f"calibration at {when}: promised, happened (95 % interval), videos")
        lines += [
            f"  {one.promised:.2f}  {one.happened:.2f} "
            f"({one.interval[0]:.2f} to {one.interval[1]:.2f})  {one.videos:,}"
            for one in bins
        ]
    return lines
