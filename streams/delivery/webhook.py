"""One attempt to deliver an alert to a webhook, as Standard Webhooks has it.

References:
    [1] Standard Webhooks 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature`; several
        signatures while secrets are changed; payloads below 20 kB; no redirects.
    [2] CloudEvents 1.0.2, HTTP protocol binding, section 3.2: structured content mode.
"""

import asyncio
import json
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import aiohttp
from pydantic import SecretStr
from standardwebhooks import Webhook

from streams.delivery.address_guard import AddressGuard, RefusedAddressError
from streams.delivery.attempts import TIMEOUT_S, Attempt, Outcome, answered
from streams.delivery.routes import Receiver

BODY_BYTES_MAX: Final = 20_000
"""Standard Webhooks, "Payload size": smaller than 20kb."""
KEPT: Final = frozenset(
    {"video_id", "topic", "platform", "vertical", "reason", "probability", "stage", "route"}
)
"""Fields of `data` that are never left out: those that are always there and those that are routed
by; none is longer than a name may be."""
ANSWER_BYTES_MAX: Final = 1_024
"""What is read of an answer: its status is all that counts."""


class Sender(Protocol):
    """Hands one alert to a receiver."""

    async def send(self, alert: dict[str, Any]) -> Attempt:
        """Try once; whatever the receiver does is an `Attempt`, never an error."""

    async def close(self) -> None:
        """Close its connections."""


def http_session(guard: AddressGuard, timeout_s: float = TIMEOUT_S) -> aiohttp.ClientSession:
    """Return a session that connects to what the guard lets pass, and by no proxy."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(socket_factory=guard.socket, limit=1, force_close=True),
        timeout=aiohttp.ClientTimeout(total=timeout_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


async def post(
    session: aiohttp.ClientSession,
    url: SecretStr,
    body: bytes,
    headers: dict[str, str],
    clock_ms: Callable[[], int],
) -> Attempt:
    """Post a body and say what came of it; redirects are not followed."""
    try:
        async with session.post(
            url.get_secret_value(), data=body, headers=headers, allow_redirects=False
        ) as answer:
            await answer.content.read(ANSWER_BYTES_MAX)
            return answered(answer.status, answer.headers.get("Retry-After"), clock_ms())
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return Attempt(Outcome.FAILED, reason_of(error))


def reason_of(error: BaseException) -> str:
    """Say why a connection failed, without the address, which may hold a token."""
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return "it does not answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, RefusedAddressError):
            return f"its address is refused, {cause}"
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted, {cause.verify_message}"
        cause = getattr(cause, "os_error", None) or cause.__cause__
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"it cannot be reached, {error.strerror or type(error.os_error).__name__}"
    return f"the connection breaks off ({type(error).__name__})"


class WebhookSender:
    """Signs alerts and posts them to one receiver."""

    def __init__(
        self, receiver: Receiver, clock_ms: Callable[[], int], timeout_s: float = TIMEOUT_S
    ) -> None:
        """Make the session; `clock_ms` is the wall clock, which signatures carry."""
        self._receiver = receiver
        self._signers = [Webhook(secret.get_secret_value()) for secret in receiver.secrets]
        self._clock_ms = clock_ms
        self._session = http_session(receiver.guard, timeout_s)

    async def send(self, alert: dict[str, Any]) -> Attempt:
        """Post an alert with its id, the time of this attempt, and a signature by each secret."""
        body = fitted(alert)
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "User-Agent": "hotspots",
            **signed(self._signers, str(alert["id"]), self._clock_ms(), body),
        }
        return await post(self._session, self._receiver.url, body, headers, self._clock_ms)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def signed(signers: Sequence[Webhook], name: str, now_ms: int, body: bytes) -> dict[str, str]:
    """Return the headers of a message: a signature by each secret, so that either verifies it."""
    at = datetime.fromtimestamp(now_ms // 1000, UTC)
    signatures = [signer.sign(name, at, body.decode()) for signer in signers]
    return {
        "webhook-id": name,
        "webhook-timestamp": str(now_ms // 1000),
        "webhook-signature": " ".join(signatures),
    }


def fitted(alert: dict[str, Any]) -> bytes:
    """Return an alert as JSON of less than BODY_BYTES_MAX bytes.

    Where it is longer the largest fields of its data are left out, one by one, and `left_out` names
    them; the whole alert stands on the topic `alerts` and on the board, under its id.
    """
    body = _as_json(alert)
    data = dict(alert["data"])
    left_out: list[str] = []
    while len(body) >= BODY_BYTES_MAX:
        sizes = {name: len(_as_json(value)) for name, value in data.items() if name not in KEPT}
        if not sizes:
            break
        largest = max(sorted(sizes), key=sizes.__getitem__)
        del data[largest]
        left_out.append(largest)
        body = _as_json({**alert, "data": {**data, "left_out": left_out}})
    return body


def _as_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
