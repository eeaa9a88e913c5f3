import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from kafka import KafkaProducer
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    NewTopic,
    ResourcePattern,
    ResourceType,
    UserScramCredentialUpsertion,
)

from streams.cli import hotspots
from streams.errors import UserError
from streams.forecasters import forecaster_of
from streams.local.kafka import EmbeddedKafka
from streams.preflight import require_kafka, warn_of_redis
from streams.settings import Settings, load_settings
from streams.topics import Topic, topic_names, topic_specs

pytestmark = pytest.mark.kafka

KEY = "k" * 32
PLAIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule required"
OWN_TOPICS = len(Topic) - 1
"""All but the platform's own, `engagement`."""


def new_prefix() -> str:
    return f"check-{uuid4().hex[:8]}-"


def check(**settings: str) -> tuple[int, list[str], list[str]]:
    """Run `hotspots check` and return its exit code and the lines of stdout and stderr."""
    others = {name: None for name in os.environ if "HOTSPOTS" in name.upper()}
    given = {f"HOTSPOTS_{name.upper()}": text for name, text in settings.items()}
    ended = CliRunner().invoke(
        hotspots,
        ["check", "--timeout", "3"],
        env={**others, "HOTSPOTS_ACTOR_KEY": KEY, **given},
        catch_exceptions=False,
    )
    return ended.exit_code, ended.stdout.splitlines(), ended.stderr.splitlines()


def one_problem(**settings: str) -> str:
    code, _, problems = check(**settings)
    assert code == 2
    (line,) = problems
    return line


def create_topics(bootstrap_servers: str, *topics: NewTopic) -> None:
    with KafkaAdminClient(bootstrap_servers=bootstrap_servers) as admin:
        admin.create_topics(list(topics))
        admin.wait_for_topics([topic.name for topic in topics])


# ---- an open broker ------------------------------------------------------------------------------


def test_a_complete_deployment_is_right(kafka: EmbeddedKafka, redis_url: str) -> None:
    prefix = new_prefix()
    settings = {
        "kafka": kafka.bootstrap_servers,
        "redis": redis_url,
        "topic_prefix": prefix,
        "input_topic": f"{prefix}in",
    }
    create_topics(kafka.bootstrap_servers, NewTopic(f"{prefix}in", 2, 1))
    code, facts, problems = check(**settings)
    assert (code, problems) == (0, [])
    created = f"the worker will create {OWN_TOPICS} topics: {prefix}alerts, "
    assert any(created in fact for fact in facts)
    with KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers) as admin:
        assert not [n for n in admin.list_topics() if n.startswith(prefix) and n != f"{prefix}in"]

    wanted = topic_specs(
        load_settings({f"HOTSPOTS_{n.upper()}": t for n, t in settings.items()}, needs=())
    )
    create_topics(
        kafka.bootstrap_servers,
        *(NewTopic(s.name, s.partitions, 1, topic_configs=dict(s.configs)) for s in wanted),
    )
    code, facts, problems = check(**settings)
    assert (code, problems) == (0, [])
    assert facts == [
        "ok: the settings are complete and fit together",
        f"ok: videos are forecast by {forecaster_of(Settings()).name}",
        f"ok: Kafka answers (PLAINTEXT): {kafka.bootstrap_servers}",
        "ok: this user may do all that a worker does",
        f"ok: Redis answers: {redis_url.removeprefix('redis://').partition('/')[0]}",
    ]


