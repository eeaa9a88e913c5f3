"""What the API says and takes, as it stands in its OpenAPI description.

What the monitor tells of hotspots and in alerts is passed on as it stands in Redis: the fields that
are named here are those that every version has.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME_CHARACTERS: Final = 256
"""Of names, as in docs/events.md and docs/actions.md."""
NOTE_CHARACTERS: Final = 1_000
"""Of notes, as in docs/actions.md."""
ID_CHARACTERS: Final = 2 * NAME_CHARACTERS + len("video:/")
"""Of the id of a hotspot: `video:PLATFORM/VIDEO_ID`."""
SILENCE_MS_MAX: Final = 7 * 24 * 3_600_000
"""The longest silence: whoever wants none after a week says so again."""

Name = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=NAME_CHARACTERS,
        pattern=r"^[^\x00-\x1f\x7f]+$",
    ),
]
HotspotId = Annotated[
    str, Field(min_length=1, max_length=ID_CHARACTERS, examples=["topic:逃出大英博物馆"])
]
Note = Annotated[str, StringConstraints(strip_whitespace=True, max_length=NOTE_CHARACTERS)]


class Told(BaseModel):
    """Something that the monitor tells: the fields named here, and more."""

    model_config = ConfigDict(extra="allow")


class Changed(BaseModel):
    """One thing that somebody did about a hotspot on the board."""

    at_ms: int
    by: str
    what: Literal[
        "acknowledged", "unacknowledged", "assigned", "unassigned", "silenced", "unsilenced"
    ]
    to: str
    until_ms: int
    note: str


class Handled(BaseModel):
    """Who takes care of a hotspot; empty and 0 where nobody has said so."""

    acknowledged_by: str
    assigned_to: str
    silenced_until_ms: int
    changes: list[Changed]


class Hotspot(Told):
    """A work or topic on the board (docs/alerts.md says what the words mean)."""

    hotspot_id: str
    kind: str
    title: str
    rank: int
    stage: str
    route: str
    state: str
    probability: float


class Board(Told):
    """What is hot now, the hottest first, and how it is handled."""

    time_ms: int | None = Field(description="Event time up to which all is decided; null: no board")
    hotspots: list[Hotspot]
    handling: dict[str, Handled] = Field(description="By the id of the hotspot")


class AlertEvent(Told):
    """A CloudEvent (docs/alerts.md)."""

    specversion: str
    id: str
    source: str
    type: str
    time: str
    subject: str
    data: dict[str, Any]


class Alerts(BaseModel):
    """The latest alerts, the newest first."""

    alerts: list[AlertEvent]


class Story(BaseModel):
    """One hotspot, and how it came about."""

    hotspot: Hotspot
    handling: Handled
    story: list[AlertEvent] = Field(description="Milestones, in order of event time")


class About(BaseModel):
    """What this server can do."""

    version: str
    may_change: bool = Field(description="Whether there is a token that allows changes")
    may_act: bool = Field(description="Whether actions can be told to Kafka")


class Handle(BaseModel):
    """A change of how a hotspot is handled; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    hotspot_id: HotspotId
    by: Name
    acknowledged: bool | None = None
    assigned_to: Name | Literal[""] | None = Field(default=None, description="Empty: nobody")
    silenced_for_ms: int | None = Field(
        default=None, ge=0, le=SILENCE_MS_MAX, description="From now on; 0 ends a silence"
    )
    note: Note = ""


class Act(BaseModel):
    """An action that somebody took about a hotspot (docs/actions.md)."""

    model_config = ConfigDict(extra="forbid")

    hotspot_id: HotspotId
    level: Literal["creative", "interaction", "dissemination"]
    kind: Name
    by: Name
    note: Note = ""
    alert_id: Name | None = None
    action_id: Name | None = Field(
        default=None, description="Told twice under one id, it counts once; else a digest of all"
    )
    taken_at_ms: int | None = Field(
        default=None, ge=0, description="Event time; by default that of the board"
    )


class Acted(BaseModel):
    """The action as it was told."""

    action_id: str
    taken_at_ms: int


class Refused(BaseModel):
    """Why not."""

    detail: str
