"""What is discovered over all partitions: by definition, and whoever tells it in whatever order."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from models.discoveries import Discoveries
from models.epoch_evidence import Candidate, EpochEvidence
from models.parameters import Parameters

RATE = 0.1
PARAMETERS = Parameters(false_discovery_rate=RATE, board_size=2)


def candidates_of(logs: list[float]) -> list[Candidate]:
    return [Candidate(f"p\x1fv{at:03d}", log, at % 4, f"t{at}") for at, log in enumerate(logs)]


def judged(*told: EpochEvidence, through: int = 7) -> Discoveries:
    known = Discoveries(PARAMETERS)
    for one in told:
        known.note(one)
    known.pass_through(through)
    return known


@given(st.lists(st.floats(2.31, 12), max_size=40), st.integers(0, 500))
def test_as_many_are_discovered_as_the_definition_says(logs: list[float], silent: int) -> None:
    tested = max(len(logs) + silent, 1)
    enough = [
        k for k in range(1, len(logs) + 1) if sorted(logs)[-k] >= math.log(tested / (RATE * k))
    ]
    known = judged(EpochEvidence(7, tested, candidates_of(logs)))
    least = math.log(tested / (RATE * max(enough))) if enough else math.inf
    expected = {one.video for one in candidates_of(logs) if one.log_e_value >= least}
    if not any(abs(log - least) < 1e-9 for log in logs):
        assert set(known.videos) == expected


@given(
    st.lists(st.tuples(st.floats(2.31, 12), st.integers(0, 2)), max_size=30),
    st.permutations(range(3)),
)
def test_it_does_not_matter_which_partition_tells_what_and_when(
    said: list[tuple[float, int]], order: list[int]
) -> None:
    candidates = candidates_of([log for log, _ in said])
    parts = [
        EpochEvidence(
            7, 40 + number, [c for c, (_, p) in zip(candidates, said, strict=True) if p == number]
        )
        for number in range(3)
    ]
    whole = judged(EpochEvidence(7, 123, candidates))
    spread = judged(*(parts[number] for number in order))
    assert spread.to_bytes() == whole.to_bytes()
    assert spread.to_board() == whole.to_board()


def test_an_epoch_is_judged_once_and_only_when_it_is_over() -> None:
    strong = EpochEvidence(7, 10, [Candidate("p\x1fv", 9.0, 2, "t")])
    known = judged(strong, through=6)
    assert (known.of("p\x1fv"), known.to_board()) == ({}, {})
    known.pass_through(7)
    assert known.of("p\x1fv") == {
        "discovery": {
            "from": "1970-01-02T18:00:00.000Z",
            "until": "1970-01-03T00:00:00.000Z",
            "false_discovery_rate": RATE,
            "tested": 10,
            "discovered": 1,
            "log_threshold": 4.61,
            "signal": "interaction",
            "log_e_value": 9.0,
            "epochs_in_a_row": 1,
        }
    }
    known.note(strong)
    known.pass_through(7)
    assert (known.tested, known.take_count(), known.take_count()) == (10, 1, 0)


def test_epochs_in_a_row_are_counted_and_an_epoch_without_any_ends_them() -> None:
    known = Discoveries(PARAMETERS)
    in_a_row = []
    for epoch, log in [(7, 9.0), (8, 9.0), (9, 3.0), (10, 9.0), (12, 9.0)]:
        known.note(EpochEvidence(epoch, 10, [Candidate("p\x1fv", log, 0, "")]))
        known.pass_through(epoch)
        in_a_row.append(known.in_a_row.get("p\x1fv", 0))
    assert in_a_row == [1, 2, 0, 1, 1]
    known.pass_through(14)
    assert (known.tested, known.videos, known.of("p\x1fv")) == (0, {}, {})


def test_the_board_shows_the_strongest_and_says_how_many_there_are() -> None:
    board = judged(EpochEvidence(7, 3, candidates_of([6.0, 8.0, 7.0]))).to_board()
    assert [(one["video_id"], one["title"]) for one in board["videos"]] == [
        ("v001", "t1"),
        ("v002", "t2"),
    ]
    assert (board["discovered"], board["tested"]) == (3, 3)
    json.dumps(board)


def test_a_restart_knows_the_same() -> None:
    known = judged(EpochEvidence(7, 3, candidates_of([6.0, 8.0, 7.0])))
    again = Discoveries(PARAMETERS)
    again.load_bytes(known.to_bytes())
    assert again.to_board() == known.to_board()
    for one in (known, again):
        one.note(EpochEvidence(8, 3, candidates_of([6.0])))
        one.pass_through(8)
    assert again.to_bytes() == known.to_bytes()
    assert again.in_a_row == {"p\x1fv000": 2}
