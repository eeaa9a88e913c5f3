"""The page in a real browser: what is shown, changed, kept out, and read by everybody."""

import json
import re
import socket
from collections.abc import Iterator
from itertools import pairwise
from urllib.parse import quote
from uuid import uuid4

import pytest
from board_browser import browsing, page_of
from board_serving import (
    TIME_MS,
    TOKEN,
    alert,
    board,
    clear,
    environment,
    fill,
    hotspot,
    run,
    serving,
)
from playwright.sync_api import Browser, Page, expect

from streams.delivery.board_store import BoardStore
from streams.settings import Settings

WORK, VIDEO = "topic:逃出大英博物馆", "video:weibo/excluded-1"
EVIL = '<img src=x onerror=alert(1)>"><script>alert(2)</script>'
LANES = [("douyin", 36), ("bilibili", 35), ("weibo", 20)]
HOUR_MS = 3_600_000
MINUTES_MS = 600_000


def story() -> list[dict[str, object]]:
    entered = {
        "reason": "response_and_intensity_above_cohort",
        "figures": {
            "people": 198, "exposures": 1540, "per_exposure": 0.12857,
            "null_per_exposure": 0.09125, "per_hour": 3315.3, "null_per_hour": 332.3,
            "log_evidence": 14.21, "log_threshold": 14.18,
        },
    }  # fmt: skip
    told = [
        alert(
            f"s{at}", f"{platform}/v{at}", "hotspot.stage.entered", platform=platform,
            title="第一集", topics=["逃出大英博物馆"], state="active", stage=stage,
            route="identification", **entered,
        ) | {"time": f"2023-08-30T{at + 3:02}:{later:02}:00.000Z"}
        for platform, later in LANES
        for at, stage in enumerate(("judgment", "interaction", "diffusion"))
    ]  # fmt: skip
    for at, one in enumerate(told):
        one["id"] = f"s{at}"
    emerging = alert(
        "e", WORK, "hotspot.emerging", topic="逃出大英博物馆", level="view:100000",
        reason="forecast_above_alert_level", probability=0.61, horizon_ms=7 * 24 * HOUR_MS,
        figures={"views": 27_407, "activity_per_hour": 3234.2, "alert_probability": 0.6},
        signals=["it began 1.9 hours ago"],
        reach={"median": 400_000, "low": 150_000, "high": 2_000_000, "coverage": 0.8},
        next={"juncture": "continuation", "probability_within_horizon": 0.7,
              "hours": {"p25": 2.0, "p50": 4.0, "p75": 9.0}},
        depth={"index": 0.3, "components": {"dialogue": 0.3, "weak_ties": 1.0}},
        participation={"people": 1664, "acts": 200, "by_role": {"ordinary": 0.99, "kol": 0.01}},
        resonance={"polarity": 0.6, "share_negative": 0.02, "comments": 64},
    )  # fmt: skip
    comments = alert(
        "g", WORK, "hotspot.guidance.quality_comments", topic="逃出大英博物馆",
        reason="comments_taken_up", guidance_level="interaction", urgency="low",
        suggestion="Pin one of these comments.", figures={"comments": 1},
        comments=[{"platform": "douyin", "video_id": "v0", "text": EVIL}],
    )  # fmt: skip
    return [*told, emerging, comments]


def whole_board(time_ms: int = TIME_MS) -> dict[str, object]:
    since = [
        {"platform": platform, "since_ms": TIME_MS - 10 * HOUR_MS + at * MINUTES_MS,
         "after_ms": at * MINUTES_MS}
        for at, (platform, _) in enumerate(LANES)
    ]  # fmt: skip
    first = hotspot(
        WORK, 1, route="identification", stage="diffusion", confirmed=True, cultural=True,
        take_up=since, platforms=[platform for platform, _ in LANES], probability=1.0,
    )  # fmt: skip
    second = hotspot(VIDEO, 2, title=EVIL, route="exclusion", platforms=["weibo"], stage="judgment")
    others = [hotspot(f"topic:n{rank}", rank, heat=900 - rank) for rank in range(3, 12)]
    return board(first, second, *others, time_ms=time_ms)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture
def prefix(redis_url: str) -> Iterator[str]:
    name = f"test-{uuid4().hex}"
    fill(redis_url, name, whole_board(), story())
    yield name
    clear(redis_url, name)


@pytest.fixture
def address(redis_url: str, prefix: str) -> Iterator[str]:
    with serving(environment(redis_url, prefix, KAFKA="127.0.0.1:1")) as found:
        yield found


def rows(page: Page) -> list[str]:
    return page.locator("#hotspots .rank").all_inner_texts()


