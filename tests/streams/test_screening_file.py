from pathlib import Path

import pytest

from models.screening import SHIPPED_RULES, Flag
from streams.screening_file import RULES_BYTES_MAX
from streams.settings import Settings, SettingsError, load_settings


def loaded(path: Path) -> Settings:
    return load_settings({"HOTSPOTS_SCREENING_RULES": str(path)}, needs=())


def test_rules_of_a_file_stand_beside_the_shipped_ones(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[labels]\n"带货" = "advertising"\n', "utf-8")
    rules = loaded(path).parameters().screening_rules
    assert set(rules.labels) == {*SHIPPED_RULES.labels, ("带货", Flag.ADVERTISING)}
    assert load_settings({}, needs=()).screening_rules == SHIPPED_RULES


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b'[labels]\na = "b"\n', "label 'a' has the flag 'b'; known are original, imitation"),
        (b"a = \xff", "is not UTF-8: byte 4"),
        (b"#" * (RULES_BYTES_MAX + 1), "is larger than 1,048,576 bytes"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_its_name(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        loaded(path)
    (line,) = caught.value.lines
    assert line.startswith("HOTSPOTS_SCREENING_RULES is wrong")
    assert str(path) in line
    assert said in line
