"""How a comment or a danmaku feels about things, from -1 to 1, in Chinese and English.

A lexicon and rules, after VADER [1]: words with a valence, turned round by a negation before them,
made stronger or weaker by words of degree, held back before a "but" and carried by exclamation
marks. English words, emoticons and the names of emoji come from VADER's own lexicon (the package
`vaderSentiment`, of which nothing else is used: its scorer takes 2.5 times as long); Chinese ones
from models/sentiment_words. What the platform says of a comment itself always wins; that is for who
calls (docs/events.md, `sentiment`).

References:
    [1] C. J. Hutto, E. Gilbert, "VADER: A Parsimonious Rule-based Model for Sentiment Analysis of
        Social Media Text", ICWSM 2014: the lexicon, the five heuristics and their empirical
        strengths, and the normalisation.
"""

import math
import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from models.sentiment_words import WORDS

_DEGREE: Final = 0.293
"""What a word of degree adds to the valence of the word behind it [1, heuristic 3]."""

_NEGATED: Final = -0.74
"""What a negation multiplies a valence with [1, heuristic 5]."""

_EXCLAMATION: Final = 0.292
_EXCLAMATIONS_MAX: Final = 4
"""What each exclamation mark adds to the sum, and how many count [1, heuristic 1]."""

_BEFORE_BUT: Final = 0.5
_AFTER_BUT: Final = 1.5
"""How much counts what stands before and behind a "but" [1, heuristic 4]."""

_NORMALISATION: Final = 15.0
"""alpha of score / sqrt(score^2 + alpha), "approximates the maximum expected value" [1]."""

_REACH: Final = 3
"""A negation reaches the third word behind it: that catches nearly 90 % of the cases [1]."""

_REACH_CHARACTERS: Final = 4
"""The same in Chinese, where words are not parted: two words of two characters each, the usual
length."""

_REPEATED: Final = re.compile(r"(.)\1{2,}")
"""Three and more of a kind say no more than two: 哈哈哈哈, soooo."""

_TOKENS: Final = re.compile(
    r"(?P<chinese>[\u4e00-\u9fff]+)|(?P<latin>[a-z]+(?:'[a-z]+)?)|(?P<digits>[0-9]+)"
    r"|(?P<marks>[!！]+)|(?P<stop>[,，.。;；?？\n~～…]+)|(?P<sign>\S)"
)
_EMOTICONS: Final = re.compile(
    r"(?<![a-z0-9])[:;=8x]['\-^]?[()\[\]dpo3/\\|*]+|[<>^t_\-;]{2,3}[_.^<>t3;]?"
)

_LAUGHS: Final = {"233": 2.0, "66": 2.0, "666": 2.0, "88": 0.0}
"""Numbers that stand for a feeling once repetitions are cut to two (233 is the danmaku way to
laugh, 666 to applaud), as plain as the words for it."""

_GOOD: Final = "好"
_GOOD_VALENCE: Final = 1.9
"""`good` in VADER's lexicon. Before another word of feeling it is one of degree."""

