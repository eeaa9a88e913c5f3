"""What is kept of actions and of activity: bounded, and the same after a restart."""

import json
from typing import Any

import numpy as np
import pytest

from models.activity_history import ActivityHistory, digest
from models.guidance_actions import GuidanceAction
from models.looks import look_buckets
from models.measured_actions import SHOWN, MeasuredActions
from models.parameters import HOUR_MS, MINUTE_MS, Parameters
from models.roll_up import RollUp
from models.vocabulary import Signal, Stage

PARAMETERS = Parameters(bucket_ms=MINUTE_MS, effect_window_ms=HOUR_MS)
PER_LOOK = look_buckets(PARAMETERS)
LOOK_MS = PER_LOOK * MINUTE_MS
WINDOW = HOUR_MS // LOOK_MS
FIRST_LOOK = 1_000_000


class World:
    """Videos whose rows are written by hand, and the looks at them."""

    def __init__(self) -> None:
        self.roll_up = RollUp(PARAMETERS)
        self.actions = MeasuredActions(PARAMETERS, self.roll_up)
        self.told: list[dict[str, Any]] = []

    def video(self, name: str, look: int, stage: Stage = Stage.JUDGMENT) -> None:
        """Let a video be known, and active before a look."""
        tracked = self.roll_up.tracked.get(name) or self.roll_up.tracked.add(name)
        tracked.published_ms = (FIRST_LOOK - 5) * LOOK_MS
        self.roll_up.tracked.relink([name])
        row = self.roll_up.tracked.rows[tracked.slot]
        row["stage"], row["last_bucket"] = stage, look * PER_LOOK - 1
        row["views"] += 100
        row["acted"][Signal.IDENTIFICATION] += 10

    def look(self, look: int) -> None:
        """Look, as of the end of the look before."""
        found = self.actions.look(look * PER_LOOK)
        self.told += [one.said | {"id": one.action.action_id, "at": one.time_ms} for one in found]


def action(name: str, look: float, subject: str = "p\x1fv0") -> GuidanceAction:
    return GuidanceAction(name, round(look * LOOK_MS), subject, "interaction", "pin")


def live(world: World, looks: int, videos: int = 12, first: int = FIRST_LOOK) -> None:
    for look in range(first, first + looks):
        for number in range(videos):
            world.video(f"p\x1fv{number}", look)
        world.look(look)


def test_how_late_an_action_is_told_changes_nothing_until_it_is_too_late() -> None:
    said = []
    for told_at in (0, WINDOW, 2 * WINDOW + 1, 2 * WINDOW + 2):
        world = World()
        live(world, WINDOW + told_at)
        now = FIRST_LOOK + WINDOW + told_at
        through = now * PER_LOOK - 2
        assert world.actions.take(action("a", FIRST_LOOK + WINDOW + 0.5), through)
        assert not world.actions.take(action("a", FIRST_LOOK), through)
        live(world, 4 * WINDOW, first=now)
        (one,) = world.told
        said.append(one)
    assert said[0]["reason"] == "effect_measured"
    assert said[0]["figures"]["controls"] == 11
    assert said[0]["at"] == (FIRST_LOOK + 2 * WINDOW + 1) * LOOK_MS - 1
    assert said[1] == said[2] == said[0]
    assert said[3]["reason"] == "told_too_late"
    assert said[3]["at"] == said[0]["at"]


def test_an_action_is_noticed_at_the_first_look_behind_it_and_what_was_told_before() -> None:
    for through, noticed in ((-1, 2), (3 * PER_LOOK - 2, 3), (3 * PER_LOOK - 1, 4)):
        world = World()
        world.actions.take(action("a", FIRST_LOOK + 1.5), FIRST_LOOK * PER_LOOK + through)
        shown = []
        for look in range(5):
            live(world, 1, first=FIRST_LOOK + look)
            if world.actions.on("p\x1fv0"):
                shown.append(look)
        assert shown[0] == noticed, through


def test_what_falls_silent_stays_a_control_for_a_window() -> None:
    world = World()
    live(world, WINDOW + 1)
    world.actions.take(action("a", FIRST_LOOK + WINDOW + 0.5), -1)
    # From here on only the one that was acted on is active.
    for look in range(FIRST_LOOK + WINDOW + 1, FIRST_LOOK + 3 * WINDOW):
        world.video("p\x1fv0", look)
        for number in range(1, 12):
            slot = world.roll_up.tracked.slot_of[f"p\x1fv{number}"]
            world.roll_up.tracked.rows["stage"][slot] = Stage.PRESENTATION
        world.look(look)
    (one,) = world.told
    assert one["reason"] == "effect_measured"
    assert one["effect"]["activity"]["low"] > 100


