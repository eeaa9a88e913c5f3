"""The examples in docstrings are run: an example that is wrong is worse than none."""

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import models
import streams

SETTINGS_NEEDED = {"streams.app"}
"""Builds a worker from the environment when imported (Faust wants the app at module level)."""


def names_of(package: ModuleType) -> list[str]:
    return [
        module.name
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
        if module.name not in SETTINGS_NEEDED
    ]


@pytest.mark.parametrize("package", [models, streams], ids=lambda package: package.__name__)
def test_the_examples_in_docstrings_hold(package: ModuleType) -> None:
    results = {name: doctest.testmod(importlib.import_module(name)) for name in names_of(package)}
    assert [name for name, result in results.items() if result.failed] == []
    assert sum(result.attempted for result in results.values()) > 5
