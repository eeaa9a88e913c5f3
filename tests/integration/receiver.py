"""A real HTTP server that stands for whoever receives hooks, and does what a test tells it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HookReceiver:
    """Keeps what it gets, in order, and answers by `answer`."""

    answer: Callable[[Request], web.Response] = lambda _: web.Response(status=204)
    requests: list[Request] = field(default_factory=list)
    port: int = 0
    hold: asyncio.Event | None = None
    """When set, requests wait for it before they are answered, from that of `hold_from` on."""
    hold_from: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, request: web.Request) -> web.Response:
        got = Request(request.path, dict(request.headers), await request.read())
        self.requests.append(got)
        if self.hold is not None and len(self.requests) > self.hold_from:
            await self.hold.wait()
        return self.answer(got)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["HookReceiver"]:
        """Serve on a loopback port: the same one after a pause."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        assert runner.addresses
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()