def test_no_more_are_followed_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.activity_history.MOST_FOLLOWED", 3)
    world = World()
    for number in range(9):
        world.video(f"p\x1fv{number}", FIRST_LOOK - number % 3)
    world.look(FIRST_LOOK)
    rows = world.actions.history.at(FIRST_LOOK)
    assert rows is not None
    expected = sorted(digest(f"p\x1fv{number}") for number in (0, 3, 6))
    assert rows["subject"].tolist() == expected
    for number in range(9):
        world.video(f"p\x1fw{number}", FIRST_LOOK + 1)
    world.look(FIRST_LOOK + 1)
    rows = world.actions.history.at(FIRST_LOOK + 1)
    assert rows is not None
    assert rows["subject"].tolist() == expected


def test_only_the_looks_of_three_windows_are_kept() -> None:
    world = World()
    live(world, 5 * WINDOW, videos=1)
    last = FIRST_LOOK + 5 * WINDOW - 1
    kept = [
        look for look in range(FIRST_LOOK, last + 1) if world.actions.history.at(look) is not None
    ]
    assert kept == list(range(last - 3 * WINDOW - 1, last + 1))


def test_beyond_a_number_of_actions_they_are_told_to_be_too_many_and_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.measured_actions.MOST_OPEN", 4)
    monkeypatch.setattr("models.measured_actions.MOST_REMEMBERED", 5)
    world = World()
    live(world, 1)
    for number in range(9):
        world.actions.take(action(f"a{number}", FIRST_LOOK + 0.5 + number / 100), -1)
    live(world, 1, first=FIRST_LOOK + 1)
    assert [one["id"] for one in world.told] == ["a4", "a5", "a6", "a7", "a8"]
    assert {one["reason"] for one in world.told} == {"too_many_actions"}
    assert len(world.actions.on("p\x1fv0")) == SHOWN
    live(world, 2 * WINDOW, first=FIRST_LOOK + 2)
    assert [one["action_id"] for one in world.actions.latest(99)] == ["a8", "a7", "a6", "a5", "a4"]
    assert [one["action_id"] for one in world.actions.latest(2)] == ["a8", "a7"]
    gone = [key for key, value in world.actions.take_rows() if value is None]
    assert [key for key in gone if b"/t/" in key] == [b"e/t/a%d" % number for number in range(4)]


def test_a_restart_goes_on_as_if_there_had_been_none() -> None:
    whole, halved = World(), World()
    for world in (whole, halved):
        live(world, WINDOW)
        world.actions.take(action("a", FIRST_LOOK + WINDOW + 0.5), -1)
        live(world, 2, first=FIRST_LOOK + WINDOW)
    rows = dict([*halved.actions.take_told(), *halved.actions.take_rows()])
    assert not list(halved.actions.take_told())
    again = MeasuredActions(PARAMETERS, halved.roll_up)
    for key in sorted(rows):
        value = rows[key]
        if value is not None:
            again.load(key, value)
    halved.actions = again
    assert halved.actions.latest(9) == whole.actions.latest(9)
    for world in (whole, halved):
        live(world, 2 * WINDOW, first=FIRST_LOOK + WINDOW + 2)
    assert halved.told == whole.told
    assert halved.actions.on("p\x1fv0") == whole.actions.on("p\x1fv0")
    for wrong in (b"e/what", b"e/h/what"):
        with pytest.raises(ValueError, match="unknown key"):
            again.load(wrong, b"[]")


def test_of_a_look_nothing_is_written_twice() -> None:
    world = World()
    live(world, 2)
    first = [key for key, _ in world.actions.take_rows() if b"h/l/" in key]
    live(world, 1, first=FIRST_LOOK + 2)
    second = [key for key, _ in world.actions.take_rows() if b"h/l/" in key]
    assert (len(first), len(second)) == (2, 1)
    assert json.dumps(world.actions.latest(1)) == "[]"


def test_a_history_without_anybody_has_no_looks() -> None:
    history = ActivityHistory(
        PARAMETERS, RollUp(PARAMETERS), buckets_per_look=PER_LOOK, window=4, kept=9
    )
    history.look(3)
    assert history.at(3) is None
    assert np.uint64(digest("a")) != digest("b")
