"""Drives real workers over a real broker, and holds what they leave against the truth."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from counting import COUNT, MARKS
from pydantic import SecretStr

from models.identity import video_key
from models.vocabulary import ACTION_CODE
from streams.settings import Settings
from streams.stateful import POSITION_KEY
from streams.topics import Topic, create_input_topic, topic_names

WORKER = Path(__file__).parent / "worker_under_test.py"
ACTIONS = ("view", "like", "share", "comment")
DONE_TIMEOUT_S = 60.0


@dataclass
class Pipeline:
    """One input, one group, some workers."""

    bootstrap_servers: str
    logs_directory: Path
    name: str = field(default_factory=lambda: f"t{uuid4().hex[:8]}")
    partitions: int = 4
    sources: int = 3
    environment: dict[str, str] = field(default_factory=dict)
    truth: Counter[bytes] = field(default_factory=Counter)
    refused: set[bytes] = field(default_factory=set)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(
            kafka=self.bootstrap_servers,
            actor_key=SecretStr("0123456789abcdef"),
            app_id=self.name,
            topic_prefix=f"{self.name}-",
            input_topic=f"{self.name}-engagement",
            partitions=self.partitions,
            session_timeout_ms=6_000,
            idle_after_ms=60_000,
            checkpoint_interval_ms=200,
            fetch_bytes_max=65_536,
            metrics_port=0,
        )

    @property
    def topics(self) -> dict[str, str]:
        return topic_names(self.settings)

    async def produce(self, lines: int, *, seed: int, transactional: bool = False) -> None:
        """Write lines to the input; with transactions, every third one is aborted."""
        await create_input_topic(self.settings, partitions=self.sources)
        chance = random.Random(seed)  # noqa: S311 - a test's dice
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap_servers,
            linger_ms=5,
            transactional_id=f"{self.name}-producer-{seed}" if transactional else None,
        )
        await producer.start()
        topic = self.topics[Topic.ENGAGEMENT]
        for start in range(0, lines, 500):
            batch = [self._line(chance) for _ in range(min(500, lines - start))]
            if transactional:
                await producer.begin_transaction()
            sent = [
                await producer.send(topic, line, partition=chance.randrange(self.sources))
                for line in batch
            ]
            aborted = transactional and (start // 500) % 3 == 2
            if aborted:
                await producer.flush()
                await producer.abort_transaction()
            elif transactional:
                await producer.commit_transaction()
            for line, record in zip(batch, sent, strict=True):
                if not aborted:
                    metadata = await record
                    self._expect(line, metadata.partition, metadata.offset)
        await producer.stop()

    async def produce_timed(self, partition: int, times_ms: Iterable[int]) -> None:
        """Write one line for each time to a partition of the input."""
        await create_input_topic(self.settings, partitions=self.sources)
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap_servers, linger_ms=5)
        await producer.start()
        topic = self.topics[Topic.ENGAGEMENT]
        for at_ms in times_ms:
            line = b"v%d like %d" % (at_ms % 200, at_ms)
            sent = await producer.send(topic, line, partition=partition)
            self._expect(line, partition, -1)
        await sent
        await producer.stop()

    def _line(self, chance: random.Random) -> bytes:
        if chance.random() < 0.01:
            return b"not a line of ours"
        return b"v%d %s" % (min(200, int(chance.paretovariate(1))), chance.choice(ACTIONS).encode())

    def _expect(self, line: bytes, partition: int, offset: int) -> None:
        words = line.decode().split(" ")
        if 2 <= len(words) <= 3:
            self.truth[f"{video_key('test', words[0])}\x1f{ACTION_CODE[words[1]]}".encode()] += 1
        else:
            self.refused.add(f"{partition}:{offset}".encode())

    # ---- workers ----------------------------------------------------------------------------

    def start_worker(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker; its stderr goes to a file beside the others."""
        settings = self.settings
        variables = {
            f"HOTSPOTS_{name.upper()}": str(getattr(settings, name))
            for name in (
                "kafka",
                "app_id",
                "topic_prefix",
                "input_topic",
                "partitions",
                "session_timeout_ms",
                "idle_after_ms",
                "checkpoint_interval_ms",
                "fetch_bytes_max",
                "metrics_port",
            )
        }
        log = self.logs_directory / f"{self.name}-{len(self.workers)}.log"
        with log.open("ab") as stderr:
            worker = subprocess.Popen(
                [sys.executable, str(WORKER)],
                env={
                    **os.environ,
                    **variables,
                    "HOTSPOTS_ACTOR_KEY": settings.actor_key.get_secret_value(),
                    **self.environment,
                    **environment,
                },
                stderr=stderr,
                stdout=stderr,
            )
        self.workers.append(worker)
        return worker

    def logs(self) -> str:
        """Return what all workers wrote."""
        files = sorted(self.logs_directory.glob(f"{self.name}-*.log"))
        return "\n".join(file.read_text(errors="replace") for file in files)

    async def stop(self, worker: subprocess.Popen[bytes]) -> None:
        """Stop a worker in order, which takes 10 s at most."""
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 10) == 0
        self.workers.remove(worker)

    def stop_workers(self) -> None:
        """End what still runs, whatever state it is in."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.kill()
                worker.send_signal(signal.SIGCONT)
            worker.wait()

    # ---- what they did ----------------------------------------------------------------------

    async def ends(self) -> dict[TopicPartition, int]:
        """Return where committed data end in all consumed topics; empty before they exist."""
        topics = [
            self.topics[topic]
            for topic in (Topic.ENGAGEMENT, Topic.BATCHES, Topic.VIDEO_STAGES, Topic.ALERTS)
        ]
        async with self._admin() as admin, self._reader() as consumer:
            described = await admin.describe_topics(topics)
            if any(topic["error_code"] for topic in described):
                return {}
            ends: dict[TopicPartition, int] = await consumer.end_offsets(
                [
                    TopicPartition(topic["topic"], part["partition"])
                    for topic in described
                    for part in topic["partitions"]
                ]
            )
            return ends

    async def committed(self) -> dict[TopicPartition, int]:
        """Return what the group has committed of the topics of `ends`."""
        ends = await self.ends()
        async with self._admin() as admin:
            try:
                found = await admin.list_consumer_group_offsets(self.name, partitions=list(ends))
            except GroupCoordinatorNotAvailableError:
                return dict.fromkeys(ends, 0)  # the broker is only making the topic of offsets
        # A broker that is only coming back tells of some partitions, or of none.
        offsets = {tp: found[tp].offset for tp in ends if tp in found}
        return {partition: max(0, offsets.get(partition, 0)) for partition in ends}

    async def lag(self) -> int:
        """Return how many offsets of all consumed topics are not committed."""
        # In this order: what is committed meanwhile makes the lag too large, never negative.
        committed = await self.committed()
        ends = await self.ends()
        if not committed:
            return 1  # the topics are not made yet
        return sum(ends[partition] - offset for partition, offset in committed.items())

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.stop()

    async def wait_until_begun(self) -> None:
        """Wait until batches are processed and committed, by whichever worker."""
        async with asyncio.timeout(DONE_TIMEOUT_S):
            while not any(  # noqa: ASYNC110 - Kafka has no event for it
                offset
                for partition, offset in (await self.committed()).items()
                if partition.topic == self.topics[Topic.BATCHES]
            ):
                await asyncio.sleep(0.1)

    async def wait_until_done(self, *, restart: bool = False) -> None:
        """Wait until everything is committed; start workers anew that ended, if asked to."""
        deadline = time.monotonic() + DONE_TIMEOUT_S
        still = 0
        while still < 3:
            await asyncio.sleep(0.3)
            if restart:
                self.restart_ended()
            ended = [worker.returncode for worker in self.workers if worker.poll() is not None]
            if ended:
                raise AssertionError(f"workers ended with {ended}")
            still = still + 1 if await self.lag() == 0 else 0
            if time.monotonic() > deadline:
                raise AssertionError(f"lag {await self.lag()} after {DONE_TIMEOUT_S} s")

    def restart_ended(self) -> list[int]:
        """Start a worker for each that has ended; return the exit codes."""
        ended = [worker for worker in self.workers if worker.poll() is not None]
        for worker in ended:
            self.workers.remove(worker)
            self.start_worker()
        return [worker.returncode for worker in ended]

    async def records(self, topic: Topic) -> list[Any]:
        """Return all committed records of a topic, those of one partition in log order."""
        async with self._reader() as consumer:
            name = self.topics[topic]
            count = self.partitions if topic in (Topic.BATCHES, Topic.VIDEOS_CHANGELOG) else 1
            partitions = [TopicPartition(name, number) for number in range(count)]
            consumer.assign(partitions)
            end = await consumer.end_offsets(partitions)
            records = []
            while any([await consumer.position(tp) < end[tp] for tp in partitions]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records += batch
            return records

    async def read(self, topic: Topic) -> list[tuple[int, bytes | None, bytes | None]]:
        """Return partition, key and value of all committed records of a topic."""
        return [
            (record.partition, record.key, record.value) for record in await self.records(topic)
        ]

    async def rejected_headers(self) -> dict[bytes, dict[str, bytes]]:
        """Return the headers of each rejected message by its key."""
        return {record.key: dict(record.headers) for record in await self.records(Topic.REJECTED)}

    async def assert_exact(self) -> None:
        """Hold counts, outputs, alerts and rejects against the truth."""
        await self._assert_counts()
        news = [json.loads(value or b"") for _, _, value in await self.read(Topic.VIDEO_STAGES)]
        totals: Counter[int] = Counter()
        for item in news:
            assert item["after"] == totals[item["partition"]], f"a hole or a repeat at {item}"
            totals[item["partition"]] = item["total"]
        assert sum(totals.values()) == sum(self.truth.values())
        alerts = [json.loads(value or b"")["id"] for _, _, value in await self.read(Topic.ALERTS)]
        assert alerts == [f"{item['partition']}/{item['total']}" for item in news]
        rejected = {key for _, key, _ in await self.read(Topic.REJECTED)}
        assert rejected == self.refused

    async def _assert_counts(self) -> None:
        rows: dict[bytes, bytes | None] = {}
        owner: dict[bytes, int] = {}
        for partition, key, value in await self.read(Topic.VIDEOS_CHANGELOG):
            if key not in (None, MARKS, POSITION_KEY):
                assert owner.setdefault(key, partition) == partition
                rows[key] = value
        counts = {key: COUNT.unpack(value or b"")[0] for key, value in rows.items()}
        wrong = {
            key: (counts.get(key, 0), self.truth[key])
            for key in counts.keys() | self.truth.keys()
            if counts.get(key, 0) != self.truth[key]
        }
        assert not wrong, f"(counted, true) of {len(wrong)} rows: {dict(list(wrong.items())[:5])}"
