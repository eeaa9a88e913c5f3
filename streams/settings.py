"""The settings: environment variables `HOTSPOTS_*`, checked all at once, frozen for good.

docs/settings.md is generated from this file (streams/reference.py) and tested for drift.
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Final, NoReturn, Self

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from models.events import DecodingLimits
from models.identity import KEY_BYTES_MAX, KEY_BYTES_MIN
from models.parameters import DAY_MS, HOUR_MS, MINUTE_MS, Parameters
from streams.durations import format_duration, parse_duration_ms
from streams.errors import Problem, UserError
from streams.setting_kinds import (
    TOKEN_CHARACTERS_MIN,
    TOPIC_NAME,
    ActorKey,
    BoardToken,
    BootstrapServers,
    Horizon,
    HotspotLevel,
    LogLevel,
    Port,
    RedisUrl,
    SaslMechanism,
    ScreeningFile,
    SecurityProtocol,
)

ENV_PREFIX: Final = "HOTSPOTS_"
WORKER_NEEDS: Final = ("kafka", "actor_key")
"""What `hotspots worker` and `hotspots check` cannot do without."""
PRODUCER_NEEDS: Final = ("kafka",)
"""What `hotspots simulate` and `hotspots replay` cannot do without."""

_DEFAULTS: Final = Parameters()
_LIMITS: Final = DecodingLimits()
_CLOSE: Final = 0.8
"""difflib's ratio from which on a name is suggested; its default of 0.6 is reached by the prefix
`HOTSPOTS_` alone."""
_REQUIRED_REMEDY: Final = {
    "kafka": "set it to the bootstrap servers, such as kafka-1:9092,kafka-2:9092",
    "actor_key": (
        f"set one secret of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes, the same for all workers, "
        "such as the output of: openssl rand -hex 32"
    ),
    "redis": "set it to the server's address, such as redis://redis:6379/0",
}


class Settings(BaseSettings):
    """Everything that can be set; each field is the variable `HOTSPOTS_` + its name in capitals.

    Built from keyword arguments it takes those alone; `load_settings` reads the environment.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        extra="forbid",
        frozen=True,
        validate_default=False,
    )

    kafka: BootstrapServers = Field(
        default="",
        description="Bootstrap servers, `host:port[,host:port…]`. Required, except for the demo.",
    )
    redis: RedisUrl = Field(
        default="",
        description=(
            "Address of the Redis or Valkey that holds the board, `redis://user:password@host:6379"
            "/0`; `rediss://` with TLS. Empty: no board is written."
        ),
    )
    maven: str = Field(
        default="",
        description=(
            "URL of a mirror from which the demo and the tests fetch Kafka's jars, once. Empty:"
            " Maven Central. Every jar is verified, whoever gave it."
        ),
    )
    actor_key: ActorKey = Field(
        default=SecretStr(""),
        description=(
            f"The secret under which the ids of people are hashed; {KEY_BYTES_MIN} to "
            f"{KEY_BYTES_MAX} bytes, the same for all workers. Required. With another key the "
            "same people count anew."
        ),
    )

    app_id: str = Field(
        default="hotspots",
        pattern=r"^[a-zA-Z0-9._-]+$",
        description="Name of the consumer group; begins the names of changelogs and transactions.",
    )
    instance_id: str = Field(
        default="",
        pattern=TOPIC_NAME,
        description=(
            "A name for this worker that no other has and that survives its restart (static "
            "membership): a restart then waits for no session timeout. Empty: none."
        ),
    )
    partitions: int = Field(
        default=_DEFAULTS.partitions,
        ge=1,
        le=256,
        description=(
            "Partitions of `engagement-batches`: the most workers that can share the work. Fixed "
            "once the topics exist."
        ),
    )
    topic_prefix: str = Field(
        default="",
        pattern=TOPIC_NAME,
        description="Stands before the name of each of our topics (not of the input topic).",
    )
    input_topic: str = Field(
        default="engagement",
        pattern=r"^[a-zA-Z0-9._-]+$",
        description="The platform's topic of engagement events.",
    )

    kafka_security_protocol: SecurityProtocol = Field(
        default="PLAINTEXT", description="How Kafka is reached."
    )
    kafka_sasl_mechanism: SaslMechanism = Field(
        default="SCRAM-SHA-512", description="How we prove who we are, with SASL."
    )
    kafka_sasl_username: str = Field(default="", description="User name for SASL.")
    kafka_sasl_password: SecretStr = Field(
        default=SecretStr(""), description="Password for SASL; never printed."
    )
    kafka_ssl_cafile: str = Field(
        default="",
        description="File with the certificates (PEM) to trust. Empty: those of the system.",
    )
    kafka_ssl_certfile: str = Field(
        default="", description="File with our own certificate (PEM), for mutual TLS."
    )
    kafka_ssl_keyfile: str = Field(
        default="", description="File with the key (PEM) of our own certificate."
    )
    session_timeout_ms: int = Field(
        default=10_000,
        ge=1_000,
        le=1_800_000,
        description=(
            "A worker that is silent for so long loses its partitions: a crash delays alerts by so "
            "much. The default is Kafka's own before KIP-735; the broker allows nothing below its "
            "`group.min.session.timeout.ms`, 6000 by default."
        ),
    )
    fetch_bytes_max: int = Field(
        default=1_048_576,
        ge=65_536,
        le=64 * 1_048_576,
        description=(
            "Bytes fetched from one partition at a time, hence the size of a chunk; the default "
            "is Kafka's own (`max.partition.fetch.bytes`)."
        ),
    )
    checkpoint_interval_ms: int = Field(
        default=500,
        ge=50,
        le=60_000,
        description=(
            "Time between two checkpoints of what nobody waits for. Shorter: less is read again "
            "after a crash, for more transactions."
        ),
    )
    stall_ms: int = Field(
        default=60_000,
        ge=1_000,
        le=3_600_000,
        description=(
            "A worker in which something has not moved for so long although there is work answers "
            "503 on `/healthz`, to be started anew. The default is how long a rebalance may take; "
            "whatever else is slower, such as a transaction, ends the worker by itself before."
        ),
    )
    idle_after_ms: int = Field(
        default=10_000,
        ge=100,
        le=DAY_MS,
        description=(
            "A partition of the input without news for so long no longer holds the watermark back."
        ),
    )
    drift_max_ms: int = Field(
        default=HOUR_MS,
        ge=MINUTE_MS,
        le=365 * DAY_MS,
        description=(
            "How far, in event time, a partition of the input may be read ahead of the slowest one "
            "that this worker reads and that has a backlog; three chunks (3 MB) it may be in any "
            "case. What is read and cannot be decided yet stays in memory: this bounds it. An hour "
            "is far more than partitions of a live stream differ by, so that only a replay or a "
            "catch-up is ever held back."
        ),
    )
    max_ahead_ms: int = Field(
        default=_LIMITS.max_ahead_ms,
        ge=0,
        le=DAY_MS,
        description=(
            "An event whose time lies further ahead of the broker's append time (else of its "
            "receipt) is rejected; the default allows for clocks of phones that were set by hand."
        ),
    )
    earliest_ms: int = Field(
        default=_LIMITS.earliest_ms,
        ge=0,
        description=(
            "An event whose time is earlier is rejected (milliseconds since 1970; the default is "
            "the year 2000, which no time in seconds reaches)."
        ),
    )
    message_bytes_max: int = Field(
        default=_LIMITS.message_bytes_max,
        ge=1_024,
        description="A message of the input that is larger is rejected unread.",
    )

    bucket_ms: int = Field(
        default=_DEFAULTS.bucket_ms,
        ge=1,
        description=(
            "Length of a bucket of event time, after which decisions are made. With the allowed "
            "lateness it is most of the time between an event and its alert; 5 s and 5 s leave "
            "5 s to be read, decided and told in 15 s. Longer: fewer rows are written."
        ),
    )
    epoch_ms: int = Field(
        default=_DEFAULTS.epoch_ms,
        ge=1,
        description=(
            "Length of a decision epoch, after which what was learned is published; whole "
            "buckets, and a divisor or a multiple of a day."
        ),
    )
    allowed_lateness_ms: int = Field(
        default=_DEFAULTS.allowed_lateness_ms,
        ge=0,
        description=(
            "How far the watermark stays behind the latest event of a source partition. What "
            "comes later counts in totals only: set more where apps send with a delay."
        ),
    )
    alarm_rate_per_video_day: float = Field(
        default=_DEFAULTS.alarm_rate_per_video_day,
        gt=0,
        lt=1,
        description="False stage transitions promised at most, for each video and day.",
    )
    false_discovery_rate: float = Field(
        default=_DEFAULTS.false_discovery_rate,
        gt=0,
        lt=1,
        description=(
            "Of the videos that are called discovered in an epoch, the share that is false in the "
            "mean at most (docs/detection.md). No convention is agreed on, but 0.1 seems to be "
            "popular (Efron, Large-Scale Inference, 2010, chapter 4)."
        ),
    )
    level: HotspotLevel = Field(
        default=_DEFAULTS.level,
        description="What counts as a hotspot in numbers: `ACTION:N`, such as `view:10000`.",
    )
    horizon: Horizon = Field(
        default=format_duration(_DEFAULTS.horizon_ms),
        description="By when the level must be reached: `7d`, `36h`.",
    )
    burst_return_ms: int = Field(
        default=_DEFAULTS.burst_return_ms,
        ge=DAY_MS,
        description=(
            "A burst of one action is told when the last hour is such as the video's own past "
            "brings once in so long; a week is the shortest at which that rate was kept on every "
            "kind of simulated series (docs/detection.md)."
        ),
    )
    effect_window_ms: int = Field(
        default=_DEFAULTS.effect_window_ms,
        ge=HOUR_MS,
        description=(
            "The effect of an action is that on the activity of so long after it, against so long "
            "before it (docs/actions.md); the half-life that activity is smoothed with."
        ),
    )
    model: str = Field(
        default="",
        description=(
            "File of a forecast that `hotspots train` has written, for this level and horizon. "
            "Empty: the one that is shipped for levels of views, else a simple regression. "
            "`none`: a regression in any case."
        ),
    )
    learn_forecast: bool = Field(
        default=_DEFAULTS.learn_forecast,
        description=(
            "Whether forecasts learn from the stream's own past: what was learned is added to what "
            "HOTSPOTS_MODEL says as long as that is better on videos that it was not learned from. "
            "False: what is in force stays. With another HOTSPOTS_MODEL learning begins anew."
        ),
    )
    screening_rules: ScreeningFile = Field(
        default=_DEFAULTS.screening_rules,
        description=(
            "File of rules (TOML) by which videos are flagged as original, imitation, advertising "
            "or vulgarity, beside the shipped ones (docs/screening.md). Empty: those alone."
        ),
    )
    emerging_probability: float = Field(
        default=_DEFAULTS.emerging_probability,
        gt=0,
        lt=1,
        description="The probability of reaching the level from which on a video is emerging.",
    )
    alerts_per_day: int = Field(
        default=_DEFAULTS.alerts_per_day,
        ge=0,
        description=(
            "How many `hotspot.emerging` alerts your team can read in a day (UTC, event time): the "
            "best are told as they come, never more than these, and what is withheld stands on the "
            "board. 0: no budget."
        ),
    )
    expire_after_ms: int = Field(
        default=_DEFAULTS.expire_after_ms,
        ge=1,
        description="A video without events for so long (event time) is forgotten.",
    )
    repeat_window_ms: int = Field(
        default=_DEFAULTS.repeat_window_ms,
        ge=0,
        description=(
            "The same `event_id` within this span of event time counts once, and within the last "
            "half a million ids of a partition at least."
        ),
    )
    board_size: int = Field(
        default=_DEFAULTS.board_size,
        ge=1,
        le=1_000,
        description="Hotspots on the board.",
    )

    board_key: str = Field(
        default="hotspots",
        pattern=r"^[a-zA-Z0-9._:-]+$",
        description=(
            "Begins every key that we write in Redis, as a hash tag: all of them fall into one "
            "slot of a cluster."
        ),
    )
    board_expire_s: int = Field(
        default=3_600,
        ge=1,
        description="The board vanishes when nobody has written it for so long (seconds).",
    )
    hooks: str = Field(
        default="",
        description=(
            "File of hooks (TOML): which alerts go to which webhooks, Alertmanagers and chats "
            "(docs/hooks.md). Empty: to none."
        ),
    )
    hook_age_max_ms: int = Field(
        default=HOUR_MS,
        ge=MINUTE_MS,
        description=(
            "An alert that was older than this (event time) when it was written, as in a replay of "
            "the past, is recorded and wakes nobody. An hour is far more than an alert of a live "
            "stream takes, and as much as its partitions may differ by (HOTSPOTS_DRIFT_MAX_MS)."
        ),
    )
    board_host: str = Field(
        default="127.0.0.1",
        description="Address on which `hotspots board` serves; `0.0.0.0` for every interface.",
    )
    board_port: Port = Field(
        default=9465, description="Port of `hotspots board`: the one after that of the metrics."
    )
    board_names: str = Field(
        default="",
        description=(
            "Names under which the page may be asked for, beside the address it is served on, "
            "such as `board.example.com`, separated by commas; `*`: any. A page of somebody else "
            "that renames itself to this address reads nothing."
        ),
    )
    board_token: BoardToken = Field(
        default=SecretStr(""),
        description=(
            f"The secret that allows changes on the board, {TOKEN_CHARACTERS_MIN} characters at "
            "least. Empty, and no file of one: nobody may."
        ),
    )
    board_token_file: str = Field(
        default="", description="File that holds it, instead of HOTSPOTS_BOARD_TOKEN."
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="Address on which `/metrics` is served; `0.0.0.0` for every interface.",
    )
    metrics_port: Port = Field(
        default=9464,
        description="Port of `/metrics`; 0 turns it off. (9464: OpenTelemetry's for Prometheus.)",
    )
    log_level: LogLevel = Field(default="INFO", description="What the worker writes to stderr.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given and nothing else: the environment is read in `load_settings` only."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        """Check what no single field can know.

        Raises:
            ValueError: SASL without user or password, one half of a certificate, or parameters
                that do not fit each other.
        """
        if self.kafka_security_protocol.startswith("SASL_") and not (
            self.kafka_sasl_username and self.kafka_sasl_password.get_secret_value()
        ):
            raise ValueError(
                "HOTSPOTS_KAFKA_SECURITY_PROTOCOL is "
                f"{self.kafka_security_protocol}: set HOTSPOTS_KAFKA_SASL_USERNAME and "
                "HOTSPOTS_KAFKA_SASL_PASSWORD, too"
            )
        if bool(self.kafka_ssl_certfile) != bool(self.kafka_ssl_keyfile):
            raise ValueError(
                "HOTSPOTS_KAFKA_SSL_CERTFILE and HOTSPOTS_KAFKA_SSL_KEYFILE go together: set both "
                "or none"
            )
        self.parameters()
        self.decoding_limits()
        return self

    @property
    def horizon_ms(self) -> int:
        """The horizon in milliseconds."""
        return parse_duration_ms(self.horizon)

    def parameters(self) -> Parameters:
        """Return what the pure steps need to know.

        Raises:
            ValueError: They do not fit each other (`Parameters`).
        """
        return Parameters(**{field.name: getattr(self, field.name) for field in fields(Parameters)})

    def decoding_limits(self) -> DecodingLimits:
        """Return the bounds within which an event is accepted."""
        return DecodingLimits(
            **{field.name: getattr(self, field.name) for field in fields(DecodingLimits)}
        )


class SettingsError(UserError):
    """One or more settings are wrong."""


def variable(field: str) -> str:
    """Return the environment variable of a field of `Settings`.

    >>> variable("board_size")
    'HOTSPOTS_BOARD_SIZE'
    """
    return f"{ENV_PREFIX}{field.upper()}"


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    needs: Iterable[str] = WORKER_NEEDS,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read the settings from `environ` (default: the process's environment).

    An empty variable counts as not set. `needs` names the fields that must be set, `overrides`
    holds the fields that a command line gave and that win over the environment.

    Raises:
        SettingsError: Something is wrong, with one problem for each variable concerned.
    """
    given = dict(os.environ if environ is None else environ)
    problems = _unknown(given)
    source = EnvSettingsSource(Settings)
    source.env_vars = {name.lower(): value for name, value in given.items() if value}
    values = {**source(), **(overrides or {})}
    settings: Settings | None = None
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems += [_problem(details) for details in error.errors(include_input=False)]
    problems += [
        Problem(f"{variable(name)} is not set", remedy=_REQUIRED_REMEDY[name])
        for name in needs
        if not values.get(name)
    ]
    if problems or settings is None:
        _fail(problems)
    return settings


def _fail(problems: Iterable[Problem]) -> NoReturn:
    raise SettingsError.of(problems)


def _unknown(given: Mapping[str, str]) -> list[Problem]:
    known = [variable(name) for name in Settings.model_fields]
    problems = []
    for name in sorted(given):
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known:
            close = difflib.get_close_matches(name.upper(), known, n=1, cutoff=_CLOSE)
            remedy = f"did you mean {close[0]}?" if close else "unset it (see docs/settings.md)"
            problems.append(Problem(f"{name} is no setting", remedy=remedy))
    return problems


def _problem(details: Mapping[str, Any]) -> Problem:
    """Say in one line what pydantic found; never with the value, which may be a secret."""
    message = str(details["msg"]).removeprefix("Value error, ")
    message = message[:1].lower() + message[1:] if not message.startswith(ENV_PREFIX) else message
    if not details["loc"]:
        return Problem(message, where="settings", remedy="see docs/settings.md")
    name = str(details["loc"][0])
    field = Settings.model_fields.get(name)
    about = (field.description or "") if field else ""
    return Problem(f"{variable(name)} is wrong, {message}", remedy=about.split(". ")[0].rstrip("."))


__all__: tuple[str, ...] = (
    "ENV_PREFIX",
    "PRODUCER_NEEDS",
    "WORKER_NEEDS",
    "Settings",
    "SettingsError",
    "load_settings",
    "variable",
)