def test_all_that_is_wrong_with_topics_is_told(kafka: EmbeddedKafka) -> None:
    prefix = new_prefix()
    create_topics(
        kafka.bootstrap_servers,
        NewTopic(f"{prefix}engagement-batches", 3, 1),
        NewTopic(f"{prefix}learned", 1, 1, topic_configs={"cleanup.policy": "delete"}),
    )
    code, _, problems = check(
        kafka=kafka.bootstrap_servers, topic_prefix=prefix, input_topic=f"{prefix}none"
    )
    assert code == 2
    text = "\n".join(problems)
    assert f"topic {prefix}none does not exist (HOTSPOTS_INPUT_TOPIC): create it" in text
    assert f"topic {prefix}engagement-batches has 3 partitions instead of 4" in text
    assert f"topic {prefix}learned has cleanup.policy=delete instead of compact" in text
    assert "message.timestamp.type=CreateTime instead of LogAppendTime" in text


def test_missing_settings_are_told_before_anything_is_asked() -> None:
    code, facts, problems = check(actor_key="", partitions="0")
    assert (code, facts) == (2, [])
    assert [line.split(" is ")[0] for line in problems] == [
        "hotspots: HOTSPOTS_PARTITIONS",
        "hotspots: HOTSPOTS_KAFKA",
        "hotspots: HOTSPOTS_ACTOR_KEY",
    ]


def test_a_model_that_cannot_be_read_is_told_beside_what_else_is_wrong() -> None:
    code, _, problems = check(kafka="127.0.0.1:1", model="nowhere.json")
    assert code == 2
    assert problems[0] == (
        "hotspots: the model nowhere.json cannot be read: No such file or directory "
        "(HOTSPOTS_MODEL): name a file that can be"
    )
    assert len(problems) == 2


def test_kafka_and_redis_that_nobody_answers_for_are_both_told() -> None:
    code, _, problems = check(
        kafka="127.0.0.1:1,nobody.invalid:9092", redis="redis://me:secret@127.0.0.1:1"
    )
    assert code == 2
    closed, unknown, redis = problems
    assert closed == (
        "hotspots: nothing listens at 127.0.0.1:1 (HOTSPOTS_KAFKA): start Kafka, or correct the "
        "address"
    )
    assert "the name of nobody.invalid:9092 is not known" in unknown
    assert "Redis at 127.0.0.1:1 does not answer" in redis
    assert "secret" not in redis


def test_one_of_two_bootstrap_servers_is_gone(kafka: EmbeddedKafka) -> None:
    line = one_problem(kafka=f"{kafka.bootstrap_servers},127.0.0.1:1")
    assert "nothing listens at 127.0.0.1:1" in line


def test_a_server_that_never_answers_is_waited_for_only_so_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        line = one_problem(kafka=address)
    assert f"{address} does not answer within 3 s (HOTSPOTS_KAFKA)" in line


def test_a_redis_that_is_none(kafka: EmbeddedKafka) -> None:
    prefix = new_prefix()
    create_topics(kafka.bootstrap_servers, NewTopic(f"{prefix}in", 1, 1))
    line = one_problem(
        kafka=kafka.bootstrap_servers,
        topic_prefix=prefix,
        input_topic=f"{prefix}in",
        redis=f"redis://{kafka.bootstrap_servers}",
    )
    assert f"Redis at {kafka.bootstrap_servers} does not answer" in line


# ---- a broker with passwords, certificates and rights --------------------------------------------


@dataclass(frozen=True)
class Guarded:
    kafka: EmbeddedKafka
    authority: Path

    def sasl(self, user: str, password: str, mechanism: str = "PLAIN") -> dict[str, str]:
        return {
            "kafka": self.kafka.address_of("SASL"),
            "kafka_security_protocol": "SASL_PLAINTEXT",
            "kafka_sasl_mechanism": mechanism,
            "kafka_sasl_username": user,
            "kafka_sasl_password": password,
        }

    def know(self, user: str, password: str, mechanism: str) -> None:
        with KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers) as admin:
            credential = UserScramCredentialUpsertion(user, mechanism, password)
            assert admin.alter_user_scram_credentials([credential]) == {user: None}

    def allow(self, user: str, kind: ResourceType, name: str, *operations: ACLOperation) -> None:
        pattern = ResourcePattern(kind, name, ACLResourcePatternType.PREFIXED)
        with KafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers) as admin:
            admin.create_acls(
                [
                    ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, pattern)
                    for operation in operations
                ]
            )


