import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.screening import (
    MOST_LABELS,
    MOST_PATTERNS,
    SHIPPED_RULES,
    Flag,
    Screened,
    ScreeningRules,
    ScreeningRulesError,
    cautions,
)

OWN = """
[labels]
"带货" = "advertising"
original = "none"

[[titles]]
pattern = "加微信|私信(下单|购买)"
flag = "advertising"

[[titles]]
pattern = "真的吗？"
flag = "vulgarity"
"""


def flags(rules: ScreeningRules, *labels: str, title: str = "") -> list[str]:
    return [found.flag.value for found in rules.screen(labels, title)]


def test_labels_give_flags_whatever_their_case_and_width() -> None:
    assert flags(SHIPPED_RULES, "music", "ＡＤＶＥＲＴ") == ["advertising"]
    assert flags(SHIPPED_RULES, "低俗", "original") == ["original", "vulgarity"]
    assert flags(SHIPPED_RULES, "adverts", title="an advert, original and 低俗") == []


def test_own_rules_add_to_the_shipped_ones_and_may_take_one_away() -> None:
    rules = ScreeningRules.parse(OWN)
    assert flags(rules, "带货", "原创") == ["original", "advertising"]
    assert flags(rules, "original") == []
    assert flags(rules, title="喜欢的加微信") == ["advertising"]
    assert flags(rules, title="喜欢的加 微信") == []


def test_a_pattern_is_looked_for_in_the_title_as_it_is_and_normalised() -> None:
    rules = ScreeningRules.parse(OWN + '[[titles]]\npattern = "buy now"\nflag = "advertising"')
    assert flags(rules, title="真的吗？！") == ["vulgarity"]
    assert flags(rules, title="ＢＵＹ　ＮＯＷ") == ["advertising"]


def test_a_flag_is_told_once_with_its_first_reason() -> None:
    rules = ScreeningRules.parse(OWN)
    (found,) = rules.screen(("Advert", "带货"), "加微信")
    assert found.figures() == {
        "flag": "advertising",
        "by": "label",
        "rule": "Advert",
        "why": "the platform labels it “Advert”",
    }
    (by_title,) = rules.screen((), "加微信")
    assert by_title.why == "its title has “加微信|私信(下单|购买)”"


def test_what_is_original_needs_no_caution() -> None:
    assert cautions([Screened(Flag.ORIGINAL, "label", "original")]) == ""
    named = cautions([Screened(flag, "label", "x") for flag in reversed(Flag)])
    assert named == "Look at it first: it is flagged (imitation, advertising, vulgarity)."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("labels =", "it is not TOML"),
        ("[label]", "the file has 'label'; known are labels, titles"),
        ("labels = 1", "labels is no table"),
        ("[labels]\nx = 1", "label 'x' has the flag 1; known are original, imitation"),
        ('[labels]\nAD = "advertising"\nad = "none"', "label 'ad' is empty, or there twice"),
        ('[labels]\n" " = "advertising"', "is empty"),
        ("titles = 1", r"write \[\[titles\]\]"),
        ('[[titles]]\nflag = "original"', "title pattern 1 needs a pattern of 1 to 512"),
        ('[[titles]]\npattern = "x"', "title pattern 1 has the flag None"),
        ('[[titles]]\npattern = "x"\nflags = 1', "title pattern 1 has 'flags'"),
        ('[[titles]]\npattern = "("\nflag = "original"', "be used: unclosed group"),
        ('[[titles]]\npattern = "(?=a)"\nflag = "original"', "look-around"),
        ('[[titles]]\npattern = "a*"\nflag = "original"', "is found in every title: 'a\\*'"),
    ],
)
def test_rules_that_cannot_be_used_are_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(ScreeningRulesError, match=said):
        ScreeningRules.parse(text)


def test_rules_without_end_are_refused() -> None:
    many = "\n".join(f'x{i} = "original"' for i in range(MOST_LABELS + 1))
    with pytest.raises(ScreeningRulesError, match="more than 1024 labels"):
        ScreeningRules.parse(f"[labels]\n{many}")
    with pytest.raises(ScreeningRulesError, match="more than 64 patterns"):
        ScreeningRules.parse('[[titles]]\npattern = "x"\nflag = "original"\n' * (MOST_PATTERNS + 1))


@given(labels=st.lists(st.text(max_size=8), max_size=6), title=st.text(max_size=40))
def test_any_title_and_labels_can_be_screened(labels: list[str], title: str) -> None:
    found = ScreeningRules.parse(OWN).screen(tuple(labels), title)
    order = list(Flag)
    assert [order.index(one.flag) for one in found] == sorted({order.index(f.flag) for f in found})
    for one in found:
        assert one.rule in labels or one.by == "title"
