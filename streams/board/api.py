"""The HTTP API of the board: reading without a token, changing with one (docs/board.md)."""

import json
import logging
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.sse import EventSourceResponse, ServerSentEvent

from streams.board.answers import (
    About,
    Act,
    Acted,
    Alerts,
    Board,
    Handle,
    Handled,
    HotspotId,
    Refused,
    Story,
)
from streams.board.feed import LISTENERS_LIMIT, read_board
from streams.board.service import Service
from streams.delivery.board_store import ALERTS_LIMIT
from streams.delivery.handling import Handling
from streams.errors import UserError

log = logging.getLogger(__name__)

Described = dict[int | str, dict[str, Any]]

UNREACHABLE: Final[Described] = {
    503: {"model": Refused, "description": "Redis, or Kafka, does not answer"}
}
MISSING: Final[Described] = {404: {"model": Refused, "description": "It is not on the board"}}
INVALID: Final[Described] = {422: {"model": Refused, "description": "What is asked is not valid"}}
FORBIDDEN: Final[Described] = {
    401: {"model": Refused, "description": "The token is missing or wrong"},
    403: {"model": Refused, "description": "No token would allow it here, or no Kafka takes it"},
    400: {"model": Refused, "description": "The body is no JSON in UTF-8"},
    413: {"model": Refused, "description": "The body is too large"},
}

router = APIRouter(prefix="/api/v1", responses={**UNREACHABLE, **INVALID})
bearer = HTTPBearer(auto_error=False, description="HOTSPOTS_BOARD_TOKEN")


def service_of(request: Request) -> Service:
    """Return what endpoints share."""
    service: Service = request.app.state.service
    return service


Shared = Annotated[Service, Depends(service_of)]


async def changing(
    service: Shared,
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> None:
    """Let only those pass who may change something."""
    if not service.token:
        raise HTTPException(403, "changes are not allowed: HOTSPOTS_BOARD_TOKEN is not set")
    if given is None or not service.allows(given.credentials):
        headers = {"WWW-Authenticate": "Bearer"}
        raise HTTPException(401, "the token is missing or wrong", headers)


async def listening(service: Shared) -> AsyncIterator[None]:
    """Count a listener as long as it listens."""
    feed = service.feed
    if feed.listeners >= LISTENERS_LIMIT:
        raise HTTPException(503, "too many listen already")
    feed.listeners += 1
    try:
        yield
    finally:
        feed.listeners -= 1


@router.get("/about")
async def about(service: Shared) -> About:
    """Say what this server can do."""
    may_act = bool(service.token and service.settings.kafka)
    return About(version=version("hotspots"), may_change=bool(service.token), may_act=may_act)


@router.get("/board", response_model=Board)
async def board(service: Shared) -> dict[str, Any]:
    """Return what is hot now, the hottest first, and how it is handled."""
    return await read_board(service.store, service.handling)


@router.get("/alerts", response_model=Alerts)
async def alerts(
    service: Shared, count: Annotated[int, Query(ge=1, le=ALERTS_LIMIT)] = 100
) -> dict[str, Any]:
    """Return the latest alerts, the newest first."""
    return {"alerts": await service.store.read_alerts(count)}


@router.get("/hotspot", response_model=Story, responses=MISSING)
async def hotspot(service: Shared, hotspot_id: HotspotId) -> dict[str, Any]:
    """Return a hotspot of the board, and how it came about."""
    found = await _found(service, hotspot_id)
    names = [f"topic:{name['topic']}" for name in found.get("also_known_as", [])]
    handled = (await service.handling.read()).get(hotspot_id, Handling())
    story = await service.store.read_story([hotspot_id, *names])
    return {"hotspot": found, "handling": handled.to_dict(), "story": story}


@router.get("/stream", response_class=EventSourceResponse, dependencies=[Depends(listening)])
async def stream(
    service: Shared,
    since: Annotated[str | None, Query(max_length=64, description="Id of an alert")] = None,
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Tell what changes (streams/board/feed.py), after the alert `Last-Event-ID` or `since`."""
    async for told in service.feed.follow(last_event_id or since):
        yield ServerSentEvent(raw_data=told.data, event=told.event, id=told.event_id)


@router.post(
    "/handling",
    response_model=Handled,
    responses={**MISSING, **FORBIDDEN},
    dependencies=[Depends(changing)],
)
async def handle(service: Shared, wanted: Handle) -> dict[str, Any]:
    """Acknowledge, assign or silence a hotspot of the board, or take that back."""
    await _found(service, wanted.hotspot_id)
    return (await service.handle(wanted)).to_dict()


@router.post(
    "/actions",
    response_model=Acted,
    status_code=202,
    responses={**MISSING, **FORBIDDEN},
    dependencies=[Depends(changing)],
)
async def act(service: Shared, wanted: Act) -> dict[str, Any]:
    """Tell an action that somebody took; its effect is told later (docs/actions.md)."""
    if not service.settings.kafka:
        raise HTTPException(403, "actions cannot be told: HOTSPOTS_KAFKA is not set")
    await _found(service, wanted.hotspot_id)
    time_ms, _ = await service.store.read_marks()
    try:
        line = service.line_of(wanted, int(time_ms or 0))
    except UserError as error:
        raise HTTPException(422, error.problems[0].what) from error
    try:
        await service.send(line)
    except UserError as error:
        log.warning("%s", error)
        raise HTTPException(503, "Kafka does not take it") from error
    told = json.loads(line)
    return {"action_id": told["action_id"], "taken_at_ms": told["taken_at"]}


async def _found(service: Service, hotspot_id: str) -> dict[str, Any]:
    found = await service.store.read_hotspot(hotspot_id)
    if found is None:
        raise HTTPException(404, "it is not on the board")
    return found
