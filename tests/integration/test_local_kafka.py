"""The embedded Kafka as its users meet it: a real broker, real clients, real accidents."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import UnknownTopicOrPartitionError

import streams.local.kafka as kafka_module
from streams.local.cluster_directory import new_cluster_id
from streams.local.errors import LocalServerError, Reason
from streams.local.kafka import EmbeddedKafka
from streams.local.readiness import is_ready

pytestmark = pytest.mark.kafka

SECONDS = 20.0


def becomes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or ") Z" not in stat.read_text()


def new_topic(kafka: EmbeddedKafka) -> str:
    name = f"local-{uuid.uuid4().hex}"
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers) as admin:
        admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
    return name


async def read_all(kafka: EmbeddedKafka, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        isolation_level="read_committed",
        max_partition_fetch_bytes=16 << 20,
    )
    async with consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        batches = await consumer.getmany(timeout_ms=2_000)
        return [record.value for record in batches.get(partition, [])]


async def send(kafka: EmbeddedKafka, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers,
        enable_idempotence=True,
        max_request_size=16 << 20,
    )
    async with producer:
        await producer.send_and_wait(topic, value)


def test_it_answers_with_its_own_cluster_id(kafka: EmbeddedKafka) -> None:
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers) as admin:
        assert admin.describe_cluster()["cluster_id"] == kafka.cluster_id


def test_a_broker_of_another_cluster_is_not_taken_for_ours(kafka: EmbeddedKafka) -> None:
    port = int(kafka.bootstrap_servers.partition(":")[2])
    assert is_ready(port, kafka.cluster_id)
    with pytest.raises(LocalServerError, match=f"of cluster {kafka.cluster_id}") as caught:
        is_ready(port, new_cluster_id())
    assert caught.value.reason is Reason.PORT_TAKEN


def test_topics_do_not_appear_by_themselves(kafka: EmbeddedKafka) -> None:
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers) as admin:
        missing = f"missing-{uuid.uuid4().hex}"
        described = admin.describe_topics([missing])
        assert described[0]["error_code"] == UnknownTopicOrPartitionError.errno
        assert missing not in admin.list_topics()


@pytest.mark.asyncio
async def test_messages_of_8_mb_and_transactions_pass(kafka: EmbeddedKafka) -> None:
    topic = new_topic(kafka)
    large = os.urandom(8 << 20)
    await send(kafka, topic, large)
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, transactional_id=uuid.uuid4().hex
    )
    async with producer:
        async with producer.transaction():
            await producer.send(topic, b"committed")
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"aborted")
        await producer.abort_transaction()
    assert await read_all(kafka, topic) == [large, b"committed"]


@pytest.mark.asyncio
async def test_data_cluster_and_port_outlive_a_stop_and_a_sigkill(tmp_path: Path) -> None:
    # After a SIGKILL the controller waits for the session of the dead broker: 9 s by default.
    short = {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}
    with EmbeddedKafka(tmp_path / "data", settings=short) as server:
        before = (server.bootstrap_servers, server.cluster_id)
        topic = new_topic(server)
        await send(server, topic, b"first")
        server.stop()
        assert server.process is None
        server.start()
        await send(server, topic, b"second")
        assert server.process is not None
        killed = server.process
        os.kill(killed.pid, signal.SIGKILL)
        assert becomes_true(lambda: killed.returncode == 128 + signal.SIGKILL)
        server.start()
        assert (server.bootstrap_servers, server.cluster_id) == before
        assert await read_all(server, topic) == [b"first", b"second"]


def program(directory: str) -> subprocess.Popen[str]:
    """Start a program with an embedded Kafka; it prints the broker's process id and directory."""
    source = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from streams.local.kafka import EmbeddedKafka\n"
        "with EmbeddedKafka(Path(sys.argv[1]) if sys.argv[1] else None) as kafka:\n"
        "    print(kafka.process.pid, kafka.log_path.parent, flush=True)\n"
        "    time.sleep(600)\n"
    )
    return subprocess.Popen([sys.executable, "-c", source, directory], stdout=-1, text=True)


@pytest.mark.crash
def test_sigkill_of_the_program_ends_the_broker_and_removes_its_data() -> None:
    with program("") as running:
        assert running.stdout is not None
        pid, _, directory = running.stdout.readline().strip().partition(" ")
        assert alive(int(pid))
        assert Path(directory, "log").is_dir()
        running.kill()
    assert becomes_true(lambda: not alive(int(pid)))
    assert becomes_true(lambda: not Path(directory).exists())


