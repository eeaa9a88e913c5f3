"""Runs histories in processes of their own, which agree about everything that a seed must decide.

The order of sets of strings is one of these things: it depends on PYTHONHASHSEED.
"""

import gc
import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from unittest.mock import patch

from history import History, Outcome
from planted_defects import DEFECTS

HISTORIES_PER_CALL = 20
"""Few enough that a failure shows soon; garbage is collected in between."""
_FIXED = {"PYTHONHASHSEED": "0", "POLARS_MAX_THREADS": "1"}


@contextmanager
def processes() -> Iterator[ProcessPoolExecutor]:
    """Open as many processes as there are cores."""
    with (
        patch.dict(os.environ, _FIXED),
        ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=_prepare) as pool,
    ):
        yield pool


def _prepare() -> None:
    """Keep still, and leave garbage to `run_seeds`: finalisers would disturb the order."""
    logging.disable(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    gc.disable()


def run_seeds(seeds: list[int]) -> list[Outcome]:
    """Run the histories of these seeds."""
    outcomes = [History(seed).run() for seed in seeds]
    gc.collect()
    return outcomes


def run_learning(seed: int) -> Outcome:
    """Run a history in which forecasts are learned."""
    outcome = History(seed, learns=True).run()
    gc.collect()
    return outcome


def run_calmly(seed: int) -> Outcome:
    """Run a history in which nothing goes wrong."""
    return History(seed, calm=True).run()


def find_defect(name: str, seeds: range) -> Outcome | None:
    """Run histories with a planted defect until one shows it."""
    for seed in seeds:
        outcome = History(seed).run(DEFECTS[name])
        if outcome.problems:
            return outcome
    return None


def parts(seeds: range) -> Iterable[list[int]]:
    """Cut seeds into what one call runs."""
    for begin in range(0, len(seeds), HISTORIES_PER_CALL):
        yield list(seeds[begin : begin + HISTORIES_PER_CALL])
