"""Machine code that is kept must never outlive a change of what it was made of."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LEAF = """
from models.compiled import inlined

TWICE = {factor}

@inlined
def scaled(number):
    return TWICE * number + {added}
"""
ROOT = """
import numpy as np
{imported}
from models.compiled import compiled

@compiled
def total(numbers):
    found = 0
    for at in range(numbers.size):
        found += below(numbers[at])
    return found

@compiled
def below(number):
    return {called}(number)

print(total(np.arange(4)), sum(total.stats.cache_hits.values()))
"""
REPOSITORY = Path(__file__).parents[2]


def run(directory: Path, *, factor: int, added: int) -> str:
    (directory / "leaf.py").write_text(LEAF.format(factor=factor, added=added), "utf-8")
    ended = subprocess.run(
        [sys.executable, "-B", "root.py"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "NUMBA_DISABLE_JIT": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return ended.stdout.strip()


@pytest.mark.parametrize(
    ("imported", "called"),
    [("from leaf import scaled", "scaled"), ("import leaf", "leaf.scaled")],
)
def test_code_is_kept_until_a_function_or_number_of_another_file_changes(
    tmp_path: Path, imported: str, called: str
) -> None:
    (tmp_path / "root.py").write_text(ROOT.format(imported=imported, called=called), "utf-8")
    assert run(tmp_path, factor=2, added=0) == "12 0"
    assert run(tmp_path, factor=2, added=0) == "12 1"
    assert run(tmp_path, factor=3, added=0) == "18 0"
    assert run(tmp_path, factor=3, added=1) == "22 0"
