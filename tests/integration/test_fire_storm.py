"""Kills, zombies, joins and leaves in one storm, while events flow: the story stays the same."""

import asyncio
import os
import random
import signal
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from flood import EVENTS, flood, flowing, reasons
from product import Product, Truth, truth_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = [pytest.mark.kafka, pytest.mark.crash, pytest.mark.asyncio]

SEEDS = tuple(map(int, os.environ.get("FIRE_SEEDS", "20261121").split(",")))
FLOW_S = 40.0
SESSION_S = 3.0
STEPS = ("kill", "kill", "kill", "kill all", "freeze", "freeze", "join", "join", "leave", "leave")
WORKERS_MAX = 3
HASTE = 0.3
"""How often the next step comes while everybody may still be starting."""
BEGUN_S = 120.0
OUTCOME_S = 60.0 + EVENTS / 5_000


@pytest.fixture(scope="module")
def truth() -> Truth:
    return truth_of(flood(EVENTS))


@pytest.fixture
def product(product: Product) -> Product:
    product.values = {"session_timeout_ms": int(1000 * SESSION_S)}
    return product


@dataclass
class Storm:
    """What befalls the workers, drawn from a seed."""

    product: Product
    chance: random.Random
    done: list[str] = field(default_factory=list)

    @property
    def workers(self) -> list[subprocess.Popen[bytes]]:
        return [worker for worker in self.product.workers if worker.poll() is None]

    async def run(self) -> None:
        steps = list(STEPS)
        self.chance.shuffle(steps)
        what: dict[str, Callable[[], Awaitable[None]]] = {
            "kill": self.kill,
            "kill all": self.kill_all,
            "freeze": self.freeze,
            "join": self.join,
            "leave": self.leave,
        }
        for step in steps:
            await self._wait()
            self.done.append(f"{step} of {len(self.workers)}")
            await what[step]()

    async def _wait(self) -> None:
        """Mostly until somebody is at work: a storm that never lets up would hit only starts."""
        hasty = self.chance.random() < HASTE
        async with asyncio.timeout(BEGUN_S):
            while not (hasty or self._is_somebody_at_work()):
                self.product.restart_ended()
                await asyncio.sleep(0.1)
        await asyncio.sleep(self.chance.uniform(0.2, 2.0))
        self.product.restart_ended()

    def _is_somebody_at_work(self) -> bool:
        return any("begins at" in self.product.log_of(worker) for worker in self.workers)

    def _pick(self) -> subprocess.Popen[bytes]:
        return self.chance.choice(self.workers)

    async def kill(self) -> None:
        self._kill(self._pick())
        self.product.start_worker()

    async def kill_all(self) -> None:
        for worker in self.workers:
            self._kill(worker)
        self.product.start_worker()

    def _kill(self, worker: subprocess.Popen[bytes]) -> None:
        worker.kill()
        worker.wait()
        self.product.workers.remove(worker)

    async def join(self) -> None:
        if len(self.workers) < WORKERS_MAX:
            self.product.start_worker()

    async def leave(self) -> None:
        """Told to stop, one that only starts or joins does so, too."""
        worker = self._pick()
        worker.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(worker.wait, 20)
        # It may have ended itself in the same moment, as a zombie does, or not yet have loaded
        # what handles the signal.
        assert code in (0, 1, -signal.SIGTERM), code
        self.product.workers.remove(worker)
        if not self.workers:
            self.product.start_worker()

    async def freeze(self) -> None:
        """Stop one until the others have taken over, then let it go on."""
        frozen = self._pick()
        frozen.send_signal(signal.SIGSTOP)
        if len(self.workers) == 1:
            self.product.start_worker()
        await asyncio.sleep(SESSION_S + self.chance.uniform(1.0, 3.0))
        frozen.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_storm_of_kills_zombies_joins_and_leaves(
    product: Product, truth: Truth, seed: int
) -> None:
    storm = Storm(product, random.Random(seed))  # noqa: S311 - a test's dice
    print(f"seed {seed}, {len(truth.lines):,} events, {len(truth.alerts)} alerts")  # noqa: T201 - asked for by issue 4
    told = []
    product.start_worker()
    async with flowing(product, truth.lines, FLOW_S):
        await product.until_it_begins(0)
        await storm.run()
        told.append(len(await product.alerts_so_far()))
    await product.wait_for(truth, restart=True, seconds=OUTCOME_S)
    await product.assert_same_story(truth)
    print(f"{storm.done}; workers ended themselves: {reasons(product)}")  # noqa: T201 - shown with -s
    assert 0 < told[0] <= len(truth.alerts)
    assert len(storm.done) == len(STEPS)
