"""One attempt to tell a chat or a mailbox of an alert, by Apprise.

Apprise speaks to a hundred services (Feishu, DingTalk, WeCom, Slack, mail); it runs in a thread and
makes its own connections, which `AddressGuard.in_this_thread` watches.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from streams.delivery.alert_words import headline, text_of
from streams.delivery.attempts import TIMEOUT_S, Attempt, Outcome
from streams.delivery.routes import Receiver

if TYPE_CHECKING:
    from streams.delivery.address_guard import AddressGuard

_TALKATIVE: Final = ("apprise", "urllib3", "requests")
"""Loggers that may write addresses with their tokens; what is wrong is said here instead."""


def service_of(receiver: Receiver) -> Any:  # noqa: ANN401 - Apprise's services have no common type that is public
    """Return Apprise's service for an address.

    Raises:
        ValueError: Apprise knows no such service, or lacks a part of the address.
    """
    import apprise  # noqa: PLC0415 - 36 MB, which a worker without chats need not carry

    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    asset = apprise.AppriseAsset(
        app_id="Hotspots", async_mode=False, http_redirects=False, secure_logging=True
    )
    service = apprise.Apprise.instantiate(
        receiver.url.get_secret_value(), asset=asset, suppress_exceptions=True
    )
    if service is None:
        raise ValueError(f"Apprise cannot use this {receiver.host}:// address")
    return service


class ChatSender:
    """Tells one chat."""

    def __init__(self, receiver: Receiver, timeout_s: float = TIMEOUT_S) -> None:
        """Read the address.

        Raises:
            ValueError: Apprise cannot use it.
        """
        self._service: Any = service_of(receiver)
        self._guard: AddressGuard = receiver.guard
        self._timeout_s = timeout_s

    async def send(self, alert: dict[str, Any]) -> Attempt:
        """Send the headline and a few lines."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.to_thread(self._send, alert)
        except TimeoutError:
            return Attempt(Outcome.FAILED, "it does not answer in time")

    def _send(self, alert: dict[str, Any]) -> Attempt:
        with self._guard.in_this_thread() as refused:
            sent = self._service.notify(title=headline(alert), body=text_of(alert))
        if sent:
            return Attempt(Outcome.DELIVERED)
        if refused:
            return Attempt(Outcome.FAILED, f"its address is refused, {refused[0]}")
        return Attempt(Outcome.FAILED, "the service refuses it or cannot be reached")

    async def close(self) -> None:
        """Do nothing: no connection stays open."""
