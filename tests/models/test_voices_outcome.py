"""What people say, from the events to the alerts: a function of the log, crashes included."""

import json
import random
from typing import Any

from models.alerts import ALERTS
from models.feelings import POSITIVE
from models.hotspots import LEARNED, HotspotsStep
from models.intake import Intake
from models.parameters import HOUR_MS, MINUTE_MS, Level, Parameters
from models.stages import VIDEO_STAGES, StagesStep
from models.steps import Chunk, PartitionStep
from streams.offline.pipeline import chunk_of

START_MS = 1_693_353_600_000
PARAMETERS = Parameters(
    partitions=1,
    bucket_ms=MINUTE_MS,
    epoch_ms=HOUR_MS,
    level=Level("view", 2_000),
    expire_after_ms=6 * HOUR_MS,
)
REASONED = [
    "应该让文物回到它的家乡，因为那里才有懂它的人",
    "其实每一件器物后面都有一段没有讲完的故事",
    "建议学校组织孩子们一起看，比课本生动得多",
]


def said(minute: int, video: str, action: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    at = {"time": START_MS + minute * MINUTE_MS, "platform": "p", "video_id": video}
    return at | {"action": action} | more


def platform() -> list[dict[str, Any]]:
    """Return three hours: one video over which people weep, and whose symbol comes in the third."""
    dice = random.Random(1)  # noqa: S311 - no secret
    events = [said(0, v, "publish", topics=[topic]) for v, topic in (("a", "家"), ("b", "饭"))]
    for number, text in enumerate(REASONED):
        more = {"comment_id": f"c{number}", "actor_id": f"judge{number}"}
        events.append(said(1, "a", "comment", text=text, **more))
    for minute in range(180):
        for video, text in (("a", "太感动了看哭了"), ("b", "无聊")):
            words = text + (" 小玉壶回家" if video == "a" and minute >= 130 else "")
            events.append(said(minute, video, "view", count=40))
            people = dice.randint(1, 3) + (80 if video == "a" and 60 <= minute < 100 else 0)
            events += [
                said(
                    minute, video, "danmaku", text=words + "吧啊呀"[n % 3], actor_id=f"{minute}-{n}"
                )
                for n in range(people)
            ]
        if minute % 9 == 8:
            liked = {"comment_id": f"c{minute // 9 % 3}", "actor_id": f"l{minute}"}
            events.append(said(minute, "a", "comment_like", **liked))
    return events


def batches(events: list[dict[str, Any]], sizes: list[int]) -> list[bytes]:
    intake = Intake(1, b"0123456789abcdef")
    messages: list[bytes] = []
    low = 0
    while low < len(events):
        size = sizes[low % len(sizes)]
        values: list[bytes] = [json.dumps(event).encode() for event in events[low : low + size]]
        taken = intake.process(chunk_of(values, low), source=0, sources=1, received_ms=2 * START_MS)
        assert not taken.rejects
        messages += taken.batches[0]
        low += len(values)
    end = Chunk(low, low + 1, [low], [b"hotspots:end"], [None], [-1])
    return messages + intake.process(end, source=0, sources=1, received_ms=0).batches[0]


def alerts_of(  # noqa: C901 - a broker with one partition of each topic, in one place
    messages: list[bytes], crashes: random.Random | None = None
) -> dict[str, Any]:
    """Drive the two steps message by message; perhaps make them anew from what was saved."""
    makers: dict[str, Any] = {"stages": StagesStep, "hotspots": HotspotsStep}
    steps: dict[str, PartitionStep] = {n: make(0, PARAMETERS) for n, make in makers.items()}
    rows: dict[str, dict[bytes, bytes]] = {"stages": {}, "hotspots": {}}
    logs: dict[str, list[bytes]] = {"stages": messages, "hotspots": []}
    begin = {"stages": 0, "hotspots": 0}
    versions: dict[bytes, bytes] = {}
    alerts: dict[str, Any] = {}

    def commit(name: str, position: int) -> None:
        cut = steps[name].cut()
        for key, value in cut.rows:
            if value is None:
                rows[name].pop(key, None)
            else:
                rows[name][key] = value
        begin[name] = position if cut.position is None else cut.position
        for output in cut.outputs:
            if output.topic == VIDEO_STAGES and output.value is not None:
                logs["hotspots"].append(output.value)
            elif output.topic == LEARNED and output.key is not None and output.value is not None:
                versions[output.key] = output.value
                steps["stages"].learn(output.key, output.value)
            elif output.topic == ALERTS and output.value is not None:
                alert = json.loads(output.value)
                assert alerts.setdefault(alert["id"], alert) == alert

    def restart(name: str) -> int:
        step = steps[name] = makers[name](0, PARAMETERS)
        for key, value in versions.items():
            step.learn(key, value)
        for key, value in rows[name].items():
            step.load(key, value)
        step.recovered()
        return begin[name]

    position = {"stages": 0, "hotspots": 0}
    while any(position[name] < len(logs[name]) for name in logs):
        for name, log in logs.items():
            if position[name] < len(log) and not steps[name].held:
                at = position[name]
                steps[name].process(Chunk(at, at + 1, [at], [None], [log[at]], [-1]))
                position[name] = at + 1
            if crashes is None or crashes.random() < 0.7:
                commit(name, position[name])
            if crashes is not None and crashes.random() < 0.2:
                position[name] = restart(name)
    for name in logs:
        commit(name, position[name])
    return alerts


def test_voices_reach_the_alerts_and_are_a_function_of_the_log() -> None:
    events = platform()
    expected = alerts_of(batches(events, [40]))
    works = {
        alert["subject"]: alert["data"]
        for alert in expected.values()
        if alert["type"] == "hotspot.emerging" and "resonance" in alert["data"]
    }
    assert works["topic:家"]["resonance"]["polarity"] > 0.5
    assert works["topic:饭"]["resonance"]["polarity"] < -0.3
    for seed in range(2):
        dice = random.Random(seed)  # noqa: S311 - no secret
        assert alerts_of(batches(events, [3, 50, 11, 7]), dice) == expected


def test_comments_worth_highlighting_are_told_once() -> None:
    alerts = alerts_of(batches(platform(), [40]))
    (told,) = [a for a in alerts.values() if a["type"] == "hotspot.guidance.quality_comments"]
    assert told["subject"] == "topic:家"
    assert {one["text"] for one in told["data"]["comments"]} == set(REASONED)
    assert all(one["likes"] > 0 and one["reasoned"] for one in told["data"]["comments"])


def test_symbols_that_people_feel_for_are_told_once_on_the_creative_level() -> None:
    alerts = alerts_of(batches(platform(), [40]))
    (told,) = [a for a in alerts.values() if a["type"] == "hotspot.guidance.resonant_symbols"]
    data = told["data"]
    assert (told["subject"], data["guidance_level"]) == ("topic:家", "creative")
    figures = data["figures"]
    assert figures["polarity_elsewhere_at_most"] < figures["polarity_at_least"]
    assert POSITIVE < figures["polarity_at_least"] < figures["polarity"]
    assert figures["symbols"] == len(data["symbols"])
    assert any("小玉壶" in one["phrase"] for one in data["symbols"])
