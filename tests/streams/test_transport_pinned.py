from importlib.metadata import version

import pytest

from streams.transport import pinned


def test_nothing_that_we_rely_on_has_changed() -> None:
    changed = pinned.changes()
    assert not changed, "read what changed before you pin it anew:\n" + "\n".join(changed)


def test_a_change_is_told_with_what_depends_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from faust.transport.consumer import Consumer

    async def perform_seek() -> None:
        raise NotImplementedError

    monkeypatch.setattr(Consumer, "perform_seek", perform_seek)
    monkeypatch.delattr(Consumer, "_add_gap")
    monkeypatch.setattr(pinned, "VERSIONS", {"faust-streaming": "0.0.1"})
    told = pinned.changes()
    assert len(told) == 3
    assert told[0] == f"faust-streaming is {version('faust-streaming')}, pinned is 0.0.1"
    assert any("Consumer.perform_seek has changed" in line for line in told)
    assert any("Consumer._add_gap is gone; overridden in consumer.py" in line for line in told)