_ENGLISH_NEGATIONS: Final = """
not no never none nobody nothing neither nor nowhere without cannot cant can't dont don't doesnt
doesn't didnt didn't isnt isn't arent aren't wasnt wasn't werent weren't wont won't wouldnt
wouldn't couldnt couldn't shouldnt shouldn't hasnt hasn't havent haven't hadnt hadn't aint ain't
hardly rarely seldom
"""
_ENGLISH_MORE: Final = """
very really so too extremely absolutely totally completely incredibly deeply truly most such
quite hugely highly especially
"""
_ENGLISH_LESS: Final = "slightly somewhat barely kinda sorta partly almost"
_ENGLISH_BUTS: Final = "but however yet"
_NEGATIONS: Final = """
不 没 没有 别 无 非 未 莫 勿 不是 不算 并不 并非 毫无 毫不 绝不 决不 谈不上 不会 不能 不要 不够
没啥 沒 沒有 没那么 不那么 不太 不怎么
"""
_MORE: Final = """
很 太 非常 超 超级 最 真 真的 巨 贼 绝对 十分 特别 极 极其 极度 格外 尤其 无比 实在 简直 完全 更
更加 越来越 这么 那么 多么 爆 狂
"""
_LESS: Final = "有点 有点儿 有些 稍微 稍 略 略微 还算 比较 一点"
_BUTS: Final = "但 但是 可是 然而 却 不过 只是 就是"
_PLAIN: Final = """
爱好 爱情 恋爱 爱人 牛奶 牛肉 牛排 牛仔 水果 水平 水饺 香菜 香港 香烟 香蕉 香料 强调 强迫 强行
土豆 土地 破案 破解 错过 干嘛 干什么 干吗 坏人 爽约 贵州 贵族 贵阳 贵姓 富贵 问题不大 不客气
无所谓 不得不 忍不住 不由得 不一会 不仅 不但 不光 不只 不管 不论 无论 非要 非得 别人 别的 别墅
特别是 区别 分别 告别 性别 级别 差别 差不多 出差 时差 误差 没想到 不愧 不愧是 不知不觉 一不小心
对不起 不好意思 好像 好多 好久 好几 好吧 好了 好不容易 好歹 爱国者 坑位 水印 水杯 热水 喝水 薪水
汗水 口水 泪水 淡定 淡淡 硬件 硬盘 软硬 干燥 晒干 饼干 能干 若干 老板 中非 非洲 非遗 未来 未必
未免 无数 无形 无线 期待值 旧书 油画 加油站 石油 酱油 广告牌 顶部 头顶 屋顶 可以说 可以的话
祝大家 最近 最后 最新 太太 太阳 真相 真正 更新 更换 极限 没事 没关系 不同 不断 不久 不少 不必
不然 不止 无限 非遗传承 是不是 好不好 有没有 会不会 能不能 要不要 可不可以
"""
"""Words of no feeling in which one of feeling, or of the rules, would be mistaken for itself."""

TEXTS_REMEMBERED: Final = 4_096
"""Texts whose polarity is remembered, at most 3 MB: people often write the same."""

_NEGATION, _DEGREE_WORD, _BUT, _VALENCE = range(4)

Known = dict[str, tuple[int, float]]
"""What a word does, and how strongly."""


def _rules(negations: str, more: str, less: str, buts: str) -> Known:
    known: Known = dict.fromkeys(more.split(), (_DEGREE_WORD, _DEGREE))
    known |= dict.fromkeys(less.split(), (_DEGREE_WORD, -_DEGREE))
    known |= dict.fromkeys(negations.split(), (_NEGATION, 0.0))
    return known | dict.fromkeys(buts.split(), (_BUT, 0.0))


@cache
def _chinese() -> tuple[Known, dict[str, int]]:
    """Return the Chinese words, and how long the longest is by its first two characters."""
    known: Known = dict.fromkeys(_PLAIN.split(), (_VALENCE, 0.0))
    known |= _rules(_NEGATIONS, _MORE, _LESS, _BUTS)
    known |= {word: (_VALENCE, valence) for word, valence in WORDS.items()}
    known[_GOOD] = (_VALENCE, _GOOD_VALENCE)
    longest: dict[str, int] = {}
    for word in known:
        longest[word[:2]] = max(longest.get(word[:2], 1), len(word))
    return known, longest


@cache
def _english() -> tuple[Known, dict[str, float]]:
    """Return the English words, and the valences of emoticons and emoji."""
    folder = files("vaderSentiment")
    entries = [
        line.split("\t")[:2]
        for line in (folder / "vader_lexicon.txt").read_text("utf-8").splitlines()
        if line.strip()
    ]
    valences = {word.lower(): float(valence) for word, valence in entries}
    known: Known = {
        word: (_VALENCE, valence)
        for word, valence in valences.items()
        if word.isalpha() and len(word) > 1
    }
    known |= {word: (_VALENCE, valence) for word, valence in WORDS.items() if word.isascii()}
    known |= _rules(_ENGLISH_NEGATIONS, _ENGLISH_MORE, _ENGLISH_LESS, _ENGLISH_BUTS)
    signs = {word: v for word, v in valences.items() if not word.isalnum()}
    for line in (folder / "emoji_utf8_lexicon.txt").read_text("utf-8").splitlines():
        emoji, _, name = line.partition("\t")
        if len(emoji) == 1:
            signs[emoji] = sum(valences.get(word, 0.0) for word in name.split())
    return known, signs | {word: valence for word, valence in WORDS.items() if len(word) == 1}


