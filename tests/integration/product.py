"""Drives the product's own commands over a real broker, and holds what they leave against a file.

A file of events is told twice: by `hotspots backtest`, and by `hotspots replay` with workers that
are killed, stopped, joined and left. Both must tell the same story.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pipeline import Pipeline
from pydantic import SecretStr

from models.identity import video_key
from models.parameters import HOUR_MS, MINUTE_MS
from models.video_state import VideoTable
from models.vocabulary import ACTIONS
from streams.delivery.board_store import BoardStore
from streams.forecasters import forecaster_of
from streams.offline.backtest import Backtest
from streams.settings import Settings
from streams.topics import Topic

START_MS = 1_693_353_600_000
"""2023-08-30, the day of the seeds' case; a whole bucket, epoch and hour."""
HOURS = 36
ACTOR_KEY = "0123456789abcdef"
SETTINGS: dict[str, Any] = {
    "bucket_ms": 5 * MINUTE_MS,
    "epoch_ms": 6 * HOUR_MS,
    "alarm_rate_per_video_day": 0.5,
    "level": "view:3000",
    "checkpoint_interval_ms": 200,
    "session_timeout_ms": 6_000,
    "idle_after_ms": 60_000,
    "metrics_port": 0,
}
"""Buckets and epochs as by default: the story holds six epochs. Nobody falls idle by itself."""
CLI = (sys.executable, "-m", "streams.cli")
ROW_KEY = b"v/"
"""Begins the rows of videos in the changelog (models/stages.py)."""
COMMAND_TIMEOUT_S = 120.0
"""The first command after a change compiles (models/compiled.py)."""
OUTCOME_TIMEOUT_S = 60.0
SETTLED_POLLS = 3

Alert = dict[str, Any]
Totals = dict[str, dict[str, int]]


# ---- the story --------------------------------------------------------------------------------


def story(seed: int = 5) -> list[bytes]:
    """Return a day and a half of a small platform, a JSON line for each event.

    Quiet videos; every two hours one has its hour, in turn liked, disliked, and pushed by robots;
    the first comes back at the end and has a derivative. There are repeated ids, retractions, a
    deletion, and a flood that comes a day late.
    """
    told = _Story(np.random.default_rng(seed))
    for number in range(24):
        told.quiet(f"v{number}")
    for turn, hour in enumerate(range(2, HOURS - 3, 2)):
        (told.liked, told.disliked, told.pushed)[turn % 3](f"h{turn}", 60 * hour)
    told.liked("h0", 60 * (HOURS - 1))
    told.act("d1", "derive", 240, source_video_id="h0", source_platform="bilibili")
    for minute in range(241, 600, 10):
        told.act("d1", "view", minute, 5)
    told.act("h3", "delete", 60 * 20)
    told.act("v7", "delete", 300)
    told.act("v7", "restore", 330)
    events = sorted(told.events, key=lambda event: int(event["time"]))
    # A day late: it counts in the totals, and v2 enters no stage.
    flood = {"time": START_MS + HOUR_MS, "platform": "bilibili", "video_id": "v2", "action": "like"}
    events.append({**flood, "count": 5_000})
    return [json.dumps(event).encode() for event in events]


