"""Freed memory goes back to the system, also from between what is in use."""

import ctypes
import subprocess
import sys

import pytest

PROGRAM = """
from pathlib import Path
from streams.free_memory import give_back_free_memory

def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6

blocks = [bytearray(60_000) for _ in range(2_000)]
in_use = blocks[-1]
blocks.clear()
before = resident_mb()
give_back_free_memory()
print(before - resident_mb())
"""


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library has no malloc_trim"
)
def test_what_was_freed_below_what_is_in_use_is_given_back() -> None:
    """In a process of its own: it has one memory."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    assert float(done.stdout) > 100
