"""The table of faults in docs/hooks.md: a real broker, a real receiver, and nothing is lost."""

import asyncio
import base64
import json
import logging
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client import CollectorRegistry
from receiver import HookReceiver, Request
from standardwebhooks import Webhook, WebhookVerificationError

from models.alerts import Alert, AlertType
from models.steps import Chunk
from streams.agents import delivery
from streams.agents.delivery import DeliveryPartitions
from streams.delivery import alertmanager
from streams.delivery.alert_log import AlertLog, DeadLetters
from streams.delivery.board_store import BoardStore
from streams.delivery.hooks import clock_ms, hook_of
from streams.delivery.route_run import RouteRun, Surroundings
from streams.delivery.routes import Receiver, read_receivers
from streams.local.kafka import EmbeddedKafka
from streams.metrics import Metrics
from streams.topics import Topic
from streams.transport.ledger import Partition

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]

TIMEOUT_S = 30.0
QUICK_MS = (50, 50, 50, 50)
"""The schedule of retries in these tests."""
HOUR_MS = 3_600_000


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def alert(number: int, kind: AlertType = AlertType.EMERGING, **data: object) -> Alert:
    about = {"video_id": f"v{number}", "platform": "douyin", "reason": "test", **data}
    return Alert(kind, clock_ms(), f"douyin/v{number}", str(number), about)