def test_what_became_hot_is_shown_in_order_and_how_it_came_about(
    browser: Browser, address: str
) -> None:
    with page_of(browser, address) as page:
        detail = page.locator("#detail")
        expect(page.locator("#hotspots a")).to_have_count(11)
        assert [int(re.sub(r"\D", "", one)) for one in rows(page)] == list(range(1, 12))
        expect(detail.get_by_role("heading", level=2)).to_have_text("逃出大英博物馆")
        picture = detail.locator("svg.timeline")
        lanes = picture.locator("g:has(text.lane)")
        assert lanes.locator("text.lane").all_text_contents() == [name for name, _ in LANES]
        for lane in lanes.all():
            widths = [float(r.get_attribute("width") or 0) for r in lane.locator("rect").all()]
            assert len(widths) == 4
            assert min(widths) > 0
        expect(picture.locator("path[class^=mark]")).to_have_count(2)
        expect(detail.locator("svg.forecast .interval")).to_have_count(1)
        for said in (
            "Half of such go beyond 400,000; 80% of them end between 150,000 and 2,000,000.",
            "Next: continuation, 70% likely; 2 to 9 hours from then",
            "it began 1.9 hours ago", "Index 0.3 of 1", "weak ties", "bilibili after 10 minutes",
            "Pin one of these comments.", "198 people acted on 1,540 views: 0.129 a view",
            "about 1,664 people", "kol 1%", "Mean polarity 0.6",
        ):  # fmt: skip
            expect(detail).to_contain_text(said)
        page.get_by_role("tab", name=re.compile("What happened")).click()
        expect(page.locator("#alert-list li")).to_have_count(11)


def test_what_events_say_stays_text(browser: Browser, address: str) -> None:
    # Scripts that ran would open dialogs, ask elsewhere or be complained of: page_of sees that.
    with page_of(browser, f"{address}#hotspot={quote(VIDEO)}") as page:
        expect(page.locator("#detail h2")).to_have_text(EVIL)
        expect(page.locator("#hotspots a").nth(1)).to_contain_text(EVIL)
        page.locator("#hotspots a").first.click()
        expect(page.locator("#detail q")).to_have_text(EVIL)
        assert page.locator("main img, main script, main iframe").count() == 0


def test_search_and_filters(browser: Browser, address: str) -> None:
    with page_of(browser, address) as page:
        found = page.locator("#hotspots a")
        expect(found).to_have_count(11)
        page.keyboard.press("/")
        page.keyboard.type("博物馆")
        expect(found).to_have_count(1)
        page.get_by_label("Search titles").fill("")
        page.get_by_role("combobox", name="Route").select_option("exclusion")
        expect(found).to_have_count(1)
        page.get_by_role("combobox", name="Route").select_option("")
        page.get_by_role("combobox", name="Platform").select_option("bilibili")
        expect(found).to_have_count(1)
        page.get_by_role("combobox", name="Stage").select_option("judgment")
        expect(found).to_have_count(0)
        expect(page.locator("#none")).to_have_text("Nothing here fits the filters.")


def test_hotspots_are_acknowledged_assigned_silenced_and_acted_on(
    browser: Browser, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, object]] = []

    async def send(_settings: Settings, line: bytes) -> None:
        """Take what goes to Kafka; that it arrives is tested with Kafka."""
        sent.append(json.loads(line))

    monkeypatch.setattr("streams.board.service.send_action", send)
    with page_of(browser, address) as page:
        detail = page.locator("#detail")
        detail.get_by_role("button", name="Acknowledge").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Your name").fill("李")
        dialog.get_by_label("Token").fill("a wrong one, of some length")
        dialog.get_by_role("button", name="Save").click()
        # The server refuses it, and it is asked for again.
        dialog.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(detail).to_contain_text("Acknowledged by 李")
        detail.get_by_role("button", name="Assign").click()
        dialog.get_by_label("To whom").fill("wang")
        dialog.get_by_role("button", name="Save").click()
        expect(detail).to_contain_text("Assigned to wang")
        detail.get_by_role("button", name="Silence").click()
        dialog.get_by_label("For how long").select_option("4")
        dialog.get_by_role("button", name="Save").click()
        expect(detail).to_contain_text("Silenced until")
        page.reload()
        expect(page.locator("#hotspots a").first).to_contain_text("→ wang")
        page.get_by_label("Show").select_option("open")
        expect(page.locator("#hotspots a")).to_have_count(10)
        detail.locator("article.advice").get_by_role("button", name="Record an action").click()
        dialog.get_by_label("What was done").fill("pin_comment")
        dialog.get_by_label("Note").fill(EVIL)
        dialog.get_by_role("button", name="Save").click()
        expect(dialog).to_be_hidden()
        expect(page.locator("#said")).to_contain_text("Told")
    (action,) = sent
    assert action.pop("action_id")
    assert action == {
        "taken_at": TIME_MS, "topic": "逃出大英博物馆", "level": "interaction",
        "kind": "pin_comment", "by": "李", "note": EVIL, "alert_id": "g",
    }  # fmt: skip


