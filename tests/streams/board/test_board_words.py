"""The page has a word for all that alerts are made of, in both languages."""

import re
from enum import StrEnum

import pytest

from models.alerts import AlertType
from models.guidance_rules import GuidanceLevel
from models.vocabulary import Juncture, Role, Route, Stage, State
from streams.board.server import PAGE

WORDS = (PAGE / "words.js").read_text("utf-8")
CHINESE = WORDS.split("const VOCABULARY")[1].split("zh: {")[1]


def words_of(kind: type) -> list[str]:
    if issubclass(kind, StrEnum):
        return [one.value for one in kind]
    return [one.name.lower() for one in kind]  # type: ignore[attr-defined]  # an enumeration


@pytest.mark.parametrize("kind", [AlertType, GuidanceLevel, Juncture, Role, Route, Stage, State])
def test_every_term_has_its_chinese(kind: type) -> None:
    known = set(re.findall(r'"?([\w.]+)"?: "', CHINESE))
    assert set(words_of(kind)) <= known


def test_both_languages_have_the_same_phrases() -> None:
    english, chinese = WORDS.split("const WORDS")[1].split("const VOCABULARY")[0].split("zh: {")
    phrases = [re.findall(r'(\w+): "', part) for part in (english, chinese)]
    assert sorted(phrases[0]) == sorted(phrases[1])
    assert len(set(phrases[0])) == len(phrases[0]) > 50
    others = [path for path in PAGE.iterdir() if path.name != "words.js"]
    said = "\n".join(path.read_text("utf-8") for path in others)
    # Names of themes are put together.
    plain = [one for one in phrases[0] if not one.startswith("theme_")]
    assert [one for one in plain if not re.search(rf'["`]{one}["`]', said)] == []