class _Story:
    """Writes events down."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.events: list[dict[str, Any]] = []

    def act(self, video: str, action: str, minute: int, count: int = 1, **more: object) -> None:
        self.events.append(
            {
                "time": START_MS + minute * MINUTE_MS + int(self.rng.integers(0, MINUTE_MS)),
                "platform": "douyin" if video[-1] in "1357" else "bilibili",
                "video_id": video,
                "action": action,
                "count": count,
                **more,
            }
        )

    def anybody(self) -> str:
        return f"person-{int(self.rng.integers(0, 5_000))}"

    def quiet(self, video: str) -> None:
        self.act(video, "publish", 0, title=f"about {video}")
        for minute in self.rng.integers(0, 60 * HOURS, 90).tolist():
            self.act(video, "view", minute, int(self.rng.integers(1, 30)))
            if self.rng.random() < 0.3:
                self.act(video, "like", minute, actor_id=self.anybody())
            if self.rng.random() < 0.1:
                self.act(
                    video, "comment", minute, actor_id=self.anybody(), event_id=f"{video}/{minute}"
                )

    def liked(self, video: str, start: int) -> None:
        self.act(video, "publish", start, title=f"about {video}", topics=[f"work of {video}"])
        for minute in range(start, start + 60, 2):
            self.act(video, "view", minute, 3_000)
            self.act(video, "like", minute, 850)
            self.act(video, "share", minute, 150, actor_role="kol")
            self.act(video, "comment", minute, 150)
            for _ in range(8):
                self.act(video, "comment", minute, actor_id=self.anybody())
            self.act(video, "retract", minute, 3, retracts="like", actor_id=self.anybody())

    def disliked(self, video: str, start: int) -> None:
        self.act(video, "publish", start, title=f"about {video}")
        for minute in range(start, start + 60, 2):
            self.act(video, "view", minute, 2_000)
            self.act(video, "dislike", minute, 400)
            self.act(video, "comment", minute, 90, event_id=f"e{minute}")
            self.events.append(dict(self.events[-1]))

    def pushed(self, video: str, start: int) -> None:
        self.act(video, "publish", start, title=f"about {video}")
        for minute in range(start, start + 60, 2):
            self.act(video, "view", minute, 20)
            for robot in range(10):
                self.act(video, "like", minute, 20, actor_id=f"robot-{robot}")


def true_totals(lines: Iterable[bytes]) -> Totals:
    """Count a file by hand, for whoever calls what the program counts the truth."""
    totals: dict[str, Counter[str]] = {}
    known: set[tuple[str, str]] = set()
    for line in lines:
        event = json.loads(line)
        video = video_key(event["platform"], event["video_id"])
        if "event_id" in event:
            if (video, event["event_id"]) in known:
                continue
            known.add((video, event["event_id"]))
        counts = totals.setdefault(video, Counter())
        action = event["action"]
        if action == "retract":
            counts[event["retracts"]] -= event["count"]
        elif action == "derive":
            counts["publish"] += 1
            source = video_key(event["source_platform"], event["source_video_id"])
            totals.setdefault(source, Counter())["derive"] += event["count"]
        else:
            counts[action] += event.get("count", 1)
    return {video: {a: n for a, n in counts.items() if n} for video, counts in totals.items()}


def as_totals(counts: Iterable[tuple[str, Iterable[int]]]) -> Totals:
    """Return counts by action code as counts by name."""
    return {
        video: {ACTIONS[code].value: int(n) for code, n in enumerate(row) if n}
        for video, row in counts
    }


def garbage(lines: list[bytes], seed: int = 11) -> tuple[list[bytes], Counter[bytes]]:
    """Mix one per cent garbage into a file; return it, and what must be rejected."""
    rng = np.random.default_rng(seed)
    good = json.loads(lines[0])
    kinds: list[dict[str, Any] | bytes] = [
        b"not json at all",
        b'{"time": 1693353600000, "platform": "douyin"',
        b"[1, 2, 3]",
        b"\xff\xfe\x00",
        {**good, "action": "applaud"},
        {**good, "time": "yesterday"},
        {**good, "time": 1_693_353_600},
        {**good, "time": 99_999_999_999_999},
        {**good, "count": -3},
        {**good, "count": "many"},
        {**good, "actor_role": "wizard", "actor_id": "p"},
        {key: value for key, value in good.items() if key != "video_id"},
        {**good, "action": "retract", "retracts": "view"},
    ]
    mixed = list(lines)
    refused: Counter[bytes] = Counter()
    for number in range(len(lines) // 100):
        kind = kinds[number % len(kinds)]
        line = kind + b" " * number if isinstance(kind, bytes) else json.dumps(kind).encode()
        refused[line] += 1
        mixed.insert(int(rng.integers(0, len(mixed))), line)
    return mixed, refused


@dataclass(frozen=True)
class Truth:
    """What a file must come to.

    `alerts` and `board` come from a backtest in this process, `totals` from counting by hand.
    """

    lines: list[bytes]
    alerts: list[Alert]
    board: dict[str, Any]
    totals: Totals


def truth_of(lines: list[bytes], actions: Iterable[bytes] = ()) -> Truth:
    """Tell the story of some lines, and of what was done about them, without any broker."""
    settings = Settings(**SETTINGS, actor_key=SecretStr(ACTOR_KEY))
    backtest = Backtest(
        parameters=settings.parameters(),
        actor_key=ACTOR_KEY.encode(),
        limits=settings.decoding_limits(),
        received_ms=time.time_ns() // 1_000_000,
        forecaster=forecaster_of(settings),
    )
    backtest.act(actions)
    alerts = [json.loads(a) for _, new, _ in backtest.run(lines) for a in new]
    board = json.loads(backtest.pipeline.outcome.board or b"{}")
    totals = as_totals(
        (key, counts) for step in backtest.pipeline.stages for key, counts in step.totals().items()
    )
    counted = true_totals(lines)
    assert totals == counted, differences("backtest's totals", totals, counted)
    return Truth(lines, alerts, board, counted)


# ---- the commands -----------------------------------------------------------------------------


@dataclass
class Product(Pipeline):
    """One input, one group, some workers of the product itself."""

    redis_url: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    log_files: dict[int, Path] = field(default_factory=dict)
    direct: str = ""
    """The broker's own address, where the workers reach it another way."""

    @property
    def settings(self) -> Settings:
        """Return the settings of this pipeline; `values` stand above the common ones."""
        given = {
            **SETTINGS,
            "kafka": self.bootstrap_servers,
            "redis": self.redis_url,
            "app_id": self.name,
            "topic_prefix": f"{self.name}-",
            "input_topic": f"{self.name}-engagement",
            "partitions": self.partitions,
            "board_key": self.name,
            **self.values,
        }
        return Settings(**given, actor_key=SecretStr(ACTOR_KEY))

    def variables(self, **more: str) -> dict[str, str]:
        """Return the environment of a command: ours, and nothing of the caller's settings."""
        settings = self.settings
        named = {
            f"HOTSPOTS_{name.upper()}": str(getattr(settings, name))
            for name in settings.model_fields_set - {"actor_key"}
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("HOTSPOTS_")}
        return {**inherited, **named, "HOTSPOTS_ACTOR_KEY": ACTOR_KEY, **self.environment, **more}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*CLI, *arguments],
            env=self.variables(),
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    def start_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start `hotspots worker`; its stderr goes to a file beside the others."""
        return self.start_command(*CLI, "worker", **environment)

    def start_command(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start something that is a worker."""
        log = self.logs_directory / f"{self.name}-{self._started()}.log"
        with log.open("xb") as stderr:
            worker = subprocess.Popen(
                command, env=self.variables(**environment), stderr=stderr, stdout=stderr
            )
        self.workers.append(worker)
        self.log_files[worker.pid] = log
        return worker

    def log_of(self, worker: subprocess.Popen[bytes]) -> str:
        """Return what a worker wrote so far."""
        return self.log_files[worker.pid].read_text(errors="replace")

    def _started(self) -> int:
        return len(list(self.logs_directory.glob(f"{self.name}-*.log")))

    def file(self, lines: Iterable[bytes], name: str = "events.jsonl") -> Path:
        """Write lines to a file of this pipeline."""
        path = self.logs_directory / f"{self.name}-{name}"
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        return path

    def start_replay(self, lines: list[bytes], seconds: float) -> subprocess.Popen[bytes]:
        """Start `hotspots replay` at a speed that makes the file take about so long."""
        speed = HOURS * HOUR_MS / 1000 / seconds
        return subprocess.Popen(
            [*CLI, "replay", str(self.file(lines)), "--speed", f"{speed:.0f}"],
            env=self.variables(),
            stdout=subprocess.DEVNULL,
        )

    async def replay(self, lines: list[bytes], *options: str) -> None:
        """Send all lines as fast as Kafka takes them."""
        done = await asyncio.to_thread(self.run, "replay", str(self.file(lines)), *options)
        assert done.returncode == 0, done.stderr

    # ---- what came of it --------------------------------------------------------------------

    async def originals(self) -> dict[tuple[int, int], bytes | None]:
        """Return what stands on the input, by partition and offset."""
        async with self._reader() as consumer:
            topic = self.topics[Topic.ENGAGEMENT]
            ends = {tp: end for tp, end in (await self.ends()).items() if tp.topic == topic}
            consumer.assign(list(ends))
            found: dict[tuple[int, int], bytes | None] = {}
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found.update({(r.partition, r.offset): r.value for r in batch})
            return found

    async def alerts(self) -> list[Alert]:
        """Return the committed alerts in order."""
        return [json.loads(value or b"") for _, _, value in await self.read(Topic.ALERTS)]

    async def alerts_so_far(self) -> list[Alert]:
        """Return the committed alerts, none before a worker has made their topic."""
        return await self.alerts() if await self.ends() else []

    async def until_it_begins(self, number: int) -> None:
        """Wait until the worker that was started as that number processes its partitions."""
        await self.until_it_says(number, "begins at")

    async def until_it_says(self, number: int, words: str) -> None:
        """Wait until the worker that was started as that number has written some words."""
        log = self.logs_directory / f"{self.name}-{number}.log"
        deadline = time.monotonic() + COMMAND_TIMEOUT_S
        while words not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            await asyncio.sleep(0.02)

    async def totals(self) -> Totals:
        """Return every video's totals, as a recovery would read them from the changelog."""
        table = VideoTable()
        for _, key, value in await self.read(Topic.VIDEOS_CHANGELOG):
            if key is not None and key.startswith(ROW_KEY):
                table.load(key[len(ROW_KEY) :].decode(), value)
        slots = np.fromiter(table.slot_of.values(), np.int64)
        return as_totals(zip(table.slot_of, table.totals.of(slots).tolist(), strict=True))

    async def board(self) -> dict[str, Any] | None:
        """Return the board in Redis."""
        async with BoardStore(self.redis_url, self.name) as store:
            return await store.read_board()

    async def wait_for(
        self, truth: Truth, *, restart: bool = False, seconds: float = OUTCOME_TIMEOUT_S
    ) -> None:
        """Wait until so many alerts are there, everything is committed and nothing more comes.

        What is held back moves on by what is learned, so an empty log does not mean the end by
        itself; whether the alerts are the right ones is for `assert_same_story`.
        """
        deadline = time.monotonic() + seconds
        settled = 0
        while settled < SETTLED_POLLS and time.monotonic() < deadline:
            await asyncio.sleep(0.4)
            if restart:
                self.restart_ended()
            ended = [worker.returncode for worker in self.workers if worker.poll() is not None]
            assert not ended, f"workers ended with {ended}"
            done = await self.lag() == 0 and len(await self.alerts()) >= len(truth.alerts)
            settled = settled + 1 if done else 0
        if settled < SETTLED_POLLS:
            print(f"not done after {seconds} s, lag {await self.lag()}")  # noqa: T201 - read with the failure

    async def assert_same_story(self, truth: Truth) -> None:
        """Hold alerts, totals and the board against the truth; say what differs."""
        found = await self.alerts()
        totals = await self.totals()
        (*_, last) = await self.records(Topic.BOARD)
        board = await self.board() if self.redis_url else json.loads(last.value)
        wrong = [
            differences("alerts", _by_id(found), _by_id(truth.alerts)),
            differences("totals", totals, truth.totals),
            differences("board", board or {}, truth.board),
            differences("last board in Kafka", json.loads(last.value), truth.board),
        ]
        repeated = [i for i, n in Counter(alert["id"] for alert in found).items() if n > 1]
        if repeated:
            wrong.append(f"alerts more than once: {repeated}")
        if not any(wrong) and found != truth.alerts:
            wrong.append(f"alerts in another order: {[alert['id'] for alert in found]}")
        assert not any(wrong), "\n".join(filter(None, wrong))


def _by_id(alerts: list[Alert]) -> dict[str, Alert]:
    return {alert["id"]: alert for alert in alerts}


def differences(what: str, found: dict[str, Any], expected: dict[str, Any]) -> str:
    """Say where two dictionaries differ, or nothing."""
    lines = [
        f"  {key}:\n    found    {found.get(key)}\n    expected {expected.get(key)}"
        for key in sorted(found.keys() | expected.keys())
        if found.get(key) != expected.get(key)
    ]
    shown = "\n".join(lines[:5])
    return f"{what} differ in {len(lines)} places:\n{shown}" if lines else ""
