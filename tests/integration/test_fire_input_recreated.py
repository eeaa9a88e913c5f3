"""The input topic is deleted and created anew: told in one line, never counted wrongly."""

import asyncio
import subprocess

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from flood import SOURCES, flood, flowing, reasons
from product import Product, Truth, truth_of

from streams.topics import Topic, create_input_topic

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio]

FEW = 5_000
ENDS_S = 40.0
REMEDY = "set another HOTSPOTS_APP_ID and another HOTSPOTS_TOPIC_PREFIX to begin anew with it"


@pytest.fixture(scope="module")
def truth() -> Truth:
    return truth_of(flood(FEW))


@pytest.fixture(scope="module")
def longer() -> Truth:
    return truth_of(flood(3 * FEW, seed=8))


async def tell(product: Product, truth: Truth) -> None:
    async with flowing(product, truth.lines, 0):
        pass


async def delete_input(product: Product) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=product.bootstrap_servers)
    await admin.start()
    await admin.delete_topics([product.topics[Topic.ENGAGEMENT]])
    # The broker answers before the topic is gone everywhere.
    while product.topics[Topic.ENGAGEMENT] in await admin.list_topics():  # noqa: ASYNC110 - Kafka has no event for it
        await asyncio.sleep(0.05)
    await admin.close()


async def ends(product: Product, worker: subprocess.Popen[bytes]) -> str:
    """Wait until a worker has ended as something to be mended; return its line."""
    before = len(product.workers)
    assert await asyncio.to_thread(worker.wait, ENDS_S) == 2
    product.workers.remove(worker)
    assert len(product.workers) == before - 1
    return reasons(product)[-1]


async def test_an_input_made_anew_while_nobody_runs(
    product: Product, truth: Truth, longer: Truth
) -> None:
    """The new topic is longer than the old one: its offsets hold no sign that it is another."""
    await tell(product, truth)
    worker = product.start_worker()
    await product.wait_for(truth)
    await product.assert_same_story(truth)
    await product.stop(worker)
    await delete_input(product)
    await tell(product, longer)
    line = await ends(product, product.start_worker())
    assert_made_anew(product, line)
    checked = await asyncio.to_thread(product.run, "check")
    assert (checked.returncode, checked.stderr) == (2, f"hotspots: {line}\n")
    assert await product.alerts() == truth.alerts, "nothing was decided with what is not known"
    # Nor is another topic counted with the first.
    first = product.topics[Topic.ENGAGEMENT]
    product.values = {"input_topic": f"{product.name}-other"}
    await create_input_topic(product.settings, partitions=SOURCES)
    line = await ends(product, product.start_worker())
    assert line.startswith(f"this deployment counts topic {first}, not {product.name}-other"), line
    assert line.endswith(REMEDY), line


async def test_an_input_made_anew_while_a_worker_runs(
    product: Product, truth: Truth, longer: Truth
) -> None:
    """It ends, ends again when it is started again, and what it says to do helps."""
    await tell(product, truth)
    worker = product.start_worker()
    await product.wait_for(truth)
    await delete_input(product)
    await tell(product, longer)
    line = await ends(product, worker)
    assert line.startswith(f"topic {product.topics[Topic.ENGAGEMENT]} was deleted"), line
    assert_made_anew(product, await ends(product, product.start_worker()))
    product.values = {"input_topic": product.topics[Topic.ENGAGEMENT]}
    product.name += "-anew"
    product.start_worker()
    await product.wait_for(longer)
    await product.assert_same_story(longer)


async def test_an_input_that_is_deleted_ends_the_worker(product: Product) -> None:
    await create_input_topic(product.settings, partitions=SOURCES)
    worker = product.start_worker()
    await product.until_it_begins(0)
    await delete_input(product)
    line = await ends(product, worker)
    name = product.topics[Topic.ENGAGEMENT]
    assert line.startswith(f"topic {name} was deleted (HOTSPOTS_INPUT_TOPIC)"), line


def assert_made_anew(product: Product, line: str) -> None:
    name = product.topics[Topic.ENGAGEMENT]
    assert line.startswith(f"topic {name} was deleted and created anew (its id was "), line
    assert line.endswith(f"(HOTSPOTS_INPUT_TOPIC): {REMEDY}"), line
