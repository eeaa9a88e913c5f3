"""`hotspots backtest`: the same models over a file, no broker."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from streams.offline.backtest import Backtest

OFFLINE_KEY = b"hotspots backtest, nothing leaves"
"""Hashes actors where no HOTSPOTS_ACTOR_KEY is set: the hashes end in sketches and are not
written."""


@click.command("backtest")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--alerts",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the alerts, one CloudEvent a line.",
)
@click.option(
    "--actions",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What people did about hotspots, one action a line (docs/actions.md).",
)
@click.option(
    "--forecasts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the forecasts, one a line whenever a probability changes.",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path, dir_okay=False),
    help="What forecasts, above HOTSPOTS_MODEL; its level and horizon hold. `none`: a regression.",
)
@click.option("--level", metavar="ACTION:N", help="What a hotspot is, above HOTSPOTS_LEVEL.")
@click.option("--horizon", metavar="DURATION", help="Within which time, above HOTSPOTS_HORIZON.")
def command(
    file: Path,
    alerts: Path,
    actions: Path | None,
    forecasts: Path | None,
    model: Path | None,
    level: str | None,
    horizon: str | None,
) -> None:
    """Tell what the monitor would have told of the events in FILE.

    FILE holds JSON lines, plain or compressed (.gz, .zst), or parquet with a column per field. No
    broker is needed; a worker that is fed the same file raises alerts with the same ids.
    """
    import json
    import time
    from contextlib import ExitStack
    from itertools import chain, islice

    from streams.durations import format_duration
    from streams.errors import UserError
    from streams.forecasters import NO_MODEL, forecaster_of, read_model
    from streams.offline.backtest import Backtest
    from streams.progress import progress, say
    from streams.scenarios.event_files import read_events
    from streams.settings import load_settings

    given = {"level": level, "horizon": horizon}
    overrides = {name: value for name, value in given.items() if value is not None}
    if model is not None and str(model) == NO_MODEL:
        overrides["model"] = NO_MODEL
    elif model is not None:
        remembered = read_model(model, "--model")
        horizon_known = format_duration(remembered.horizon_ms)
        known = {"level": str(remembered.level), "horizon": horizon_known}
        overrides = {"model": str(model), **known, **overrides}
    settings = load_settings(needs=(), overrides=overrides)
    backtest = Backtest(
        parameters=settings.parameters(),
        actor_key=settings.actor_key.get_secret_value().encode() or OFFLINE_KEY,
        limits=settings.decoding_limits(),
        received_ms=time.time_ns() // 1_000_000,
        forecaster=forecaster_of(settings),
    )
    if any(out is not None and out.resolve() == file.resolve() for out in (alerts, forecasts)):
        raise UserError(f"{file} would be overwritten", remedy="name another file to write")
    _act(backtest, actions)
    events = read_events(file)
    # Read before anything is opened for writing: a wrong FILE must not empty an earlier result.
    first = list(islice(events, 1))
    told = 0
    with ExitStack() as stack:
        try:
            alerts_file = stack.enter_context(alerts.open("wb"))
            forecasts_file = None
            if forecasts is not None:
                forecasts_file = stack.enter_context(forecasts.open("w", encoding="utf-8"))
        except OSError as error:
            raise UserError(
                f"{error.filename} cannot be written: {error.strerror}", remedy="choose another"
            ) from error
        steps = stack.enter_context(progress(f"backtest of {file.name}", unit="events"))
        for lines, new_alerts, new_forecasts in backtest.run(chain(first, events)):
            alerts_file.writelines(alert + b"\n" for alert in new_alerts)
            told += len(new_alerts)
            if forecasts_file is not None:
                for forecast in new_forecasts:
                    line = {
                        "time": forecast.time_ms,
                        "platform": forecast.platform,
                        "video_id": forecast.video_id,
                        "probability": forecast.probability,
                    }
                    forecasts_file.write(json.dumps(line, ensure_ascii=False) + "\n")
            steps.advance(lines)
    rejected = sum(backtest.rejects.values())
    say(f"{backtest.events:,} events, {rejected:,} rejected, {told:,} alerts in {alerts}")
    for reason, count in backtest.rejects.most_common():
        say(f"  rejected as {reason.value}: {count:,}")


def _act(backtest: "Backtest", actions: Path | None) -> None:
    """Take in a file of actions, if there is one.

    Raises:
        UserError: It cannot be read, or a line of it is no action.
    """
    from models.events import RejectedEventError
    from streams.errors import UserError
    from streams.scenarios.event_files import read_events

    if actions is None:
        return
    try:
        backtest.act(read_events(actions))
    except RejectedEventError as error:
        raise UserError(
            f"{actions} holds what is no action ({error})", remedy="see docs/actions.md"
        ) from error
