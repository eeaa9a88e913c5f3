"""Runs a worker's app in the foreground until it is told to stop."""

import logging
import sys
from typing import Final, NoReturn

import faust

from streams.assembly import WorkerApp
from streams.repeated_lines import RepeatedLines

SWITCH_INTERVAL_S: Final = 0.0005
"""How long the loop may keep the interpreter's lock from intake's thread: with Python's 5 ms intake
took 3.1 to 3.5 s for 3 million events, with this 2.4 to 3.1 s."""

LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
"""One line each; the time zone is the machine's own, as for every other log on it."""

_TALKATIVE: Final = ("aiokafka", "kafka", "faust", "mode", "asyncio")
"""Say little of use on INFO; our own lines say what matters."""


def run_app(app: WorkerApp) -> NoReturn:
    """Run an app as a worker, until SIGTERM or Ctrl-C.

    Exits with 0 after a stop, 1 when it must begin anew, 2 when somebody has to mend something.
    """
    level = app.settings_of_worker.log_level
    logging.basicConfig(level=level, format=LOG_FORMAT, stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RepeatedLines(_TALKATIVE))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    # A checkpoint that takes longer than its interval is no news; its duration is a metric.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)
    worker = faust.Worker(
        app, loglevel=level, override_logging=False, redirect_stdouts=False, quiet=True
    )
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    worker.spinner = None
    worker.execute_from_commandline()
    raise AssertionError("unreachable: Faust exits")
