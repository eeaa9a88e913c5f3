"""Whether Kafka and Redis can be reached as the settings say, and if not, why.

Clients retry for a while and then say little more than "no broker"; here each server is asked
once, by itself, so that the cause is seen: the name, the port, TLS, the user or the mechanism.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from streams.delivery.board_store import BoardStore
from streams.delivery.redis_store import shown_address
from streams.errors import Problem, UserError
from streams.security import client_options
from streams.settings import Settings

TIMEOUT_S: Final = 5.0
"""For each answer. A server in the same network takes milliseconds; a firewall that drops packets
answers never, and nobody waits longer for a check."""


CLOSE_TIMEOUT_S: Final = 1.0
"""For taking leave, which TLS answers; whoever does not is left alone."""

_CAUSES: Final[tuple[tuple[tuple[type[BaseException], ...], str, str, str], ...]] = (
    (
        (SaslAuthenticationFailed,),
        "{server} does not accept user {user!r} with this password",
        "HOTSPOTS_KAFKA_SASL_USERNAME, HOTSPOTS_KAFKA_SASL_PASSWORD",
        "correct them, or the mechanism ({mechanism}) under which the user is known",
    ),
    (
        (UnsupportedSaslMechanismError,),
        "{server} does not offer SASL mechanism {mechanism}",
        "HOTSPOTS_KAFKA_SASL_MECHANISM",
        "set one of the broker's sasl.enabled.mechanisms",
    ),
    (
        (IllegalSaslStateError,),
        "{server} does not want SASL",
        "HOTSPOTS_KAFKA_SECURITY_PROTOCOL",
        "set it to {without_sasl}",
    ),
    (
        (ssl.SSLCertVerificationError,),
        "the certificate of {server} is not trusted, {cause}",
        "HOTSPOTS_KAFKA_SSL_CAFILE",
        "name the file with the certificate of the authority that signed it",
    ),
    (
        (TimeoutError,),
        "{server} does not answer within {seconds} s",
        "HOTSPOTS_KAFKA",
        "correct the address, or open the way (firewall, network, listener)",
    ),
    (
        (socket.gaierror,),
        "the name of {server} is not known, {cause}",
        "HOTSPOTS_KAFKA",
        "correct the host name",
    ),
    (
        (ConnectionRefusedError,),
        "nothing listens at {server}",
        "HOTSPOTS_KAFKA",
        "start Kafka, or correct the address",
    ),
    (
        (KafkaError, OSError),
        "{server} breaks off the conversation ({cause})",
        "HOTSPOTS_KAFKA_SECURITY_PROTOCOL={protocol}",
        "set the protocol that this listener speaks; a wrong one is the usual cause",
    ),
)
"""What an attempt may run into, the most specific first: error, what, where, remedy."""


@dataclass(slots=True)
class Findings:
    """What a check has found: what is right, in words, and what is wrong."""

    facts: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def add(self, other: "Findings") -> None:
        """Take over what another check has found."""
        self.facts += other.facts
        self.problems += other.problems


@dataclass(slots=True)
class BrokerFindings(Findings):
    """And which of the bootstrap servers answer, as `host:port`."""

    servers: list[str] = field(default_factory=list)


async def check_brokers(settings: Settings, timeout_s: float = TIMEOUT_S) -> BrokerFindings:
    """Ask every bootstrap server, and every broker that they name, for a first answer."""
    findings = BrokerFindings()
    try:
        options = client_options(settings)
    except UserError as error:
        return BrokerFindings(problems=list(error.problems))
    servers = [_address(server) for server in options.pop("bootstrap_servers")]
    answering: list[str] = []
    advertised: set[tuple[str, int]] = set()
    for server, answer in zip(servers, await _ask_all(servers, options, timeout_s), strict=True):
        if isinstance(answer, BaseException):
            findings.problems.append(_explain(answer, _shown(server), settings, timeout_s))
        else:
            findings.servers.append(_shown(server))
            advertised |= answer
    others = sorted(advertised - set(servers))
    for broker, answer in zip(others, await _ask_all(others, options, timeout_s), strict=True):
        if isinstance(answer, BaseException):
            cause = _explain(answer, _shown(broker), settings, timeout_s).what
            findings.problems.append(
                Problem(
                    f"Kafka sends its clients on to {_shown(broker)}, but {cause}",
                    "advertised.listeners of that broker",
                    "let it advertise an address that can be reached from here",
                )
            )
        else:
            answering.append(_shown(broker))
    if findings.servers:
        names = ", ".join([*findings.servers, *answering])
        findings.facts.append(f"Kafka answers ({settings.kafka_security_protocol}): {names}")
    return findings


async def check_redis(settings: Settings) -> Findings:
    """Ask Redis to do, under temporary keys, what writing the board needs."""
    if not settings.redis:
        return Findings(facts=["no Redis is set (HOTSPOTS_REDIS): no board will be written"])
    async with BoardStore(settings.redis, settings.board_key, settings.board_expire_s) as store:
        try:
            await store.probe()
        except UserError as error:
            return Findings(problems=list(error.problems))
    return Findings(facts=[f"Redis answers: {shown_address(settings.redis)}"])


async def _ask_all(
    brokers: Iterable[tuple[str, int]], options: dict[str, Any], timeout_s: float
) -> list[set[tuple[str, int]] | BaseException]:
    asked = (_ask(host, port, options, timeout_s) for host, port in brokers)
    with quiet("aiokafka"):
        return await asyncio.gather(*asked, return_exceptions=True)


async def _ask(
    host: str, port: int, options: dict[str, Any], timeout_s: float
) -> set[tuple[str, int]]:
    """Connect, authenticate and return the brokers that this one names.

    The metadata are asked for because a broker that wants SASL answers the first question (its
    versions) to anybody.
    """
    connection = AIOKafkaConnection(host, port, request_timeout_ms=int(timeout_s * 1000), **options)
    is_open = True
    try:
        async with asyncio.timeout(timeout_s):
            await connection.connect()
            metadata = await connection.send(MetadataRequest([]))
    except OSError:
        # It never came to a connection (or the system has closed it): nothing to wait for.
        is_open = False
        raise
    finally:
        closed = connection.close()
        if is_open:
            await asyncio.wait([closed], timeout=CLOSE_TIMEOUT_S)
    return {(str(name), int(port)) for _, name, port, *_ in metadata.brokers}


def _explain(error: BaseException, server: str, settings: Settings, timeout_s: float) -> Problem:
    """Say what an attempt to reach `server` has run into."""
    for kinds, what, where, remedy in _CAUSES:
        if isinstance(error, kinds):
            figures = {
                "server": server,
                "user": settings.kafka_sasl_username,
                "mechanism": settings.kafka_sasl_mechanism,
                "protocol": settings.kafka_security_protocol,
                "without_sasl": settings.kafka_security_protocol.removeprefix("SASL_"),
                "seconds": f"{timeout_s:g}",
                "cause": _cause(error),
            }
            return Problem(*(text.format(**figures) for text in (what, where, remedy)))
    raise error


def _cause(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _address(server: str) -> tuple[str, int]:
    """Return host and port.

    >>> _address("kafka-1:9092")
    ('kafka-1', 9092)
    """
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@contextmanager
def quiet(client: str) -> Iterator[None]:
    """Keep the warnings of a client library off the screen: each becomes a problem, said once."""
    logger = logging.getLogger(client)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
