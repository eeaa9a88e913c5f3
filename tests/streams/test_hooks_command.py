"""`hotspots hooks`, against a real HTTP server."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from standardwebhooks import Webhook

from streams.cli import hotspots, main
from streams.errors import UserError

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"  # noqa: S105 - made for these tests


class Receiver(ThreadingHTTPServer):
    """Takes all that is posted below `/taken`, and refuses the rest."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, dict[str, str], bytes]] = []
        posted = self.posted

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posted.append((self.path, dict(self.headers), body))
                self.send_response(200 if self.path.startswith("/taken") else 403)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(directory: Path, text: str, *arguments: str) -> Result:
    (directory / "secret").write_text(SECRET)
    path = directory / "hooks.toml"
    path.write_text(text.replace("SECRETS", f"[{{ file = '{directory / 'secret'}' }}]"))
    runner = CliRunner()
    return runner.invoke(hotspots, ["hooks", arguments[0], "--file", str(path), *arguments[1:]])


def routes(url: str) -> str:
    allowed = "allow_networks = ['127.0.0.0/8']"
    kinds = {
        "desk": f"kind = 'webhook'\nurl = '{url}/taken'\nsecrets = SECRETS\n{allowed}",
        "on-call": f"kind = 'alertmanager'\nurl = '{url}/taken'\n{allowed}",
        "chat": f"kind = 'chat'\nurl = '{url.replace('http', 'json')}/taken'\n{allowed}",
        "shut": f"kind = 'webhook'\nurl = '{url}/shut'\nsecrets = SECRETS\n{allowed}",
    }
    return "\n".join(f"[[routes]]\nname = '{name}'\n{text}" for name, text in kinds.items())


def test_a_test_alert_goes_to_every_route_that_is_named(receiver: Receiver, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{receiver.server_port}"
    done = run(tmp_path, routes(url), "test", "desk", "on-call", "chat")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "desk: delivered\non-call: delivered\nchat: delivered\n"
    (_, headers, body), (path, _, fired), (_, _, said) = receiver.posted
    assert Webhook(SECRET).verify(body, headers)["type"] == "hotspot.test"
    assert path == "/taken/api/v2/alerts"
    assert json.loads(fired)[0]["labels"]["alertname"] == "hotspot.test"
    assert json.loads(said)["title"] == "A test of hooks hotspot.test (100 %)"


def test_what_a_receiver_refuses_is_told_and_the_others_are_tried(
    receiver: Receiver, tmp_path: Path
) -> None:
    done = run(tmp_path, routes(f"http://127.0.0.1:{receiver.server_port}"), "test")
    assert done.exit_code == 2
    assert done.stderr == "shut: it answers 403\n"
    assert len(receiver.posted) == 4


def test_the_check_sends_nothing_and_tells_of_addresses_that_are_refused(
    receiver: Receiver, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{receiver.server_port}"
    done = run(tmp_path, routes(url), "check")
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"desk: webhook at 127.0.0.1:{receiver.server_port}\n" in done.stdout
    assert "chat: chat at json\n" in done.stdout
    text = (
        "[[routes]]\nname = 'desk'\nkind = 'webhook'\nsecrets = SECRETS\nurl = 'https://10.0.0.1/'"
    )
    done = run(tmp_path, text, "check")
    assert done.exit_code == 2
    assert done.stderr == (
        "hotspots: route desk: 10.0.0.1 is refused, 10.0.0.1 is not public and not in "
        "allow_networks (HOTSPOTS_HOOKS): add its network to allow_networks of the route, if it is "
        "meant\n"
    )
    assert receiver.posted == []


def test_a_route_that_is_not_there_and_a_chat_that_is_none(tmp_path: Path) -> None:
    text = "[[routes]]\nname = 'a'\nkind = 'chat'\nurl = 'nosuch://x'"
    found = run(tmp_path, text, "check").exception
    assert isinstance(found, UserError)
    assert str(found) == "route a: Apprise cannot use this nosuch:// address (HOTSPOTS_HOOKS)"
    found = run(tmp_path, text.replace("nosuch", "json"), "test", "b").exception
    assert str(found) == "there is no route b: name one of a"


def test_no_hooks_are_told_as_any_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["hotspots", "hooks", "check"])
    monkeypatch.delenv("HOTSPOTS_HOOKS", raising=False)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("hotspots: there are no hooks (HOTSPOTS_HOOKS): ")
