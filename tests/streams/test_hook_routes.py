import re
from pathlib import Path
from typing import Any

import pytest

from streams.delivery.routes import MOST_ROUTES, Receiver, Route, matches, read_receivers
from streams.errors import UserError
from streams.reference import DOCS

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"  # noqa: S105 - made for these tests
WEBHOOK = """
[[routes]]
name = "desk"
kind = "webhook"
url = "https://hooks.example.org/token"
secrets = [{ env = "DESK_SECRET" }]
"""


@pytest.fixture(autouse=True)
def desk_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_SECRET", SECRET)


def read(text: str, directory: Path) -> tuple[Receiver, ...]:
    path = directory / "hooks.toml"
    path.write_text(text, "utf-8")
    return read_receivers(str(path))


def test_no_file_is_no_hooks() -> None:
    assert read_receivers("") == ()


def test_nothing_secret_is_shown(tmp_path: Path) -> None:
    (tmp_path / "address").write_text("https://hooks.example.org/other\n")
    address = f"{{ file = '{tmp_path / 'address'}' }}"
    text = WEBHOOK + WEBHOOK.replace('"desk"', '"two"').replace(
        '"https://hooks.example.org/token"', address
    )
    receivers = read(text, tmp_path)
    assert [one.url.get_secret_value() for one in receivers] == [
        "https://hooks.example.org/token",
        "https://hooks.example.org/other",
    ]
    shown = repr(receivers) + repr([vars(one) for one in receivers])
    assert "hooks.example.org:443" in shown
    assert not [part for part in ("/token", "/other", SECRET, SECRET[6:]) if part in shown]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("desk", "Desk!"), "routes.1.name: String should match pattern"),
        (('kind = "webhook"', 'kind = "fax"'), "routes.1.kind: Input should be 'webhook', "),
        (("secrets = ", "secret = "), "routes.1.secret: Extra inputs are not permitted"),
        (('secrets = [{ env = "DESK_SECRET" }]', ""), "a webhook is signed: name its secrets"),
        (("DESK_SECRET", "NOT_THERE"), "route desk: the variable NOT_THERE is not set"),
        (("DESK_SECRET", "HOTSPOTS_SECRET"), "begin with HOTSPOTS_ are settings"),
        (("env =", "file ="), "route desk: DESK_SECRET cannot be read: No such file"),
        (("https://", "http://"), "http:// is for allow_networks only"),
        (("https://", "ftp://"), "the url must begin with https://"),
        (("hooks.example", "me:word@hooks.example"), "must not hold a user or password"),
        (("[[routes]]", "[[routes]"), "is not TOML"),
        (("[[routes]]", "[[route]]"), "routes: Field required"),
        (("[[routes]]", "[[routes]]\ntypes = ['hotspot.none']"), "no alert has the type"),
        (("[[routes]]", "[[routes]]\nallow_networks = ['10.0.0.1/8']"), "has host bits set"),
        (("[[routes]]", "[[routes]]\nprobability_min = 2"), "less than or equal to 1"),
        (("[[routes]]", "[[routes]]\nbudget_per_day = 0"), "greater than or equal to 1"),
        (("[[routes]]", "[[routes]]\nfires_for = '1h'"), "belong to routes of kind 'alertm"),
        (("[[routes]]", "version = 2\n[[routes]]"), "version: Input should be 1"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_without_anything_secret(
    change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        read(WEBHOOK.replace(*change), tmp_path)
    (line,) = [line for line in caught.value.lines if said in line]
    assert "(HOTSPOTS_HOOKS)" in line
    assert not [part for part in ("/token", SECRET, ":word") if part in str(caught.value)]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_?", SECRET[6:]])
def test_a_secret_that_signs_nothing_well_is_refused_and_not_shown(
    secret: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_SECRET", secret)
    with pytest.raises(UserError) as caught:
        read(WEBHOOK, tmp_path)
    assert "route desk: " in str(caught.value)
    assert len(secret) < 7 or secret not in str(caught.value)


def test_every_problem_of_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(WEBHOOK + WEBHOOK + WEBHOOK.replace("https", "http"), tmp_path)
    assert len(caught.value.problems) == 2
    assert "two routes are called desk" in caught.value.lines[0]
    with pytest.raises(UserError, match=f"at most {MOST_ROUTES} items"):
        read(WEBHOOK * (MOST_ROUTES + 1), tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        read_receivers(str(tmp_path / "none.toml"))


def route(**filters: object) -> Route:
    return Route.model_validate({"name": "a", "kind": "chat", "url": "slack://a", **filters})


ALERT: dict[str, Any] = {
    "type": "hotspot.emerging",
    "data": {
        "platform": "douyin",
        "platforms": ["douyin", "weibo"],
        "vertical": "culture",
        "topic": "escape",
        "also_known_as": [{"topic": "flight"}],
        "probability": 0.7,
    },
}


@pytest.mark.parametrize(
    ("wanted", "unwanted"),
    [
        ({"types": ["hotspot.emerging"]}, {"types": ["hotspot.guidance.*"]}),
        ({"platforms": ["weibo", "x"]}, {"platforms": ["bilibili"]}),
        ({"verticals": ["culture"]}, {"verticals": ["sport"]}),
        ({"topics": ["escape"]}, {"topics": ["chase"]}),
        ({"topics": ["flight"]}, {"topics": ["esc"]}),
        ({"probability_min": 0.7}, {"probability_min": 0.71}),
    ],
)
def test_each_filter_alone(wanted: dict[str, Any], unwanted: dict[str, Any]) -> None:
    assert matches(route(**wanted), ALERT)
    assert not matches(route(**unwanted), ALERT)


def test_an_alert_without_a_probability_is_no_forecast_and_passes() -> None:
    assert matches(route(probability_min=0.9), {"type": "hotspot.faded", "data": {}})
    assert not matches(route(verticals=["culture"]), {"type": "hotspot.faded", "data": {}})


def test_the_example_in_the_documentation_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (DOCS / "hooks.md").read_text("utf-8"), re.DOTALL)
    for name in re.findall(r'file = "([^"]+)"', example):
        file = tmp_path / Path(name).name
        file.write_text(SECRET)
        example = example.replace(name, str(file))
    monkeypatch.setenv("DESK_CHAT", "feishu://token")
    assert [one.route.name for one in read(example, tmp_path)] == [
        "desk",
        "on-call",
        "culture-chat",
    ]


def test_the_table_of_faults_names_tests_that_are_there() -> None:
    named = re.findall(r"\| `(test_\w+)` \|$", (DOCS / "hooks.md").read_text("utf-8"), re.MULTILINE)
    tests = (DOCS.parent / "tests/integration/test_hooks_kafka.py").read_text("utf-8")
    assert len(named) >= 12
    assert set(named) <= set(re.findall(r"^async def (test_\w+)", tests, re.MULTILINE))
