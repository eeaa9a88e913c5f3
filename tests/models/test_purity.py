import subprocess
import sys

IMPORT_ALL = """
import importlib, pkgutil, sys
import models

names = [module.name for module in pkgutil.walk_packages(models.__path__, "models.")]
for name in names:
    importlib.import_module(name)
print(len(names))
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""
FORBIDDEN = {
    "faust",
    "mode",
    "aiokafka",
    "kafka",
    "redis",
    "valkey",
    "prometheus_client",
    "aiohttp",
    "requests",
    "click",
    "rich",
    "pydantic",
    "pydantic_settings",
    "streams",
}


def test_models_load_nothing_of_how_they_are_run() -> None:
    # A process of its own: this one has loaded all sorts of things already.
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    count, loaded = ended.stdout.splitlines()
    assert int(count) >= 10, "the walk over models/ found next to nothing"
    assert FORBIDDEN.isdisjoint(loaded.split())
