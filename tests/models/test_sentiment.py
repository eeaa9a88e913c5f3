import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sentiment import polarity
from models.sentiment_words import WORDS

POSITIVE = [
    "太感动了，看哭了",
    "真的很好看！",
    "破防了，泪目",
    "哈哈哈哈哈",
    "2333333",
    "awsl",
    "一点也不难看",
    "虽然短，但是很精彩",
    "love this so much",
    "not bad at all",
    "👍👍",
    "喜歡，加油",
    "yyds",
    "好美",
    "服务好",
]
NEGATIVE = [
    "太难看了",
    "不喜欢",
    "没有意思，浪费时间",
    "不是很好看",
    "垃圾，取关",
    "画面不错，但是剧情太烂",
    "this is terrible",
    "I don't like it",
    "not good",
    "恶心",
    "有点失望",
]
NEUTRAL = ["", "在大英博物馆拍的", "第三集什么时候", "the second episode", "爱好是牛奶", "12:30"]


@pytest.mark.parametrize("text", POSITIVE)
def test_what_speaks_for_a_thing_is_positive(text: str) -> None:
    assert polarity(text) > 0.05


@pytest.mark.parametrize("text", NEGATIVE)
def test_what_speaks_against_a_thing_is_negative(text: str) -> None:
    assert polarity(text) < -0.05


@pytest.mark.parametrize("text", NEUTRAL)
def test_what_names_no_feeling_is_neutral(text: str) -> None:
    assert polarity(text) == 0.0


@given(st.text(max_size=280))
def test_every_text_has_a_polarity_and_always_the_same(text: str) -> None:
    assert -1.0 < polarity(text) < 1.0
    assert polarity(text) == polarity(text)


@pytest.mark.parametrize("word", ["喜欢", "失望", "good", "awful"])
def test_negation_turns_a_word_round(word: str) -> None:
    negated = f"不{word}" if not word.isascii() else f"not {word}"
    assert polarity(word) * polarity(negated) < 0


def test_a_negation_reaches_no_further_than_its_clause() -> None:
    assert polarity("不，喜欢") > 0
    assert polarity("没有想到这个故事的结尾喜欢") > 0


@pytest.mark.parametrize(
    ("weak", "strong"),
    [("感动", "非常感动"), ("感动", "感动！！"), ("有点感动", "感动"), ("good", "very good")],
)
def test_degree_and_exclamation_make_a_feeling_stronger_or_weaker(weak: str, strong: str) -> None:
    assert 0 < polarity(weak) < polarity(strong)


def test_what_stands_behind_a_but_weighs_more() -> None:
    assert polarity("好看，但是无聊") < 0 < polarity("无聊，但是好看")


def test_two_negations_undo_each_other() -> None:
    assert polarity("不是不感动") > 0


def test_saying_a_thing_more_often_does_not_say_more() -> None:
    assert polarity("哈" * 3) == polarity("哈" * 30)


def test_no_word_stands_on_both_sides() -> None:
    assert {abs(valence) for valence in WORDS.values()} == {1.0, 2.0, 3.0}
    assert all(word == word.lower().strip() for word in WORDS)
