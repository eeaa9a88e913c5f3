"""Which Java is chosen, and what is said when there is none that will do."""

from pathlib import Path

import pytest

from streams.local.errors import LocalServerError, Reason
from streams.local.java import choose_java, find_java, java_environment, java_version, wheel_java


def fake_java(directory: Path, first_line: str, code: int = 0) -> Path:
    """Make a program that says its version as a Java does: on standard error."""
    path = directory / "bin" / "java"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\necho '{first_line}' >&2\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("line", "major"),
    [
        ('java version "1.8.0_392"', 8),
        ('openjdk version "11.0.21" 2023-10-17', 11),
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16 LTS', 25),
        ("Unable to locate a Java Runtime.", None),
    ],
)
def test_versions_are_read_as_they_are_written(
    tmp_path: Path, line: str, major: int | None
) -> None:
    assert java_version(fake_java(tmp_path, line)) == major


def test_what_fails_is_no_java(tmp_path: Path) -> None:
    assert java_version(fake_java(tmp_path, 'openjdk version "17"', code=1)) is None
    assert java_version(tmp_path / "nothing") is None


def test_java_home_comes_before_path_and_path_before_the_wheel(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "home", 'openjdk version "17.0.1"')
    path = fake_java(tmp_path / "path", 'openjdk version "21.0.1"')
    wheel = fake_java(tmp_path / "wheel", 'openjdk version "25.0.1"')
    environment = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(path.parent)}
    assert find_java(environment, wheel).path == home
    del environment["JAVA_HOME"]
    assert find_java(environment, wheel).path == path
    assert find_java({}, wheel).path == wheel


def test_an_old_system_java_gives_way_to_the_wheel(tmp_path: Path) -> None:
    old = fake_java(tmp_path / "old", 'openjdk version "11.0.21"')
    wheel = fake_java(tmp_path / "wheel", 'openjdk version "25.0.1"')
    assert find_java({"PATH": str(old.parent)}, wheel).major == 25


def test_only_an_old_java_is_an_error_that_names_it(tmp_path: Path) -> None:
    old = fake_java(tmp_path, 'openjdk version "11.0.21"')
    for choose in (
        lambda: find_java({"PATH": str(old.parent)}, None),
        lambda: choose_java(old, {}),
    ):
        with pytest.raises(LocalServerError, match="Java 11 is too old") as caught:
            choose()
        assert caught.value.reason is Reason.JAVA_TOO_OLD
        assert str(old) in str(caught.value)


def test_no_java_at_all_is_an_error() -> None:
    with pytest.raises(LocalServerError, match="there is no Java") as caught:
        find_java({"PATH": "/nowhere"}, None)
    assert caught.value.reason is Reason.JAVA_MISSING
    assert "hotspots[local]" in caught.value.remedy


def test_the_wheel_brings_a_java_that_will_do() -> None:
    wheel = wheel_java()
    assert wheel is not None
    assert find_java({}, wheel).major >= 17


def test_options_from_outside_do_not_reach_our_java() -> None:
    theirs = {"JAVA_TOOL_OPTIONS": "-Xmx8g", "JDK_JAVA_OPTIONS": "-Xmx8g", "PATH": "/bin"}
    assert java_environment(theirs) == {"PATH": "/bin"}
