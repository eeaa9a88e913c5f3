"""The file of hooks: which alerts go where. TOML, checked as a whole before anything starts."""

import ipaddress
import tomllib
from collections.abc import Iterable, Iterator
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from models.alerts import AlertType
from streams.delivery.address_guard import AddressGuard, Network
from streams.delivery.hook_secrets import SecretSource, check_signing_secret
from streams.durations import parse_duration_ms
from streams.errors import Problem, UserError

FILE_BYTES_MAX: Final = 1024 * 1024
"""A named limit, the same as that of the file of screening rules."""
MOST_ROUTES: Final = 32
"""A named limit: each route has a consumer of its own, and is a value of a label of metrics."""
FIRES_FOR: Final = "24h"
"""For so long an alert fires in Alertmanager that nothing resolves; a day, as budgets have it."""
WHERE: Final = "HOTSPOTS_HOOKS"


class RouteKind(StrEnum):
    """What a route delivers to."""

    WEBHOOK = "webhook"
    ALERTMANAGER = "alertmanager"
    CHAT = "chat"


def _network(value: object) -> object:
    return ipaddress.ip_network(value) if isinstance(value, str) else value


def _duration(value: object) -> object:
    return parse_duration_ms(value) if isinstance(value, str) else value


DurationMs = Annotated[int, BeforeValidator(_duration), Field(ge=1)]
Texts = tuple[Annotated[str, Field(min_length=1)], ...]


class Route(BaseModel):
    """One table `[[routes]]`: a receiver, and which alerts it gets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    kind: RouteKind
    url: SecretStr | SecretSource
    secrets: tuple[SecretSource, ...] = ()
    types: Texts = ("hotspot.*",)
    platforms: Texts = ()
    verticals: Texts = ()
    topics: Texts = ()
    probability_min: Annotated[float, Field(ge=0, le=1)] | None = None
    budget_per_day: Annotated[int, Field(ge=1)] | None = None
    allow_networks: tuple[Annotated[Network, BeforeValidator(_network)], ...] = ()
    labels: dict[
        Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], Annotated[str, Field()]
    ] = Field(default_factory=dict)
    fires_for_ms: DurationMs = Field(default=parse_duration_ms(FIRES_FOR), alias="fires_for")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        """Check what belongs to one kind of receiver only.

        Raises:
            ValueError: Secrets without a webhook or the other way round; labels or `fires_for`
                without an Alertmanager; a pattern of types that no alert has.
        """
        if (self.kind is RouteKind.WEBHOOK) != bool(self.secrets):
            raise ValueError(
                "a webhook is signed: name its secrets, the newest first"
                if not self.secrets
                else "secrets sign webhooks, and this route is none"
            )
        of_alertmanager = {"labels", "fires_for_ms"} & self.model_fields_set
        if of_alertmanager and self.kind is not RouteKind.ALERTMANAGER:
            raise ValueError("labels and fires_for belong to routes of kind 'alertmanager'")
        for pattern in self.types:
            if not any(fnmatchcase(kind.value, pattern) for kind in AlertType):
                raise ValueError(f"no alert has the type {pattern!r} (docs/alerts.md)")
        return self


class Receiver:
    """A route with its address and its secrets, read and checked."""

    def __init__(self, route: Route) -> None:
        """Read what the route names.

        Raises:
            ValueError: The address or a secret is missing or cannot be used.
        """
        self.route = route
        self.url = route.url if isinstance(route.url, SecretStr) else route.url.read()
        self.secrets = tuple(source.read() for source in route.secrets)
        for secret in self.secrets:
            check_signing_secret(secret)
        self.host, self.port = self._checked_address()

    def __repr__(self) -> str:
        return f"Receiver({self.route.name!r}, {self.place!r})"

    @property
    def place(self) -> str:
        """Host and port, which may be shown: paths and queries hold tokens."""
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def guard(self) -> AddressGuard:
        """Which addresses it may be at: with http:// only those that were allowed."""
        plain = urlsplit(self.url.get_secret_value()).scheme == "http"
        return AddressGuard(self.route.allow_networks, allowed_only=plain)

    def _checked_address(self) -> tuple[str, int | None]:
        try:
            address = urlsplit(self.url.get_secret_value())
            host, port = address.hostname or "", address.port
        except ValueError:
            # Not chained: the error would quote the address, which may hold a token.
            raise ValueError("the url cannot be read") from None
        if self.route.kind is RouteKind.CHAT:
            if not address.scheme:
                raise ValueError("a chat's url is one of Apprise's, such as feishu://TOKEN")
            # For many services the host's place holds a token.
            return address.scheme, None
        if address.scheme not in {"http", "https"} or not host:
            raise ValueError("the url must begin with https:// (http:// inside allow_networks)")
        if address.username is not None:
            raise ValueError("the url must not hold a user or password")
        if address.scheme == "http" and not self.route.allow_networks:
            raise ValueError("http:// is for allow_networks only: use https://, or allow a network")
        return host, port or (443 if address.scheme == "https" else 80)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    routes: Annotated[tuple[Route, ...], Field(min_length=1, max_length=MOST_ROUTES)]


