"""The demo's settings: what it sets for its worker, and what it leaves to the user."""

import secrets
from collections.abc import Mapping
from typing import Final

from models.parameters import MINUTE_MS
from streams.local.processes import LOOPBACK, free_ports, port_is_free
from streams.local.servers import LocalServers
from streams.scenarios import figures
from streams.settings import ENV_PREFIX, Settings, variable

DEFAULTS: Final = {
    # Ten million views of the case, in people of the scenario.
    "LEVEL": str(figures.LEVEL),
    # A second of the demo is over an hour of event time, and a board shows no less than minutes.
    "BUCKET_MS": str(5 * MINUTE_MS),
    "ALLOWED_LATENESS_MS": str(MINUTE_MS),
    # Six hours of event time pass in 3.3 s: what is learned in one epoch must be told in the next.
    "CHECKPOINT_INTERVAL_MS": "200",
    "LOG_LEVEL": "WARNING",
}
"""What the demo sets unless the user has set it."""

TOKEN_BYTES: Final = 24
"""Of the token that the demo makes for its page; 32 characters in an address."""


def port_for(setting: str, environ: Mapping[str, str]) -> int:
    """Return the port that is set, else the usual one, or a free one when that is taken."""
    chosen = environ.get(variable(setting))
    if chosen and chosen.isdecimal():
        return int(chosen)
    usual = int(Settings.model_fields[setting].default)
    return usual if port_is_free(usual) else free_ports(1)[0]


def board_url(environ: Mapping[str, str], settings: Settings) -> str:
    """Return where the demo's page is, with the token behind # when the demo has made it."""
    host = settings.board_host
    address = f"http://{f'[{host}]' if ':' in host else host}:{settings.board_port}/"
    is_own = not any(environ.get(variable(name)) for name in ("board_token", "board_token_file"))
    return f"{address}#token={settings.board_token.get_secret_value()}" if is_own else address


def demo_environment(environ: Mapping[str, str], servers: LocalServers) -> dict[str, str]:
    """Return the whole environment of the demo's worker and of its board.

    The user's own HOTSPOTS_* settings hold, but for names: on a Kafka or Redis that is not ours the
    demo has topics, a group and a board of its own, for its events must not mix with real ones.
    """
    environment = {name: value for name, value in environ.items() if value}
    for name, value in (DEFAULTS | {"METRICS_HOST": LOOPBACK, "BOARD_HOST": LOOPBACK}).items():
        environment.setdefault(f"{ENV_PREFIX}{name}", value)
    name = "demo" if servers.kafka is not None else f"demo-{secrets.token_hex(4)}"
    own = {
        "KAFKA": servers.bootstrap_servers,
        "REDIS": servers.redis_url,
        # Nobody needs to link the scenario's people again.
        "ACTOR_KEY": secrets.token_hex(32),
        "APP_ID": name,
        "TOPIC_PREFIX": "" if servers.kafka is not None else f"{name}-",
        "INPUT_TOPIC": "engagement" if servers.kafka is not None else f"{name}-engagement",
        "INSTANCE_ID": "",
        "BOARD_KEY": name,
        "METRICS_PORT": str(port_for("metrics_port", environ)),
        "BOARD_PORT": str(port_for("board_port", environ)),
    }
    if not environment.get(variable("board_token_file")):
        environment.setdefault(variable("board_token"), secrets.token_urlsafe(TOKEN_BYTES))
    return environment | {f"{ENV_PREFIX}{key}": value for key, value in own.items()}
