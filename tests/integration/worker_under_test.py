"""A worker with the counting steps, to be killed: `python worker_under_test.py` with settings.

TEST_KILL_PLACE: where in a checkpoint the process kills itself (SIGKILL), when it gets there for
the TEST_KILL_AT-th time, whichever partition it is. TEST_SLOW_S: a wait in each chunk, so that
kills hit work. TEST_INTAKE_SLOW_S: the same in each chunk of intake. TEST_WAITS: the steps wait for
what comes through `learned`. TEST_LEARN_S: for so long `hotspots` learns after its first chunk.
"""

import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from counting import (
    CountingHotspots,
    CountingStages,
    KillPlace,
    LearningHotspots,
    LineIntake,
    Routed,
    TeachingHotspots,
    WaitingStages,
)

from models.packed_chunk import PackedChunk
from models.steps import Chunk, Output
from streams.agents.guidance import guidance_factory
from streams.assembly import Steps, build_app
from streams.delivery.board_store import BoardStore
from streams.running import run_app
from streams.settings import load_settings
from streams.transactions import PartitionTransactions

KILL_PLACE = os.environ.get("TEST_KILL_PLACE")
KILL_AT = int(os.environ.get("TEST_KILL_AT", "0"))
SLOW_S = float(os.environ.get("TEST_SLOW_S", "0"))
LEARN_S = float(os.environ.get("TEST_LEARN_S", "0"))
INTAKE_SLOW_S = float(os.environ.get("TEST_INTAKE_SLOW_S", "0"))
passed: Counter[KillPlace] = Counter()


def maybe_die(where: KillPlace) -> None:
    passed[where] += 1
    if where == KILL_PLACE and passed[where] == KILL_AT:
        os.write(2, f"test: killed {where}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


class DyingTransactions(PartitionTransactions):
    async def commit(
        self, rows: list[tuple[bytes, bytes | None]], outputs: list[Output], offset: int
    ) -> None:
        maybe_die(KillPlace.BEFORE_TRANSACTION)
        await super().commit(rows, outputs, offset)
        maybe_die(KillPlace.AFTER_TRANSACTION)

    async def before_offsets(self) -> None:
        maybe_die(KillPlace.BEFORE_OFFSETS)

    async def before_commit(self) -> None:
        maybe_die(KillPlace.BEFORE_COMMIT)


class SlowIntake(LineIntake):
    def process(self, chunk: PackedChunk, *, source: int, sources: int, received_ms: int) -> Routed:
        time.sleep(INTAKE_SLOW_S)
        return super().process(chunk, source=source, sources=sources, received_ms=received_ms)


class SlowStages(CountingStages):
    def process(self, chunk: Chunk) -> None:
        time.sleep(SLOW_S)
        super().process(chunk)


def main() -> None:
    settings = load_settings()
    waits = "TEST_WAITS" in os.environ
    LearningHotspots.seconds = LEARN_S
    counting = LearningHotspots if LEARN_S else CountingHotspots
    steps = Steps(
        intake=SlowIntake(settings.partitions),
        stages=WaitingStages if waits else SlowStages,
        hotspots=TeachingHotspots if waits else counting,
        guidance=guidance_factory(settings.decoding_limits()),
    )
    store = BoardStore(settings.redis, settings.board_key) if settings.redis else None
    run_app(build_app(settings, steps, store=store, transactions=DyingTransactions))


if __name__ == "__main__":
    main()
