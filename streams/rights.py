"""Whether the topics are there and the Kafka user may do all that a worker does.

Kafka tells, beside the metadata of a topic or a group, what the asking user is allowed to do with
it (KIP-430); a missing right is thus seen before the first event, and not in the middle of a
checkpoint.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupAuthorizationFailedError,
    KafkaError,
    NotCoordinatorError,
    TransactionalIdAuthorizationFailedError,
    TransactionalIdNotFoundError,
    for_code,
)

from streams.connections import TIMEOUT_S, Findings, quiet
from streams.errors import Problem
from streams.security import client_options
from streams.settings import Settings
from streams.topics import Topic, topic_names, topic_specs

COORDINATOR_TIMEOUT_S: Final = 10.0
"""A new broker creates its internal topics at the first question and needs a moment (measured: 1 s
with the embedded broker)."""
COORDINATOR_WAIT_S: Final = 0.2
"""Between two questions to a coordinator that is not there yet."""
NO_ERROR: Final = 0
UNKNOWN_TOPIC: Final = 3
TOPIC_REFUSED: Final = 29
TOPIC_EXISTS: Final = 36
"""Error codes of the Kafka protocol ("Error Codes" in its guide)."""

OPERATIONS: Final[Mapping[Topic, tuple[str, ...]]] = {
    **dict.fromkeys(Topic, ("READ", "WRITE")),
    Topic.ENGAGEMENT: ("READ",),
    Topic.GUIDANCE_ACTIONS: ("READ",),
    Topic.REJECTED: ("WRITE",),
    Topic.UNDELIVERED: ("WRITE",),
}
"""What a worker does with each topic (docs/architecture.md, "Topics"); DESCRIBE comes with both."""
OWN_OPERATIONS: Final = ("DESCRIBE_CONFIGS",)
"""With our own topics also this: a worker makes sure that they are as they must be."""


def check_rights(
    settings: Settings, timeout_s: float = TIMEOUT_S, *, hook_groups: Sequence[str] = ()
) -> Findings:
    """Return missing topics that may not be created, and missing rights; Kafka must answer.

    Nothing is changed: topics are created on trial only (`validate_only`).
    """
    findings = Findings()
    timeout_ms = int(timeout_s * 1000)
    try:
        with (
            quiet("kafka"),
            KafkaAdminClient(
                **client_options(settings),
                bootstrap_timeout_ms=timeout_ms,
                request_timeout_ms=timeout_ms,
            ) as admin,
        ):
            findings.add(_check_topics(admin, settings))
            findings.add(_check_groups(admin, settings, [settings.app_id, *hook_groups]))
            findings.add(_check_transactions(admin, settings))
    except KafkaError as error:
        findings.problems.append(
            Problem(
                f"Kafka did not finish answering ({type(error).__name__})",
                "HOTSPOTS_KAFKA",
                "try again; a broker may be starting or overloaded",
            )
        )
    if findings.ok:
        findings.facts.append(f"{_principal(settings)} may do all that a worker does")
    return findings


def _check_topics(admin: KafkaAdminClient, settings: Settings) -> Findings:
    findings = Findings()
    names = topic_names(settings)
    described = {topic["name"]: topic for topic in admin.describe_topics(sorted(names.values()))}
    missing = []
    for topic, operations in OPERATIONS.items():
        name = names[topic]
        needed = operations if topic is Topic.ENGAGEMENT else (*operations, *OWN_OPERATIONS)
        about = described[name]
        if about["error_code"] == TOPIC_REFUSED:
            findings.problems.append(_no_right(settings, needed, "topic", name))
            continue
        if about["error_code"] not in {NO_ERROR, UNKNOWN_TOPIC}:
            error = for_code(about["error_code"]).__name__
            remedy = "look at the broker's log, or try again"
            findings.problems.append(Problem(f"topic {name}: Kafka says {error}", "", remedy))
            continue
        if lacking := _lacking(about["authorized_operations"], needed):
            findings.problems.append(_no_right(settings, lacking, "topic", name))
        if about["error_code"] == UNKNOWN_TOPIC and topic is not Topic.ENGAGEMENT:
            missing.append(name)
    findings.add(_check_creation(admin, settings, missing))
    return findings


def _check_creation(admin: KafkaAdminClient, settings: Settings, missing: list[str]) -> Findings:
    """Find out whether the missing topics could be created, as a worker does at its start."""
    findings = Findings()
    specs = {spec.name: spec for spec in topic_specs(settings) if spec.name in missing}
    if not specs:
        return findings
    response = admin.create_topics(
        [
            NewTopic(spec.name, spec.partitions, -1, topic_configs=dict(spec.configs))
            for spec in specs.values()
        ],
        validate_only=True,
        raise_errors=False,
    )
    for topic in response["topics"]:
        if topic["error_code"] == TOPIC_REFUSED:
            findings.problems.append(
                Problem(
                    f"topic {topic['name']} does not exist and {_principal(settings)} may not "
                    "create it",
                    _where(settings),
                    f"{_grant(settings, ['CREATE'], 'topic', topic['name'])}; or create it with "
                    f"{specs[topic['name']].partitions} partitions as docs/architecture.md says",
                )
            )
        elif topic["error_code"] not in (NO_ERROR, TOPIC_EXISTS):
            # Another worker that starts at the same time may have created it meanwhile.
            error = for_code(topic["error_code"]).__name__
            findings.problems.append(
                Problem(
                    f"topic {topic['name']} does not exist and Kafka will not create it, {error}",
                    "",
                    topic["error_message"] or "see the broker's log",
                )
            )
    if findings.ok:
        count = len(specs)
        findings.facts.append(f"the worker will create {count} topics: {', '.join(sorted(specs))}")
    return findings


def _check_groups(admin: KafkaAdminClient, settings: Settings, groups: Sequence[str]) -> Findings:
    findings = Findings()
    for group in groups:
        # Of a group that does not exist Kafka tells no rights; finding its coordinator took
        # DESCRIBE.
        if not _may_read(admin, group):
            findings.problems.append(_no_right(settings, ["READ"], "group", group))
    return findings


def _may_read(admin: KafkaAdminClient, group: str) -> bool:
    try:
        about = _ask_coordinator(lambda: admin.describe_groups([group]))[group]
    except GroupAuthorizationFailedError:
        return False
    return not _lacking(about["authorized_operations"], ("READ",))


def _check_transactions(admin: KafkaAdminClient, settings: Settings) -> Findings:
    """Ask for a transaction that does not exist: who may not write it may not see that either."""
    prefix = f"{settings.app_id}-"
    try:
        _ask_coordinator(lambda: admin.describe_transactions([f"{prefix}check"]))
    except TransactionalIdNotFoundError:
        return Findings()
    except TransactionalIdAuthorizationFailedError:
        return Findings(problems=[_no_right(settings, ["WRITE"], "transactional-id", prefix)])
    return Findings()


def _ask_coordinator(ask: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    deadline = time.monotonic() + COORDINATOR_TIMEOUT_S
    while True:
        try:
            return ask()
        # A new broker is named as coordinator before it has become that (NotCoordinatorError).
        except (
            CoordinatorNotAvailableError,
            CoordinatorLoadInProgressError,
            NotCoordinatorError,
        ):
            if time.monotonic() > deadline:
                raise
            time.sleep(COORDINATOR_WAIT_S)


def _lacking(allowed: list[str] | None, needed: tuple[str, ...]) -> list[str]:
    """Return what is needed and not allowed; None, from brokers before 2.3, says nothing."""
    return [] if allowed is None else [name for name in needed if name not in allowed]


def _principal(settings: Settings) -> str:
    return f"user {settings.kafka_sasl_username}" if settings.kafka_sasl_username else "this user"


def _where(settings: Settings) -> str:
    if settings.kafka_security_protocol.startswith("SASL"):
        return "HOTSPOTS_KAFKA_SASL_USERNAME"
    return "HOTSPOTS_KAFKA_SSL_CERTFILE" if settings.kafka_ssl_certfile else "HOTSPOTS_KAFKA"


def _grant(
    settings: Settings, operations: list[str] | tuple[str, ...], kind: str, name: str
) -> str:
    """Return the arguments of Kafka's own tool that grant what is missing."""
    who = settings.kafka_sasl_username or "..."
    what = " ".join(f"--operation {_acl_name(operation)}" for operation in operations)
    pattern = " --resource-pattern-type prefixed" if kind == "transactional-id" else ""
    return f"kafka-acls --add --allow-principal User:{who} {what} --{kind} {name}{pattern}"


def _acl_name(operation: str) -> str:
    """Return an operation as kafka-acls writes it.

    >>> _acl_name("DESCRIBE_CONFIGS")
    'DescribeConfigs'
    """
    return operation.title().replace("_", "")


def _no_right(
    settings: Settings, operations: list[str] | tuple[str, ...], kind: str, name: str
) -> Problem:
    rights = ", ".join(map(_acl_name, operations))
    return Problem(
        f"{_principal(settings)} lacks {rights} on {kind} {name}",
        _where(settings),
        _grant(settings, operations, kind, name),
    )