def make_certificates(directory: Path) -> tuple[Path, Path]:
    """Return the authority's certificate and a key store for 127.0.0.1 that it has signed."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    new = ("-newkey", "rsa:2048", "-nodes")
    openssl(
        "req", "-x509", *new, "-days", "1", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem"
    )
    openssl(
        *("req", *new, "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", "server.key", "-out", "server.csr"),
    )
    openssl(
        *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-days", "1", "-copy_extensions", "copy", "-out", "server.pem"),
    )
    store = directory / "store.pem"
    parts = ("server.key", "server.pem", "ca.pem")
    store.write_text("".join((directory / part).read_text() for part in parts))
    return directory / "ca.pem", store


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates")
    authority, store = make_certificates(tmp_path_factory.mktemp("certificates"))
    settings = {
        "listener.security.protocol.map": (
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT,TLS:SSL,TUNNEL:PLAINTEXT"
        ),
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.sasl.plain.sasl.jaas.config": (
            f'{PLAIN_MODULE} user_worker="right" user_nobody="right" user_partly="right";'
        ),
        "listener.name.sasl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.tls.ssl.keystore.type": "PEM",
        "listener.name.tls.ssl.keystore.location": str(store),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # The listener without a password is the administrator's: this machine's own user.
        "super.users": "User:ANONYMOUS",
    }

    # The listener TUNNEL names an address where nobody is.
    with EmbeddedKafka(
        settings=settings, listeners=["SASL", "TLS", "TUNNEL"], advertised={"TUNNEL": 1}
    ) as server:
        create_topics(server.bootstrap_servers, NewTopic("engagement", 2, 1))
        yield Guarded(server, authority)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password(guarded: Guarded, mechanism: str) -> None:
    line = one_problem(**guarded.sasl("worker", "wrong-password", mechanism))
    assert "does not accept user 'worker' with this password (HOTSPOTS_KAFKA_SASL_USERNAME" in line
    assert f"or the mechanism ({mechanism})" in line
    assert "wrong-password" not in line


def test_a_mechanism_that_is_not_offered(guarded: Guarded) -> None:
    line = one_problem(**guarded.sasl("worker", "right", "SCRAM-SHA-256"))
    assert "does not offer SASL mechanism SCRAM-SHA-256 (HOTSPOTS_KAFKA_SASL_MECHANISM)" in line


def test_a_password_where_none_is_wanted(guarded: Guarded) -> None:
    settings = {**guarded.sasl("worker", "right"), "kafka": guarded.kafka.bootstrap_servers}
    line = one_problem(**settings)
    assert "does not want SASL (HOTSPOTS_KAFKA_SECURITY_PROTOCOL): set it to PLAINTEXT" in line


@pytest.mark.parametrize(
    ("listener", "protocol"), [("SASL", "PLAINTEXT"), ("TLS", "PLAINTEXT"), ("PLAINTEXT", "SSL")]
)
def test_a_protocol_that_the_listener_does_not_speak(
    guarded: Guarded, listener: str, protocol: str
) -> None:
    address = guarded.kafka.address_of(listener)
    line = one_problem(kafka=address, kafka_security_protocol=protocol)
    assert f"{address} breaks off the conversation" in line
    assert f"(HOTSPOTS_KAFKA_SECURITY_PROTOCOL={protocol})" in line


def test_tls(guarded: Guarded, tmp_path: Path) -> None:
    settings = {"kafka": guarded.kafka.address_of("TLS"), "kafka_security_protocol": "SSL"}
    assert "is not trusted" in one_problem(**settings)
    code, facts, problems = check(**settings, kafka_ssl_cafile=str(guarded.authority))
    assert (code, problems) == (0, [])
    assert f"ok: Kafka answers (SSL): {settings['kafka']}" in facts
    line = one_problem(**settings, kafka_ssl_cafile=str(tmp_path / "none.pem"))
    assert "(HOTSPOTS_KAFKA_SSL_CAFILE): name a readable file" in line


def test_a_user_without_any_right_is_told_every_one_it_lacks(guarded: Guarded) -> None:
    code, _, problems = check(**guarded.sasl("nobody", "right"))
    assert code == 2
    names = topic_names(load_settings({}, needs=()))
    for name in names.values():
        (line,) = (line for line in problems if f"on topic {name} (" in line)
        assert line.startswith("hotspots: user nobody lacks ")
        assert "kafka-acls --add --allow-principal User:nobody --operation " in line
        assert line.endswith(f"--topic {name}")
    assert any("lacks Read on group hotspots (" in line for line in problems)
    (line,) = (line for line in problems if "transactional-id" in line)
    assert line.endswith("--transactional-id hotspots- --resource-pattern-type prefixed")
    assert len(problems) == len(names) + 2


def test_the_rights_that_the_documentation_names_are_enough(guarded: Guarded) -> None:
    user, prefix = "worker", new_prefix()
    settings = guarded.sasl(user, "right") | {
        "topic_prefix": prefix,
        "app_id": prefix,
    }
    operation = ACLOperation
    guarded.allow(user, ResourceType.TOPIC, "engagement", operation.READ)
    own = (operation.READ, operation.WRITE, operation.DESCRIBE_CONFIGS)
    guarded.allow(user, ResourceType.TOPIC, prefix, *own)
    guarded.allow(user, ResourceType.GROUP, prefix, operation.READ)
    guarded.allow(user, ResourceType.TRANSACTIONAL_ID, prefix, operation.WRITE)

    code, _, problems = check(**settings)
    assert code == 2
    assert len(problems) == OWN_TOPICS
    assert all("does not exist and user worker may not create it" in line for line in problems)
    assert any(
        f"--topic {prefix}engagement-batches; or create it with 4 partit" in line
        for line in problems
    )

    guarded.allow(user, ResourceType.TOPIC, prefix, operation.CREATE)
    code, facts, problems = check(**settings)
    assert (code, problems) == (0, [])
    assert "ok: user worker may do all that a worker does" in facts


def test_what_is_lacking_is_told_apart_from_what_is_there(guarded: Guarded) -> None:
    user, prefix = "partly", new_prefix()
    operation = ACLOperation
    guarded.allow(user, ResourceType.TOPIC, "engagement", operation.DESCRIBE)
    guarded.allow(user, ResourceType.TOPIC, prefix, operation.ALL)
    guarded.allow(user, ResourceType.GROUP, prefix, operation.DESCRIBE)
    guarded.allow(user, ResourceType.TRANSACTIONAL_ID, prefix, operation.WRITE)
    code, _, problems = check(**guarded.sasl(user, "right"), topic_prefix=prefix, app_id=prefix)
    assert code == 2
    assert problems[0].startswith("hotspots: user partly lacks Read on topic engagement (")
    # Of a group that does not exist yet Kafka tells only whether it may be seen.
    assert len(problems) == 1


def test_a_broker_that_sends_its_clients_astray(guarded: Guarded) -> None:
    line = one_problem(kafka=guarded.kafka.address_of("TUNNEL"))
    assert "Kafka sends its clients on to 127.0.0.1:1, but nothing listens at 127.0.0.1:1" in line
    assert "(advertised.listeners of that broker): let it advertise an address" in line


# ---- what a worker makes sure of before it starts ------------------------------------------------


def settings_of(**settings: str) -> Settings:
    given = {f"HOTSPOTS_{name.upper()}": text for name, text in settings.items()}
    return load_settings({"HOTSPOTS_ACTOR_KEY": KEY, **given})


def test_a_worker_starts_while_one_of_its_bootstrap_servers_is_down(
    kafka: EmbeddedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    require_kafka(settings_of(kafka=f"127.0.0.1:1,{kafka.bootstrap_servers}"))
    assert "nothing listens at 127.0.0.1:1" in caplog.text


def test_a_worker_does_not_start_when_no_server_answers() -> None:
    with pytest.raises(UserError) as caught:
        require_kafka(settings_of(kafka="127.0.0.1:1,127.0.0.1:2"))
    assert [line.split(" (")[0] for line in caught.value.lines] == [
        "nothing listens at 127.0.0.1:1",
        "nothing listens at 127.0.0.1:2",
    ]


def test_a_worker_does_not_start_without_its_rights(guarded: Guarded) -> None:
    with pytest.raises(UserError) as caught:
        require_kafka(settings_of(**guarded.sasl("nobody", "right")))
    assert any("lacks Write on transactional-id hotspots-" in line for line in caught.value.lines)
    assert any("lacks Read on topic engagement" in line for line in caught.value.lines)


def test_a_worker_starts_without_its_redis_and_says_so(
    kafka: EmbeddedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_redis(settings_of(kafka=kafka.bootstrap_servers, redis="redis://127.0.0.1:1"))
    assert "Redis at 127.0.0.1:1 does not answer" in caplog.text
    assert "alerts and the board wait in their topics" in caplog.text


def scraped(port: int) -> dict[str, float]:
    """Return the samples, none while the worker does not serve them yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: float(number) for name, _, number in (line.rpartition(" ") for line in lines)}