@dataclass
class Bench:
    """A topic of alerts, and routes that run as in a worker."""

    kafka: str
    directory: Path
    secret: str = field(default_factory=new_secret)
    name: str = field(default_factory=lambda: f"hooks-{uuid4().hex[:8]}")
    metrics: Metrics = field(default_factory=lambda: Metrics(CollectorRegistry()))
    schedule: tuple[int, ...] = QUICK_MS
    later_ms: int = 0
    """How much later the routes take it to be than it is."""

    @property
    def options(self) -> dict[str, Any]:
        return {"bootstrap_servers": self.kafka}

    @property
    def dead(self) -> str:
        return f"{self.name}-undelivered"

    async def create(self) -> None:
        admin = AIOKafkaAdminClient(**self.options)
        await admin.start()
        stamped = {"message.timestamp.type": "LogAppendTime"}
        await admin.create_topics(
            [NewTopic(name, 1, 1, topic_configs=stamped) for name in (self.name, self.dead)]
        )
        await admin.close()

    async def tell(self, *alerts: Alert) -> None:
        producer = AIOKafkaProducer(**self.options)
        await producer.start()
        for one in alerts:
            await producer.send_and_wait(self.name, one.to_bytes())
        await producer.stop()

    def receiver(self, url: str, *secrets_: str, kind: str = "webhook", more: str = "") -> Receiver:
        """Read a route as a worker does, from a file."""
        route = f"route-{uuid4().hex[:6]}" if not more.startswith("name") else ""
        lines = ["[[routes]]", f"kind = {kind!r}", f"url = {url!r}", more]
        lines += [f"name = {route!r}"] if route else []
        if kind == "webhook":
            files = []
            for number, secret in enumerate(secrets_ or (self.secret,)):
                path = self.directory / f"{uuid4().hex}-{number}"
                path.write_text(secret + "\n")
                files.append(f"{{ file = {str(path)!r} }}")
            lines.append(f"secrets = [{', '.join(files)}]")
        file = self.directory / f"{uuid4().hex}.toml"
        file.write_text("\n".join(lines))
        (receiver,) = read_receivers(str(file))
        return receiver

    @asynccontextmanager
    async def running(self, *receivers: Receiver) -> AsyncIterator[None]:
        """Run routes; at the end they stop as a killed worker does, committing nothing."""
        dead = DeadLetters(self.dead, self.options)
        around = Surroundings(
            dead_letters=dead,
            metrics=self.metrics,
            clock_ms=lambda: clock_ms() + self.later_ms,
            age_max_ms=HOUR_MS,
            schedule=self.schedule,
            chance=lambda: 0.0,
        )
        hooks: list[RouteRun] = [hook_of(one, self.log_of(one), around) for one in receivers]
        for hook in hooks:
            await hook.start()
        tasks = [asyncio.create_task(hook.run()) for hook in hooks]
        try:
            yield
            for task in tasks:
                assert not task.done(), task.exception()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for hook in hooks:
                await hook.stop()
            await dead.stop()

    def log_of(self, receiver: Receiver) -> AlertLog:
        group = f"{self.name}-{receiver.route.name}"
        return AlertLog(topic=self.name, group=group, options=self.options)

    async def undelivered(self) -> list[tuple[str, dict[str, str]]]:
        """Return the ids of what could not be delivered, with the headers."""
        consumer = AIOKafkaConsumer(**self.options, auto_offset_reset="earliest")
        await consumer.start()
        partition = TopicPartition(self.dead, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        found = []
        while await consumer.position(partition) < end:
            for record in (await consumer.getmany(timeout_ms=200)).get(partition, []):
                headers = {name: text.decode() for name, text in record.headers}
                found.append((json.loads(record.value)["id"], headers))
        await consumer.stop()
        return found

    def count(self, receiver: Receiver, label: str) -> float:
        """Return a figure of a route, by outcome or fate."""
        return sum(
            sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.labels.get("route") == receiver.route.name
            and label in (sample.labels.get("outcome"), sample.labels.get("fate"), sample.name)
            and not sample.name.endswith("_created")
        )


@pytest_asyncio.fixture
async def bench(kafka: EmbeddedKafka, tmp_path: Path) -> Bench:
    made = Bench(kafka.bootstrap_servers, tmp_path)
    await made.create()
    return made


LOOPBACK = "allow_networks = ['127.0.0.0/8']"


async def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def ids(requests: list[Request]) -> list[str]:
    return [request.headers["webhook-id"] for request in requests]


def answering(*statuses: int, **headers: str) -> Callable[[Request], web.Response]:
    """Answer with these in turn, then for ever with the last one."""
    left = list(statuses)

    def answer(_: Request) -> web.Response:
        status = left.pop(0) if len(left) > 1 else left[0]
        return web.Response(status=status, headers=headers if status >= 300 else {})

    return answer


async def test_an_alert_arrives_signed_once_and_by_routes(bench: Bench) -> None:
    alerts = [alert(1), alert(2, platform="weibo"), alert(3, AlertType.FADED)]
    old = replace(alert(4), time_ms=clock_ms() - 2 * HOUR_MS)
    async with HookReceiver().running() as desk:
        more = f"platforms = ['douyin']\ntypes = ['hotspot.emerging']\n{LOOPBACK}"
        receiver = bench.receiver(f"{desk.url}/hooks?token=t", more=more)
        await bench.tell(old, *alerts)
        async with HookReceiver().running() as sparing:
            budget = bench.receiver(sparing.url, more=f"budget_per_day = 1\n{LOOPBACK}")
            async with bench.running(receiver, budget):
                await until(lambda: desk.requests)
                await bench.tell(alert(5))
                await until(lambda: bench.count(receiver, "hotspots_hook_alerts_total") == 3)
                await until(lambda: bench.count(budget, "hotspots_hook_alerts_total") == 5)
        assert ids(sparing.requests) == [alerts[0].id]
        assert bench.count(budget, "over_budget") == 3
    assert ids(desk.requests)[0] == alerts[0].id
    (first, _) = desk.requests
    assert Webhook(bench.secret).verify(first.body, first.headers) == alerts[0].to_event()
    assert first.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert len(desk.requests) == 2
    assert bench.count(receiver, "past") == 1, "what is replayed is recorded and wakes nobody"


async def test_a_receiver_that_is_down(bench: Bench) -> None:
    desk = HookReceiver()
    async with desk.running():
        pass
    receiver = bench.receiver(desk.url, more=LOOPBACK)
    bench.schedule = (50,) * 200
    told = [alert(number) for number in range(3)]
    await bench.tell(*told)
    async with bench.running(receiver):
        await until(lambda: bench.count(receiver, "failed") >= 3)
        async with desk.running():
            await until(lambda: bench.count(receiver, "hotspots_hook_alerts_total") == 3)
    assert sorted(ids(desk.requests)) == sorted(one.id for one in told)
    assert await bench.undelivered() == []


async def test_a_receiver_that_is_slow_delays_nobody_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.delivery.webhook.WebhookSender.__init__.__defaults__", (1.0,))
    bench.schedule = (50,)
    await bench.tell(alert(1), alert(2))
    slow, quick = HookReceiver(hold=asyncio.Event()), HookReceiver()
    async with slow.running(), quick.running():
        routes = [bench.receiver(one.url, more=LOOPBACK) for one in (slow, quick)]
        async with bench.running(*routes):
            await until(lambda: bench.count(routes[1], "hotspots_hook_alerts_total") == 2)
            assert bench.count(routes[0], "delivered") == 0
            await until(lambda: bench.count(routes[0], "undelivered") == 2)
        slow.hold.set()
    found = await bench.undelivered()
    assert {headers["reason"] for _, headers in found} == {"it does not answer in time"}
    assert {headers["attempts"] for _, headers in found} == {"2"}


async def test_a_receiver_that_answers_500(bench: Bench) -> None:
    told = alert(1)
    await bench.tell(told)
    async with HookReceiver(answering(500, 503, 200)).running() as desk:
        receiver = bench.receiver(desk.url, more=LOOPBACK)
        async with bench.running(receiver):
            await until(lambda: bench.count(receiver, "delivered"))
    assert ids(desk.requests) == [told.id] * 3, "the id is what repeats are known by"
    assert bench.count(receiver, "failed") == 2


async def test_a_receiver_that_never_takes_an_alert_leaves_it_to_the_dead_letters(
    bench: Bench,
) -> None:
    poison, good = alert(1), alert(2)

    def answer(request: Request) -> web.Response:
        return web.Response(status=400 if request.headers["webhook-id"] == poison.id else 200)

    await bench.tell(poison, good)
    async with HookReceiver(answer).running() as desk:
        receiver = bench.receiver(desk.url, more=LOOPBACK)
        async with bench.running(receiver):
            await until(lambda: bench.count(receiver, "undelivered"))
    assert ids(desk.requests).count(good.id) == 1, "what is behind it is not held up"
    ((name, headers),) = await bench.undelivered()
    assert name == poison.id
    assert headers == {"route": receiver.route.name, "reason": "it answers 400", "attempts": "5"}


async def test_a_receiver_that_answers_410_gets_nothing_any_more(bench: Bench) -> None:
    told = [alert(number) for number in range(3)]
    await bench.tell(*told[:2])
    async with HookReceiver(answering(410)).running() as desk:
        receiver = bench.receiver(desk.url, more=LOOPBACK)
        async with bench.running(receiver):
            await until(lambda: bench.count(receiver, "undelivered") == 2)
        await bench.tell(told[2])
        async with bench.running(receiver):
            await until(lambda: bench.count(receiver, "undelivered") == 3)
        assert len(desk.requests) == 1, "also after a restart"
        assert bench.count(receiver, "hotspots_hook_ended") == 1
        # Another address under the same name is another endpoint.
        desk.answer = answering(200)
        again = f"name = {receiver.route.name!r}\n{LOOPBACK}"
        async with bench.running(bench.receiver(f"{desk.url}/new", more=again)):
            await bench.tell(alert(4))
            await until(lambda: len(desk.requests) == 2)
    assert [name for name, _ in await bench.undelivered()] == [one.id for one in told]


async def test_a_receiver_that_answers_429_is_left_alone_as_long_as_it_wants(bench: Bench) -> None:
    bench.schedule = (0, 0)
    await bench.tell(alert(1), alert(2))
    async with HookReceiver(answering(429, 200, **{"Retry-After": "1"})).running() as desk:
        receiver = bench.receiver(desk.url, more=LOOPBACK)
        async with bench.running(receiver):
            await until(lambda: len(desk.requests) == 1)
            refused_s = time.monotonic()
            await until(lambda: bench.count(receiver, "delivered") == 4)  # attempts and alerts
            assert time.monotonic() - refused_s >= 0.9, "neither of the two came sooner"
    assert len(desk.requests) == 3


async def test_a_redirect_is_not_followed(bench: Bench) -> None:
    await bench.tell(alert(1))
    async with HookReceiver().running() as other:
        answer = answering(302, Location=other.url)
        async with HookReceiver(answer).running() as desk:
            receiver = bench.receiver(desk.url, more=LOOPBACK)
            async with bench.running(receiver):
                await until(lambda: bench.count(receiver, "undelivered"))
        assert other.requests == []
    ((_, headers),) = await bench.undelivered()
    assert headers["reason"] == "it answers 302 (redirects are not followed)"


async def test_a_wrong_signature_is_mended_by_a_second_secret(bench: Bench) -> None:
    told = alert(1)
    await bench.tell(told)
    new = new_secret()

    def answer(request: Request) -> web.Response:
        try:
            Webhook(new).verify(request.body, request.headers)
        except WebhookVerificationError:
            return web.Response(status=401)
        return web.Response(status=200)

    bench.schedule = (100,) * 500
    async with HookReceiver(answer).running() as desk:
        receiver = bench.receiver(desk.url, more=LOOPBACK)
        async with bench.running(receiver):
            await until(lambda: bench.count(receiver, "failed"))
        again = f"name = {receiver.route.name!r}\n{LOOPBACK}"
        both = bench.receiver(desk.url, new, bench.secret, more=again)
        async with bench.running(both):
            await until(lambda: bench.count(both, "delivered"))
    last = desk.requests[-1]
    assert ids([last]) == [told.id]
    for secret in (new, bench.secret):
        Webhook(secret).verify(last.body, last.headers)


async def test_a_name_that_means_a_private_address_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the first answers were public: what is checked is what is connected to."""
    true = socket.getaddrinfo

    def lying(host: str, *rest: Any, **more: Any) -> Any:  # noqa: ANN401 - as getaddrinfo has it
        return true("127.0.0.1" if host == "hooks.example.org" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lying)
    await bench.tell(alert(1))
    async with HookReceiver().running() as desk:
        urls = [
            f"https://hooks.example.org:{desk.port}/token",
            f"https://127.0.0.1:{desk.port}/token",
            f"https://[::ffff:127.0.0.1]:{desk.port}/token",
            "https://169.254.169.254/token",
        ]
        routes = [bench.receiver(url) for url in urls]
        chat = bench.receiver(f"jsons://hooks.example.org:{desk.port}/token", kind="chat")
        async with bench.running(*routes, chat):
            for route in (*routes, chat):
                await until(lambda route=route: bench.count(route, "undelivered"))
        assert desk.requests == []
    found = await bench.undelivered()
    assert len(found) == 5
    for _, headers in found:
        assert "its address is refused" in headers["reason"]
        assert "is not public and not in allow_networks" in headers["reason"]
    assert "token" not in caplog.text


async def test_redis_is_gone(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RETRY_FIRST_S", 0.05)
    told = alert(1)
    store = BoardStore("redis://127.0.0.1:9/0", bench.name, 60)
    topics = {topic.value: topic.value for topic in Topic}
    board = DeliveryPartitions(topics=topics, store=store, metrics=bench.metrics)
    board.consumer = _Consumer()  # type: ignore[assignment] # all that a board asks of a consumer
    chunk = Chunk(0, 1, [0], [None], [told.to_bytes()], [0])
    stuck = asyncio.create_task(board.take(Partition(Topic.ALERTS, 0), chunk))
    await bench.tell(told)
    async with HookReceiver().running() as desk:
        receiver = bench.receiver(desk.url, more=LOOPBACK)
        async with bench.running(receiver):
            await until(lambda: desk.requests)
    assert not stuck.done(), "the board waits for its Redis; hooks do not"
    stuck.cancel()
    await store.close()


class _Consumer:
    def __init__(self) -> None:
        self.ledger = self

    def expected(self, partition: Partition) -> int:
        del partition
        return 0

    async def begin(self, partition: Partition, chunk: Chunk) -> Chunk:
        del partition
        return chunk


async def test_alertmanager_is_gone_and_comes_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alertmanager, "RETRY_FIRST_MS", 50)
    monkeypatch.setattr(alertmanager, "RESEND_MS", 300)
    desk = HookReceiver()
    async with desk.running():
        pass
    more = f"labels = {{ team = 'desk' }}\n{LOOPBACK}"
    receiver = bench.receiver(desk.url, kind="alertmanager", more=more)
    first, second = alert(1), alert(2)
    await bench.tell(first)
    async with bench.running(receiver):
        await until(lambda: bench.count(receiver, "failed"))
        async with desk.running():
            await until(lambda: len(desk.requests) >= 3)
            await bench.tell(second, alert(1, AlertType.FADED))
            await until(lambda: _has_ended(said(desk.requests[-1])))
    assert {request.path for request in desk.requests} == {"/api/v2/alerts"}
    told = said(desk.requests[0])["douyin/v1"]
    labels = {"alertname": "hotspot.emerging", "subject": "douyin/v1", "platform": "douyin"}
    assert told["labels"] == labels | {"team": "desk"}
    assert told["endsAt"] > told["startsAt"]
    ended = said(desk.requests[-1])["douyin/v1"]
    assert ended["labels"] == told["labels"]
    # What fires is read again after a restart, and nothing is counted twice.
    desk.requests.clear()
    async with desk.running(), bench.running(receiver):
        await until(lambda: desk.requests)
    assert said(desk.requests[0]).keys() == {"douyin/v1", "douyin/v2"}
    assert bench.count(receiver, "hotspots_hook_alerts_total") == 2


def _has_ended(told: dict[str, Any]) -> bool:
    """Tell whether the first has ended before the second, which still fires."""
    return "douyin/v2" in told and told["douyin/v1"]["endsAt"] < told["douyin/v2"]["endsAt"]


def said(request: Request) -> dict[str, Any]:
    return {one["labels"]["subject"]: one for one in json.loads(request.body)}


async def test_a_restart_in_mid_delivery(bench: Bench) -> None:
    bench.schedule = (600_000,)
    told = [alert(number) for number in range(3)]
    await bench.tell(*told)
    hold = asyncio.Event()
    async with HookReceiver(answering(500, 200), hold=hold, hold_from=2).running() as desk:
        receiver = bench.receiver(desk.url, more=LOOPBACK)
        async with bench.running(receiver):
            # The first has failed and waits for ten minutes, the second is delivered; the third
            # is under way when the worker ends.
            await until(lambda: len(desk.requests) == 3)
        hold.set()
        async with bench.running(receiver):
            await until(lambda: len(desk.requests) == 4)
            await until(lambda: bench.count(receiver, "hotspots_hook_waiting") == 1)
    assert ids(desk.requests) == [one.id for one in (*told, told[2])]


async def test_what_came_while_no_worker_ran_is_not_of_the_past(bench: Bench) -> None:
    async with HookReceiver().running() as desk:
        receiver = bench.receiver(desk.url, more=LOOPBACK)
        async with bench.running(receiver):
            await until_committed(bench, receiver)
        told = alert(1)
        await bench.tell(told)
        bench.later_ms = 5 * HOUR_MS
        async with bench.running(receiver):
            await until(lambda: desk.requests)
    assert ids(desk.requests) == [told.id]


async def until_committed(bench: Bench, receiver: Receiver) -> None:
    admin = AIOKafkaAdminClient(**bench.options)
    await admin.start()
    group = f"{bench.name}-{receiver.route.name}"
    deadline = time.monotonic() + TIMEOUT_S
    while not await admin.list_consumer_group_offsets(group):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await admin.close()


async def test_a_chat_is_told_in_words(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    await bench.tell(alert(1, title="一首歌", probability=0.9, suggestion="Encourage it."))
    caplog.set_level(logging.DEBUG)
    async with HookReceiver(answering(500, 200)).running() as desk:
        url = f"json://127.0.0.1:{desk.port}/very-secret"
        receiver = bench.receiver(url, kind="chat", more=LOOPBACK)
        async with bench.running(receiver):
            await until(lambda: bench.count(receiver, "hotspots_hook_alerts_total"))
    told = json.loads(desk.requests[-1].body)
    assert told["title"] == "一首歌 is emerging (90 %)"
    assert told["message"].startswith("Encourage it.\nreason: test")
    assert "very-secret" not in caplog.text
