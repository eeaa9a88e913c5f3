"""The API against its own description: whatever is asked, the answer is one that it names."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
import schemathesis
from board_serving import TOKEN, alert, board, clear, environment, fill, hotspot, serving
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from models.events import DecodingLimits
from models.guidance_actions import validate_action
from streams.settings import Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
WORK = "topic:英雄"
OPERATIONS = [
    ("/api/v1/about", "get"),
    ("/api/v1/board", "get"),
    ("/api/v1/alerts", "get"),
    ("/api/v1/hotspot", "get"),
    ("/api/v1/handling", "post"),
    ("/api/v1/actions", "post"),
]
EXAMPLES = 20


@pytest.fixture(scope="module")
def described(redis_url: str) -> Iterator[schemathesis.schemas.BaseSchema]:
    name = f"test-{uuid4().hex}"
    emerging = alert("a1", WORK, "hotspot.emerging", topic="英雄", probability=0.7)
    fill(redis_url, name, board(hotspot(WORK, 1)), [emerging])
    with serving(environment(redis_url, name, KAFKA="127.0.0.1:1")) as address:
        yield schemathesis.openapi.from_url(f"{address}api/v1/openapi.json")
    clear(redis_url, name)


def test_all_of_the_description_is_fuzzed(described: schemathesis.schemas.BaseSchema) -> None:
    found = [(one.ok().path, one.ok().method) for one in described.get_all_operations()]
    # A stream has no end; what it tells is tested beside.
    assert sorted(found) == sorted([*OPERATIONS, ("/api/v1/stream", "get")])


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_as_described(
    described: schemathesis.schemas.BaseSchema,
    path: str,
    method: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def send(_settings: Settings, line: bytes) -> None:
        """Take what would go to Kafka: it must be an action of the contract."""
        validate_action(line, latest_ms=2**53, limits=DecodingLimits())

    monkeypatch.setattr("streams.board.service.send_action", send)
    operation = described[path][method]
    seen = set()

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(), has_token=booleans(), is_there=booleans())
    def ask(case: schemathesis.Case, has_token: bool, is_there: bool) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"} if has_token else {}
        for part in (case.body, case.query):
            # What is not on the board is refused at once: some shall come further.
            if is_there and isinstance(part, dict) and "hotspot_id" in part:
                part["hotspot_id"] = WORK
        answer = case.call_and_validate(headers=headers, checks=CHECKS)
        seen.add(answer.status_code)

    ask()
    assert seen & {200, 202}, "nothing came through"
