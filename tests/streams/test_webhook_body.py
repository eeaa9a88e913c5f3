import base64
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from models.alerts import Alert, AlertType
from models.events import NAME_CHARACTERS_MAX
from streams.delivery.webhook import BODY_BYTES_MAX, KEPT, fitted, signed

LONG = "逃" * NAME_CHARACTERS_MAX


def event(data: dict[str, Any]) -> dict[str, Any]:
    always = {"video_id": LONG, "platform": LONG, "reason": "test", "topic": LONG}
    return Alert(AlertType.EMERGING, 0, LONG, "1", {**always, **data}).to_event()


@given(
    st.dictionaries(
        st.sampled_from([f"field{n}" for n in range(30)]), st.integers(0, 30_000), max_size=30
    )
)
def test_a_body_is_below_the_limit_and_says_what_it_lacks(sizes: dict[str, int]) -> None:
    alert = event({name: "x" * size for name, size in sizes.items()})
    body = fitted(alert)
    assert len(body) < BODY_BYTES_MAX
    told = json.loads(body)
    left_out = told["data"].pop("left_out", [])
    assert told["data"].keys() | set(left_out) == alert["data"].keys()
    assert not KEPT & set(left_out)
    kept = {**alert, "data": {k: v for k, v in alert["data"].items() if k not in left_out}}
    assert told == kept
    whole = json.dumps(alert, ensure_ascii=False, separators=(",", ":")).encode()
    assert bool(left_out) == (len(whole) >= BODY_BYTES_MAX), "no more is left out than must be"


def test_each_secret_alone_verifies_a_message() -> None:
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    signers = [Webhook("whsec_" + base64.b64encode(bytes([n] * 24)).decode()) for n in (1, 2)]
    body = '{"a":"一"}'.encode()
    headers = signed(signers, "id", now_ms, body)
    assert headers["webhook-timestamp"] == str(now_ms // 1000)
    for signer in signers:
        assert signer.verify(body, headers) == {"a": "一"}
