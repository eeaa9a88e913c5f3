"""A browser for tests of the page: the system's Chromium, or the reason why there is none."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str:
    """The path of Chromium; skips the test where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    reason = f"no Chromium on the PATH ({', '.join(NAMES)}): apt install chromium"
    if os.environ.get("REQUIRE_CHROMIUM"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def browsing() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as driver:
        # In a container, and for root, Chromium's own sandbox cannot be set up.
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def page_of(browser: Browser, address: str, **context: object) -> Iterator[Page]:
    """A page of its own; whatever it asks of others, or complains of, fails the test."""
    opened = browser.new_context(**{"timezone_id": "Asia/Shanghai", "locale": "en-GB"} | context)
    page = opened.new_page()
    page.set_default_timeout(20_000)
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"a dialog: {dialog.message}"))
    page.on(
        "console",
        # That a server is not there, or refuses, is what some tests are about.
        lambda message: (
            complaints.append(message.text)
            if message.type == "error" and not message.text.startswith("Failed to load resource")
            else None
        ),
    )
    page.goto(address)
    yield page
    opened.close()
    origin = address.partition("#")[0]
    assert [url for url in asked if not url.startswith(origin)] == []
    assert complaints == []