def test_what_changes_comes_by_itself_and_after_the_server_was_away(
    browser: Browser, redis_url: str, prefix: str
) -> None:
    async def happen(name: str, time_ms: int) -> None:
        async with BoardStore(redis_url, prefix) as store:
            told = alert(name, f"topic:{name}", "hotspot.confirmed", topic=name, probability=1.0)
            await store.record_alerts([told])
            await store.write_board(board(hotspot(f"topic:{name}", 1), time_ms=time_ms))

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environ = environment(redis_url, prefix, BOARD_PORT=port)
    with serving(environ) as address:
        opened = page_of(browser, address)
        page = opened.__enter__()
        expect(page.locator("#hotspots a")).to_have_count(11)
        expect(page.locator("#state-text")).to_contain_text("Live")
        run(happen("one", TIME_MS + 1_000))
        expect(page.locator("#hotspots a")).to_have_count(1)
        expect(page.locator("#detail")).to_contain_text("no longer on the board")
    expect(page.locator("#state-text")).to_contain_text("Not connected")
    run(happen("two", TIME_MS + 2_000))
    with serving(environ):
        expect(page.locator("#state-text")).to_contain_text("Live")
        expect(page.locator("#hotspots a")).to_contain_text("two")
        page.get_by_role("tab", name=re.compile("What happened")).click()
        found = page.locator("#alert-list .subject")
        expect(found.first).to_have_text("two")
        assert found.all_inner_texts()[:2] == ["two", "one"]
        opened.__exit__(None, None, None)


def test_a_phone_in_chinese_and_dark(browser: Browser, address: str) -> None:
    phone = {"viewport": {"width": 360, "height": 700}, "has_touch": True, "is_mobile": True}
    with page_of(browser, address, locale="zh-CN", color_scheme="dark", **phone) as page:
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        expect(page.locator("#detail")).to_be_hidden()
        page.locator("#hotspots a").first.tap()
        expect(page.locator("#hotspots")).to_be_hidden()
        detail = page.locator("#detail")
        for said in ("198 人作出反应", "价值扩散", "此类热点半数超过 400,000", "置顶其中一条评论"):
            expect(detail).to_contain_text(said)
        expect(detail.get_by_role("heading", level=2)).to_be_focused()
        too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(too_wide) == 0
        detail.get_by_role("link", name="返回列表").tap()
        expect(page.locator("#hotspots a").first).to_be_visible()
        assert page.evaluate(too_wide) == 0


def test_the_list_is_walked_by_keys(browser: Browser, address: str) -> None:
    with page_of(browser, address) as page:
        expect(page.locator("#detail h2")).to_have_text("逃出大英博物馆")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the list")).to_be_focused()
        page.locator("#hotspots a").first.focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.locator("#detail h2")).to_have_text(EVIL)
        # What comes meanwhile takes the focus from nobody.
        expect(page.locator("#hotspots a").nth(1)).to_be_focused()
        page.get_by_role("tab", name=re.compile("Board")).focus()
        page.keyboard.press("ArrowRight")
        tab = page.get_by_role("tab", name=re.compile("What happened"))
        expect(tab).to_be_focused()
        expect(tab).to_have_attribute("aria-selected", "true")


UNNAMED = """() => [...document.querySelectorAll("button, a, input, select, meter, [role=img]")]
  .filter((one) => one.checkVisibility() && !(one.textContent.trim() || one.ariaLabel
    || one.labels?.length || one.getAttribute("aria-labelledby")))
  .map((one) => one.outerHTML)"""
"""What nobody who listens to the page would hear the name of."""

FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found[3] === 255) return found;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility() || node.tagName === "OPTION"
      || node.closest("svg title, .hidden, .skip, noscript")) continue;
    const style = getComputedStyle(node);
    const text = rgb(node.closest("svg") ? style.fill : style.color);
    const [high, low] = [light(text), light(ground(node))].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${node.outerHTML.slice(0, 90)}`);
  }
  return faint;
}"""
"""Text whose contrast is below 4.5 (WCAG 2.2, success criterion 1.4.3, level AA)."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(browser: Browser, address: str, scheme: str) -> None:
    with page_of(browser, address, color_scheme=scheme) as page:
        expect(page.locator("svg.forecast")).to_be_visible()
        assert page.evaluate(UNNAMED) == []
        assert page.evaluate(FAINT) == []
        headings = page.locator("h1, h2, h3, h4")
        levels = headings.evaluate_all("found => found.map((one) => Number(one.tagName[1]))")
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in pairwise(levels))