def test_a_worker_does_its_work_with_those_rights_and_no_others(guarded: Guarded) -> None:
    prefix = new_prefix()
    guarded.know("strict", "scram-right", "SCRAM-SHA-512")
    settings = guarded.sasl("strict", "scram-right", "SCRAM-SHA-512") | {
        "topic_prefix": prefix,
        "app_id": prefix,
        "input_topic": f"{prefix}in",
        "idle_after_ms": "500",
    }
    operation = ACLOperation
    create_topics(guarded.kafka.bootstrap_servers, NewTopic(f"{prefix}in", 2, 1))
    own = (operation.READ, operation.WRITE, operation.DESCRIBE_CONFIGS, operation.CREATE)
    guarded.allow("strict", ResourceType.TOPIC, prefix, *own)
    guarded.allow("strict", ResourceType.GROUP, prefix, operation.READ)
    guarded.allow("strict", ResourceType.TRANSACTIONAL_ID, prefix, operation.WRITE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = {f"HOTSPOTS_{name.upper()}": text for name, text in settings.items()}
    others = {name: text for name, text in os.environ.items() if "HOTSPOTS" not in name.upper()}
    worker = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "worker"],
        env={**others, "HOTSPOTS_ACTOR_KEY": KEY, "HOTSPOTS_METRICS_PORT": str(port), **given},
    )
    try:
        now_ms = time.time_ns() // 1_000_000
        with KafkaProducer(bootstrap_servers=guarded.kafka.bootstrap_servers) as producer:
            for number in range(50):
                event = {
                    "time": now_ms - 3_600_000 + number * 60_000,
                    "platform": "douyin",
                    "video_id": f"v{number % 7}",
                    "action": "view",
                }
                producer.send(f"{prefix}in", json.dumps(event).encode())
            producer.send(f"{prefix}in", b"no event")
        wanted = {
            "hotspots_events_total": 50.0,
            'hotspots_rejects_total{reason="not_json"}': 1.0,
        }
        committed = 'hotspots_checkpoint_duration_seconds_count{agent="stages"}'
        deadline = time.monotonic() + 60
        figures: dict[str, float] = {}
        while not (wanted.items() <= figures.items() and figures.get(committed)):
            assert worker.poll() is None, "the worker ended early"
            assert time.monotonic() < deadline, figures
            time.sleep(0.2)
            figures = scraped(port)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
