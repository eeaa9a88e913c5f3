from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from told_reports import report_of

from models.decided_rows import Part, in_order

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "video": st.sampled_from(["a", "b", "ü", "\U0001f600", "￮"]),
            "bucket": st.integers(3, 6),
            "views": st.integers(0, 10**6),
            "profile": st.none() | st.fixed_dictionaries({"title": st.text(max_size=2)}),
            "explanation": st.none() | st.fixed_dictionaries({"model": st.text(max_size=2)}),
            "transitions": st.lists(st.fixed_dictionaries({"n": st.integers(0, 9)}), max_size=2),
        }
    ),
    max_size=8,
).map(lambda rows: sorted(rows, key=lambda row: row["bucket"]))


@given(said=st.lists(ROWS, max_size=4), cuts=st.data(), buckets=st.sampled_from([1, 2, 100]))
def test_rows_come_by_bucket_and_key_each_with_what_is_said_of_it(
    said: list[list[dict[str, Any]]], cuts: st.DataObject, buckets: int
) -> None:
    parts, chosen = [], list[dict[str, Any]]()
    for rows in said:
        first = cuts.draw(st.integers(0, len(rows)))
        end = cuts.draw(st.integers(first, len(rows)))
        parts.append(Part(report_of(*rows), first, end))
        chosen += rows[first:end]
    chosen.sort(key=lambda row: (row["bucket"], row["video"].encode()))
    decided = in_order(parts)
    assert [decided.keys[number] for number in decided.video] == [row["video"] for row in chosen]
    assert decided.keys == sorted({row["video"] for row in chosen})
    for name in ("bucket", "views"):
        assert decided.rows[name].tolist() == [row[name] for row in chosen]
    profiles = {i: row["profile"] for i, row in enumerate(chosen) if row["profile"]}
    assert decided.profiles == profiles
    happened = {i: row["transitions"] for i, row in enumerate(chosen) if row["transitions"]}
    assert decided.transitions == happened
    explained = {i: row["explanation"] for i, row in enumerate(chosen) if row["explanation"]}
    assert decided.explanations == explained
    runs = list(decided.runs(buckets))
    assert [row for first, end in runs for row in range(first, end)] == list(range(len(chosen)))
    spans = [{row["bucket"] // buckets for row in chosen[first:end]} for first, end in runs]
    assert all(len(span) == 1 for span in spans)
    assert len(set[int]().union(*spans)) == len(spans)
