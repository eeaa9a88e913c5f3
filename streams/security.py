"""How Kafka is reached: TLS and SASL as the settings say, in the words of each client library."""

import ssl
from typing import Any, Protocol

import faust
from pydantic import SecretStr

from streams.errors import UserError


class KafkaSettings(Protocol):
    """The settings this file reads (streams/settings.py)."""

    @property
    def kafka(self) -> str:
        """Bootstrap servers."""

    @property
    def kafka_security_protocol(self) -> str:
        """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""

    @property
    def kafka_sasl_mechanism(self) -> str:
        """PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""

    @property
    def kafka_sasl_username(self) -> str:
        """User name."""

    @property
    def kafka_sasl_password(self) -> SecretStr:
        """Password."""

    @property
    def kafka_ssl_cafile(self) -> str:
        """Certificates to trust, PEM."""

    @property
    def kafka_ssl_certfile(self) -> str:
        """Own certificate, PEM."""

    @property
    def kafka_ssl_keyfile(self) -> str:
        """Key of the own certificate, PEM."""


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """Return the TLS context, None when the protocol has no TLS.

    Raises:
        UserError: A certificate or key file cannot be read.
    """
    if not settings.kafka_security_protocol.endswith("SSL"):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile or None)
    except OSError as error:
        raise UserError(
            f"cannot read certificates from {settings.kafka_ssl_cafile}: {error}",
            "HOTSPOTS_KAFKA_SSL_CAFILE",
            "name a readable file of PEM certificates",
        ) from error
    if settings.kafka_ssl_certfile:
        try:
            context.load_cert_chain(settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
        except OSError as error:
            raise UserError(
                f"cannot use certificate {settings.kafka_ssl_certfile} with key "
                f"{settings.kafka_ssl_keyfile}: {error}",
                "HOTSPOTS_KAFKA_SSL_CERTFILE and HOTSPOTS_KAFKA_SSL_KEYFILE",
                "name readable PEM files that belong together",
            ) from error
    return context


def _uses_sasl(settings: KafkaSettings) -> bool:
    return settings.kafka_security_protocol.startswith("SASL")


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """Return what every aiokafka and kafka-python client takes; both use the same names.

    Raises:
        UserError: A certificate or key file cannot be read.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka.split(","),
        "security_protocol": settings.kafka_security_protocol,
    }
    context = ssl_context(settings)
    if context is not None:
        options["ssl_context"] = context
    if _uses_sasl(settings):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    return options


def faust_credentials(settings: KafkaSettings) -> Any:  # noqa: ANN401 - Faust is read as untyped
    """Return Faust's `broker_credentials`, None for a plain connection.

    Raises:
        UserError: A certificate or key file cannot be read.
    """
    context = ssl_context(settings)
    if _uses_sasl(settings):
        return faust.SASLCredentials(
            username=settings.kafka_sasl_username,
            password=settings.kafka_sasl_password.get_secret_value(),
            ssl_context=context,
            mechanism=settings.kafka_sasl_mechanism,
        )
    return faust.SSLCredentials(context) if context is not None else None
