"""A worker with the counting steps, to be killed: `python worker_under_test.py` with settings.

TEST_KILL_CHANCE and TEST_STOP_CHANCE: the chance, at each step of a transaction, that the process
sends itself SIGKILL or SIGSTOP there. TEST_SLOW_S: a wait in each chunk, so that kills hit work.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from counting import CountingHotspots, CountingStages, LineIntake

from models.steps import Chunk, Output
from streams.assembly import Steps, build_app
from streams.running import run_app
from streams.settings import load_settings
from streams.transactions import PartitionTransactions

KILL_CHANCE = float(os.environ.get("TEST_KILL_CHANCE", "0"))
STOP_CHANCE = float(os.environ.get("TEST_STOP_CHANCE", "0"))
SLOW_S = float(os.environ.get("TEST_SLOW_S", "0"))
chance = random.Random(os.getpid())  # noqa: S311 - a test's dice


def maybe_die(where: str) -> None:
    if chance.random() < KILL_CHANCE:
        os.write(2, f"test: killed {where}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
    if chance.random() < STOP_CHANCE:
        os.write(2, f"test: stopped {where}\n".encode())
        os.kill(os.getpid(), signal.SIGSTOP)


class DyingTransactions(PartitionTransactions):
    async def commit(
        self, rows: list[tuple[bytes, bytes | None]], outputs: list[Output], offset: int
    ) -> None:
        maybe_die("before the transaction")
        await super().commit(rows, outputs, offset)
        maybe_die("after the transaction")

    async def before_offsets(self) -> None:
        maybe_die("before the offsets")

    async def before_commit(self) -> None:
        maybe_die("before the commit")


class SlowStages(CountingStages):
    def process(self, chunk: Chunk) -> None:
        time.sleep(SLOW_S)
        super().process(chunk)


def main() -> None:
    settings = load_settings()
    steps = Steps(
        intake=LineIntake(settings.partitions), stages=SlowStages, hotspots=CountingHotspots
    )
    run_app(build_app(settings, steps, transactions=DyingTransactions))


if __name__ == "__main__":
    main()
