"""What we rely on inside Faust and aiokafka is as it was when it was pinned.

Asked in a fresh interpreter: in this one the transport may already have put its own classes in
place."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

TELL = "import json; from streams.transport import pinned; print(json.dumps(pinned.changes()))"


def changes(folder: Path, before: str = "") -> list[str]:
    script = folder / "ask.py"
    # A file rather than `-c`: what is asked for is the source of functions.
    script.write_text(f"{before}\n{TELL}\n", encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    told: list[str] = json.loads(done.stdout)
    return told


def test_nothing_that_we_rely_on_has_changed(tmp_path: Path) -> None:
    changed = changes(tmp_path)
    assert not changed, "read what changed before you pin it anew:\n" + "\n".join(changed)


def test_a_change_is_told_with_what_depends_on_it(tmp_path: Path) -> None:
    told = changes(
        tmp_path,
        """
from faust.transport.consumer import Consumer
from streams.transport import pinned

async def perform_seek():
    raise NotImplementedError

Consumer.perform_seek = perform_seek
del Consumer._add_gap
pinned.VERSIONS = {"faust-streaming": "0.0.1"}
""",
    )
    assert len(told) == 3
    assert told[0] == f"faust-streaming is {version('faust-streaming')}, pinned is 0.0.1"
    assert any("Consumer.perform_seek has changed" in line for line in told)
    assert any("Consumer._add_gap is gone; overridden in consumer.py" in line for line in told)