@pytest.mark.crash
def test_a_start_right_after_a_sigkill_waits_for_the_previous_broker(tmp_path: Path) -> None:
    with program(str(tmp_path)) as running:
        assert running.stdout is not None
        assert running.stdout.readline()
        running.kill()
    with (
        EmbeddedKafka(tmp_path) as server,
        KafkaAdminClient(bootstrap_servers=server.bootstrap_servers) as admin,
    ):
        assert admin.describe_cluster()["cluster_id"] == server.cluster_id


def test_a_directory_in_use_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_module, "PREVIOUS_SECONDS", 0.2)
    with EmbeddedKafka(tmp_path):
        with pytest.raises(LocalServerError, match="another program uses") as caught:
            EmbeddedKafka(tmp_path).start()
        assert caught.value.reason is Reason.DIRECTORY_LOCKED


def test_directories_of_others_are_told(tmp_path: Path) -> None:
    with EmbeddedKafka(tmp_path) as server:
        cluster_id = server.cluster_id
    other = new_cluster_id()
    with pytest.raises(LocalServerError, match=f"{cluster_id}, not {other}") as caught:
        EmbeddedKafka(tmp_path, cluster_id=other).start()
    assert caught.value.reason is Reason.OTHER_CLUSTER

    # A Kafka that is not ours holds its own lock on the log directory, as Java does it.
    with (tmp_path / "log" / ".lock").open("w+b") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        with pytest.raises(LocalServerError, match="another Kafka uses") as caught:
            EmbeddedKafka(tmp_path).start()
    assert caught.value.reason is Reason.DIRECTORY_LOCKED

    properties = tmp_path / "log" / "meta.properties"
    properties.write_text(properties.read_text().replace("node.id=1", "node.id=7"))
    with pytest.raises(LocalServerError, match="belongs to another cluster") as caught:
        EmbeddedKafka(tmp_path).start()
    assert caught.value.reason is Reason.OTHER_CLUSTER

    properties.unlink()
    with pytest.raises(LocalServerError, match="files of something else") as caught:
        EmbeddedKafka(tmp_path).start()
    assert caught.value.reason is Reason.OTHER_CLUSTER


def test_a_taken_port_is_told_before_and_by_the_broker_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(LocalServerError, match="the port Kafka was to use") as caught:
            EmbeddedKafka(port=port).start()
        assert caught.value.reason is Reason.PORT_TAKEN
        # As if somebody took it between our look and the broker's bind.
        monkeypatch.setattr(kafka_module, "require_free_port", lambda _port, _server: None)
        monkeypatch.setattr(kafka_module, "is_ready", lambda _port, _cluster_id: False)
        with pytest.raises(LocalServerError, match="another program listens") as caught:
            EmbeddedKafka(port=port).start()
        assert caught.value.reason is Reason.PORT_TAKEN


def test_a_wrong_setting_is_told_with_kafkas_own_words() -> None:
    with pytest.raises(
        LocalServerError, match=r"Invalid value x for .*log\.segment\.bytes"
    ) as caught:
        EmbeddedKafka(settings={"log.segment.bytes": "x"}).start()
    assert caught.value.reason is Reason.ENDED_EARLY
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kafka_module, "NEEDED_BYTES", 1 << 60)
    with pytest.raises(LocalServerError, match="the embedded Kafka needs") as caught:
        EmbeddedKafka(tmp_path).start()
    assert caught.value.reason is Reason.DISK_FULL


SECURE = {
    "listener.security.protocol.map": (
        "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_PLAINTEXT"
    ),
    "sasl.enabled.mechanisms": "PLAIN",
    "listener.name.secure.plain.sasl.jaas.config": (
        'org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="right";'
    ),
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    # Whoever needs no password here is this machine's own user; alice has no rights of her own.
    "super.users": "User:ANONYMOUS",
}


@pytest.mark.asyncio
async def test_a_further_listener_asks_for_passwords_and_rights() -> None:
    with EmbeddedKafka(settings=SECURE, listeners=["SECURE"]) as server:
        topic = new_topic(server)

        def producer(password: str) -> AIOKafkaProducer:
            return AIOKafkaProducer(
                bootstrap_servers=server.address_of("SECURE"),
                security_protocol="SASL_PLAINTEXT",
                sasl_mechanism="PLAIN",
                sasl_plain_username="alice",
                sasl_plain_password=password,
                enable_idempotence=False,
            )

        wrong = producer("wrong")
        with pytest.raises(KafkaError):
            await wrong.start()
        await wrong.stop()
        async with producer("right") as known:
            with pytest.raises(TopicAuthorizationFailedError):
                await known.send_and_wait(topic, b"x")