def read_receivers(path: str) -> tuple[Receiver, ...]:
    """Read the file of hooks; an empty path stands for none.

    Raises:
        UserError: With one problem for each thing that is wrong; no secret is ever shown.
    """
    if not path:
        return ()
    routes = _read(path).routes
    names = [route.name for route in routes]
    problems = [
        Problem(f"{path}: two routes are called {name}", WHERE, "each needs a name of its own")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    receivers = []
    for route in routes:
        try:
            receivers.append(Receiver(route))
        except ValueError as error:
            problems.append(Problem(f"{path}, route {route.name}: {error}", WHERE))
    if problems:
        raise UserError.of(problems)
    return tuple(receivers)


def _read(path: str) -> _File:
    try:
        with Path(path).open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise UserError(f"{path} is larger than {FILE_BYTES_MAX:,} bytes", WHERE)
        return _File.model_validate(tomllib.loads(data.decode()))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", WHERE) from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: byte {error.start}", WHERE) from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not TOML: {error}", WHERE, "see docs/hooks.md") from error
    except ValidationError as error:
        # Without the input and not chained: it may hold a secret.
        found = error.errors(include_input=False, include_context=False, include_url=False)
        raise UserError.of(_problems(path, found)) from None


def _problems(path: str, errors: Iterable[Any]) -> Iterator[Problem]:
    for error in errors:
        place = ".".join(str(part + 1 if isinstance(part, int) else part) for part in error["loc"])
        said = str(error["msg"]).removeprefix("Value error, ")
        yield Problem(f"{path}, {place or 'as a whole'}: {said}", WHERE, "see docs/hooks.md")


def matches(route: Route, alert: dict[str, Any]) -> bool:
    """Tell whether a route wants an alert (a CloudEvent): each filter that is set must hold.

    >>> route = Route(name="a", kind="chat", url="slack://a", types=("hotspot.guidance.*",))
    >>> matches(route, {"type": "hotspot.guidance.effect", "data": {}})
    True
    >>> matches(route, {"type": "hotspot.faded", "data": {}})
    False
    """
    data = alert["data"]
    if not any(fnmatchcase(str(alert["type"]), pattern) for pattern in route.types):
        return False
    platforms = {data.get("platform"), *data.get("platforms", ())}
    if route.platforms and not platforms & set(route.platforms):
        return False
    if route.verticals and data.get("vertical") not in route.verticals:
        return False
    topics = {data.get("topic"), *data.get("topics", ())}
    topics |= {name.get("topic") for name in data.get("also_known_as", ())}
    if route.topics and not topics & set(route.topics):
        return False
    # An alert that gives no probability is no forecast: this filter does not speak of it.
    probability = data.get("probability")
    least = route.probability_min
    return least is None or probability is None or float(probability) >= least
