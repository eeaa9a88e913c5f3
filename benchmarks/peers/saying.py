"""What every peer in Python is told, and says: see benchmarks/processes.py."""

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

WINDOW_MS: Final = 10_000


def arguments() -> argparse.Namespace:
    """Return where Kafka is, what to read, and where to put state and counts."""
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "topic", "group", "counts", "state"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--variant", default="")
    return parser.parse_args()


def say(word: str) -> None:
    """Say that something has just happened."""
    # Not sys.stdout: Faust turns that into its log.
    print(word, time.time(), flush=True, file=sys.__stdout__)


def wait_to_be_read() -> None:
    """Wait until CPU and memory have been read."""
    sys.stdin.readline()


def write_counts(path: str, counts: Iterable[tuple[object, ...]]) -> None:
    """Write counts: window_ms, video, action, count."""
    with Path(path).open("w", encoding="utf-8") as file:
        file.writelines(
            f"{window}\t{video}\t{action}\t{n}\n" for window, video, action, n in counts
        )
