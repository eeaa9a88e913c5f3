import pytest
from splitmix import mixed

from models.comment_sample import NO_SENTIMENT, Reception, SampledComment
from models.highlights import Candidate, best_of, candidates_of, is_reasoned
from models.vocabulary import ROLE_CODE

REASONED = "应该让文物回到它的家乡，因为那里才有懂它的人"


def comment(text: str = REASONED, **said: object) -> SampledComment:
    number = int(str(said.get("number", 1)))
    return SampledComment(
        mixed(number),
        1_000,
        number,
        number,
        ROLE_CODE[str(said.get("role", "ordinary"))],
        int(str(said.get("age_days", -1))),
        NO_SENTIMENT,
        str(said.get("comment_id", f"c{number}")),
        text,
    )


def found(*judged: tuple[SampledComment, float], reception: Reception | None = None) -> list[str]:
    return [one.comment_id for one in candidates_of(judged, reception or Reception())]


def test_a_reasoned_comment_of_an_ordinary_person_may_be_highlighted() -> None:
    assert found((comment(), 0.0)) == ["c1"]


@pytest.mark.parametrize(
    "left_out",
    [
        comment(comment_id=""),
        comment(role="media"),
        comment(role="kol"),
        comment(age_days=2),
        comment("哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈哈"),
        comment("昨天晚上七点半在北京路口看到这辆红色的旧车"),
        comment(REASONED + "，详情加微信"),
        comment(REASONED + " https://example.com"),
    ],
)
def test_who_speaks_for_a_living_or_without_substance_is_left_out(
    left_out: SampledComment,
) -> None:
    assert found((left_out, 0.0)) == []


def test_copied_texts_are_left_out_however_they_are_dotted() -> None:
    copies = [(comment(REASONED + "!" * number, number=number), 0.5) for number in (1, 2)]
    assert found(*copies) == []


def test_a_kind_comment_needs_no_reason_and_a_harsh_one_is_not_shown() -> None:
    kind = comment("看完整部短剧我又想起了小时候外婆讲的故事")
    assert found((kind, 0.6)) == ["c1"]
    assert found((kind, 0.0)) == []
    assert found((comment(), -0.9)) == []


def test_what_its_author_took_back_is_left_out() -> None:
    reception = Reception([(mixed(1), 9, 9, 1)])
    assert found((comment(), 0.5), reception=reception) == []


def candidate(priority: int, likes: int, replies: int, text: str = "") -> Candidate:
    text = text or f"{REASONED}{priority}"
    return Candidate(priority, str(priority), text, 0, 0.5, True, likes, replies)


def test_of_comments_that_say_the_same_only_the_best_is_shown() -> None:
    same = [candidate(1, 2, 0, REASONED), candidate(2, 9, 0, REASONED + "！！")]
    ranked = best_of([*same, candidate(3, 1, 0)], 2)
    assert [one.comment_id for one in ranked] == ["2", "3"]


def test_more_likes_and_replies_rank_higher() -> None:
    ranked = best_of([candidate(1, 0, 0), candidate(2, 50, 0), candidate(3, 50, 8)], 2)
    assert [one.comment_id for one in ranked] == ["3", "2"]


def test_reasons_are_known_by_their_connectives() -> None:
    assert is_reasoned("I agree, because it belongs to them")
    assert not is_reasoned("I agree!!!")
