"""Kinds of settings: what one value alone must be, checked and brought into one form."""

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from models.identity import KEY_BYTES_MAX, KEY_BYTES_MIN
from models.parameters import Level
from models.screening import ScreeningRules
from streams.durations import format_duration, parse_duration_ms
from streams.screening_file import read_screening_rules

TOPIC_NAME: Final = r"^[a-zA-Z0-9._-]*$"
"""What Kafka allows in the name of a topic and, for us, of a consumer group."""

TOKEN_CHARACTERS_MIN: Final = 16
"""As for the keys of people (models/identity.py): 16 random characters are not guessed."""


def _bootstrap_servers(text: str) -> str:
    """Check `host:port[,host:port…]`."""
    for server in filter(None, (part.strip() for part in text.split(","))):
        address = urlsplit(f"//{server}")
        try:
            complete = bool(address.hostname) and address.port is not None
        except ValueError:
            complete = False
        if not complete or address.path:
            raise ValueError(f"{server!r} is not host:port")
    return ",".join(part.strip() for part in text.split(",") if part.strip())


def _redis_url(text: str) -> str:
    """Check the scheme and the form of the address, without ever repeating its password."""
    if not text:
        return text
    address = urlsplit(text)
    if address.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("the address must begin with redis://, rediss:// (TLS) or unix://")
    try:
        complete = bool(address.path if address.scheme == "unix" else address.hostname)
        _ = address.port
    except ValueError:
        complete = False
    if not complete:
        raise ValueError("the address must look like redis://host:6379/0")
    return text


def _actor_key(key: SecretStr) -> SecretStr:
    """Check the length; an empty key means that none was given."""
    length = len(key.get_secret_value().encode())
    if length and not KEY_BYTES_MIN <= length <= KEY_BYTES_MAX:
        raise ValueError(f"it has {length} bytes instead of {KEY_BYTES_MIN} to {KEY_BYTES_MAX}")
    return key


def _board_token(token: SecretStr) -> SecretStr:
    """Check it; an empty one means that none was given."""
    check_token(token.get_secret_value())
    return token


def check_token(text: str) -> None:
    """Check a token of the board, without ever repeating it.

    Raises:
        ValueError: It is too short, or a header cannot carry it.
    """
    if text and not (len(text) >= TOKEN_CHARACTERS_MIN and text.isascii() and text.isprintable()):
        raise ValueError(f"it must have {TOKEN_CHARACTERS_MIN} printable ASCII characters or more")


def _level(value: object) -> object:
    return Level.parse(value) if isinstance(value, str) else value


def _horizon(text: str) -> str:
    return format_duration(parse_duration_ms(text))


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


BootstrapServers = Annotated[str, AfterValidator(_bootstrap_servers)]
RedisUrl = Annotated[str, AfterValidator(_redis_url), Field(repr=False)]
ActorKey = Annotated[SecretStr, AfterValidator(_actor_key)]
BoardToken = Annotated[SecretStr, AfterValidator(_board_token)]
HotspotLevel = Annotated[Level, NoDecode, BeforeValidator(_level)]
Horizon = Annotated[str, AfterValidator(_horizon)]
ScreeningFile = Annotated[ScreeningRules, NoDecode, BeforeValidator(read_screening_rules)]
Port = Annotated[int, Field(ge=0, le=65_535)]
SecurityProtocol = Annotated[
    Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper)
]
SaslMechanism = Annotated[
    Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], BeforeValidator(_upper)
]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]
