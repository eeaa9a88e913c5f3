"""What is done about hotspots, told by `hotspots act`, counts once and its effect is told once."""

import asyncio
import json
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from product import START_MS, Product, story, truth_of

from models.alerts import AlertType
from models.events import DecodingLimits
from models.guidance_actions import is_action, validate_action
from models.parameters import HOUR_MS
from streams.board.answers import Act
from streams.board.service import serving
from streams.local.kafka import EmbeddedKafka
from streams.settings import PRODUCER_NEEDS, load_settings
from streams.topics import Topic, topic_names

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]

ACTIONS = [
    {"taken_at": START_MS + 2 * HOUR_MS, "platform": "bilibili", "video_id": "h0"},
    {"taken_at": START_MS + 3 * HOUR_MS, "topic": "work of h0"},
]


async def test_what_the_board_records_is_in_the_topic_once(
    kafka: EmbeddedKafka, redis_url: str
) -> None:
    name = f"test-{uuid4().hex}"
    own = {
        "KAFKA": kafka.bootstrap_servers,
        "REDIS": redis_url,
        "BOARD_KEY": name,
        "TOPIC_PREFIX": f"{name}-",
    }
    environ = {f"HOTSPOTS_{key}": value for key, value in own.items()}
    settings = load_settings(environ, needs=PRODUCER_NEEDS)
    wanted = Act(hotspot_id="video:bilibili/h/0", level="interaction", kind="pin", by="李")
    async with serving(settings, "") as service:
        line = service.line_of(wanted, START_MS)
        await service.send(line)
    topic = topic_names(settings)[Topic.GUIDANCE_ACTIONS]
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    async with consumer:
        record = await asyncio.wait_for(consumer.getone(), 20)
        assert record.value == line
        (partition,) = consumer.assignment()
        assert (await consumer.end_offsets([partition]))[partition] == 1
    action = validate_action(line, latest_ms=START_MS, limits=DecodingLimits())
    assert (action.shown_subject, action.taken_at_ms) == ("bilibili/h/0", START_MS)


async def actions_in_the_log(product: Product) -> int:
    told = [value or b"" for _, _, value in await product.read(Topic.VIDEO_STAGES)]
    return sum(map(is_action, told))


async def test_what_is_told_twice_and_through_a_kill_has_one_effect(product: Product) -> None:
    lines = story()
    said = {"level": "interaction", "kind": "pin"}
    told = [json.dumps({"action_id": f"a{n}", **said, **a}).encode() for n, a in enumerate(ACTIONS)]
    truth = truth_of(lines, told)
    await product.replay(lines[: len(lines) // 2], "--no-end")
    for number, action in enumerate([*ACTIONS, ACTIONS[0]]):
        subject = f"topic:{action['topic']}" if "topic" in action else "bilibili/h0"
        hour = (int(str(action["taken_at"])) - START_MS) // HOUR_MS
        done = await asyncio.to_thread(
            product.run, "act", subject, "--level", "interaction", "--kind", "pin",
            "--at", f"2023-08-30T{hour:02}:00:00Z", "--id", f"a{number % 2}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    async with AIOKafkaProducer(bootstrap_servers=product.bootstrap_servers) as producer:
        await producer.send_and_wait(product.topics[Topic.GUIDANCE_ACTIONS], b"nonsense")
    worker = product.start_worker()
    await product.until_it_begins(0)
    while not await actions_in_the_log(product):  # noqa: ASYNC110 - Kafka has no event for it
        await asyncio.sleep(0.1)
    worker.kill()
    await asyncio.to_thread(worker.wait)
    product.workers.remove(worker)
    product.start_worker()
    await product.replay(lines[len(lines) // 2 :])
    await product.wait_for(truth)
    effects = [a for a in await product.alerts() if a["type"] == AlertType.GUIDANCE_EFFECT]
    assert sorted(e["data"]["action"]["action_id"] for e in effects) == ["a0", "a1"]
    expected = [a for a in truth.alerts if a["type"] == AlertType.GUIDANCE_EFFECT]
    assert sorted(e["id"] for e in effects) == sorted(e["id"] for e in expected)
    (refused,) = await product.records(Topic.REJECTED)
    assert refused.value == b"nonsense"
    assert dict(refused.headers)["reason"] == b"not_json"