class _Reading:
    """What has been read of one text."""

    __slots__ = ("degree", "negated", "reach", "total", "weight")

    def __init__(self) -> None:
        self.total = 0.0
        self.weight = 1.0
        self.degree = 0.0
        self.negated = False
        self.reach = 0

    def take(self, kind: int, strength: float, reach: int) -> None:
        """Take in a known word; a negation reaches `reach` words or characters."""
        if kind == _VALENCE:
            if strength:
                self.feel(strength)
        elif kind == _NEGATION:
            self.negated = not self.negated
            self.reach = reach
        elif kind == _DEGREE_WORD:
            self.degree = strength
        else:
            self.total *= _BEFORE_BUT
            self.weight = _AFTER_BUT
            self.stop()

    def feel(self, valence: float) -> None:
        """Add a valence, as strong as what stands before it makes it."""
        if self.degree:
            valence += self.degree if valence > 0 else -self.degree
        self.total += self.weight * (valence * _NEGATED if self.negated else valence)
        self.stop()

    def stop(self) -> None:
        """Forget what would change the next word."""
        self.degree = 0.0
        self.negated = False

    def pass_by(self, length: int) -> None:
        """Pass by what says nothing."""
        if self.negated:
            self.reach -= length
            if self.reach <= 0:
                self.negated = False


@lru_cache(maxsize=TEXTS_REMEMBERED)
def polarity(text: str) -> float:  # noqa: C901, PLR0912 - one branch for each kind of token
    """Return how a text feels, -1 (against) to 1 (for); 0 where nothing in it is known to feel.

    >>> polarity("太感动了！看哭了") > 0.7 and polarity("一点都不好看，垃圾") < -0.7
    True
    >>> polarity("I don't like it") < 0 < polarity("love it, not bad at all")
    True
    """
    lowered = _REPEATED.sub(r"\1\1", text.lower())
    reading = _Reading()
    english, signs = _english()
    exclamations = 0
    for found in _TOKENS.finditer(lowered):
        kind, token = found.lastgroup, found.group()
        if kind == "chinese":
            _read_chinese(token, reading)
        elif kind == "latin":
            word = english.get(token)
            if word is None:
                reading.pass_by(1)
            else:
                reading.take(*word, _REACH)
        elif kind == "sign":
            if valence := signs.get(token):
                reading.feel(valence)
        elif kind == "marks":
            exclamations += len(token)
        elif kind == "stop":
            reading.stop()
        elif valence := _LAUGHS.get(token):
            reading.feel(valence)
    if not lowered.isalnum():
        for emoticon in _EMOTICONS.findall(lowered):
            reading.total += signs.get(emoticon, 0.0)
    total = reading.total
    if total and exclamations:
        total += math.copysign(_EXCLAMATION * min(exclamations, _EXCLAMATIONS_MAX), total)
    return total / math.sqrt(total * total + _NORMALISATION)


def _read_chinese(run: str, reading: _Reading) -> None:
    """Read a run of Chinese characters: the longest known word at each place, from the left."""
    known, longest = _chinese()
    at, end, passed = 0, len(run), 0
    while at < end:
        length = longest.get(run[at : at + 2], 1)
        word = known.get(run[at : at + length])
        while word is None and length > 1:
            length -= 1
            word = known.get(run[at : at + length])
        if word is None:
            passed += 1
            at += 1
            continue
        reading.pass_by(passed)
        passed = 0
        if length == 1 and run[at] == _GOOD and _feels(run, at + 1):
            word = (_DEGREE_WORD, _DEGREE)
        reading.take(*word, _REACH_CHARACTERS)
        if word[0] == _VALENCE:
            reading.pass_by(length)
        at += length
    reading.pass_by(passed)


def _feels(run: str, at: int) -> bool:
    """Tell whether a word of feeling begins at a place."""
    known, longest = _chinese()
    if at >= len(run):
        return False
    for length in range(longest.get(run[at : at + 2], 1), 0, -1):
        kind, strength = known.get(run[at : at + length], (_BUT, 0.0))
        if kind == _VALENCE and strength:
            return True
    return False
