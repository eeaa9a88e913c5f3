"""The server of the live board: the API, the page, and what keeps both to themselves."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.board.api import router
from streams.board.service import serving
from streams.delivery.redis_store import BoardStoreError
from streams.errors import UserError
from streams.setting_kinds import check_token
from streams.settings import Settings

log = logging.getLogger(__name__)

PAGE: Final = Path(__file__).parent / "page"
BODY_BYTES_MAX: Final = 16_384
"""A note of 1,000 characters, escaped one by one, with its names."""
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
SHUTDOWN_S: Final = 3
"""For answers that are under way when the server ends."""

HEADERS: Final = {
    # Nothing from elsewhere, nothing inline, no frame around it: what events say stays text.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class SecurityHeaders:
    """Adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, with these headers."""

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, answer)


def token_of(settings: Settings) -> str:
    """Return the token that allows changes, or an empty string.

    Raises:
        UserError: The file cannot be read or holds none.
    """
    if not settings.board_token_file:
        return settings.board_token.get_secret_value()
    where, remedy = "HOTSPOTS_BOARD_TOKEN_FILE", "openssl rand -hex 32 makes a token for it"
    try:
        token = Path(settings.board_token_file).read_text("ascii").strip()
        check_token(token)
    except OSError as error:
        raise UserError(f"the file cannot be read ({error.strerror})", where, remedy) from error
    except ValueError as error:
        raise UserError("the file holds no token", where, remedy) from error
    if not token:
        raise UserError("the file is empty", where, remedy)
    return token


def hosts_of(settings: Settings) -> list[str]:
    """Return the names under which the page may be asked for."""
    names = [name.strip() for name in settings.board_names.split(",") if name.strip()]
    if settings.board_host in LOOPBACK:
        return [*LOOPBACK, *names]
    return [*names, settings.board_host] if names else ["*"]


def make_app(settings: Settings) -> FastAPI:
    """Return the application.

    Raises:
        UserError: The file of the token cannot be used.
    """
    token = token_of(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with serving(settings, token) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="Hotspots: the live board",
        version=version("hotspots"),
        openapi_url="/api/v1/openapi.json",
        # They would load their code from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        max_body_size=BODY_BYTES_MAX,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts_of(settings))
    app.add_middleware(SecurityHeaders)
    app.add_exception_handler(BoardStoreError, _no_store)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.include_router(router)
    app.mount("/", StaticFiles(directory=PAGE, html=True))
    return app


async def _no_store(_request: Request, error: Exception) -> JSONResponse:
    """Say that Redis does not answer; where it is stands in the log only."""
    log.warning("%s", error)
    return JSONResponse({"detail": "the board's Redis does not answer"}, 503)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    """Say what is wrong, without repeating it."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
    return JSONResponse({"detail": said.encode(errors="replace").decode()}, 422)


class BoardServer(uvicorn.Server):
    """Lets listeners go when it is told to end."""

    _loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End by a signal."""
        self.end()
        super().handle_exit(sig, frame)

    def end(self) -> None:
        """End soon; may be called from another thread."""
        self.should_exit = True
        service = getattr(self.config.app.state, "service", None)  # type: ignore[union-attr]  # an application is given, no name of one
        if service is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(service.feed.end)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the end."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        UserError: The address is taken or is none of this machine.
    """
    family = socket.AF_INET6 if ":" in settings.board_host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.board_host, settings.board_port))
        # Whoever comes before the server has begun waits for it.
        listener.listen()
    except OSError as error:
        listener.close()
        place = f"{settings.board_host}:{settings.board_port}"
        raise UserError(
            f"the board cannot be served on {place} ({error.strerror})",
            "HOTSPOTS_BOARD_HOST, HOTSPOTS_BOARD_PORT",
            "name an address of this machine and a port that is free (0: any)",
        ) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the address of the page."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def server_of(settings: Settings) -> BoardServer:
    """Return a server that is to be run on a socket.

    Raises:
        UserError: The file of the token cannot be used.
    """
    return BoardServer(
        uvicorn.Config(
            make_app(settings),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
        )
    )
