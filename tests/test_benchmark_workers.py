"""The input of the benchmark of several workers, and what its page says."""

from aiokafka.record.memory_records import MemoryRecords

from benchmarks.page import workers_part
from benchmarks.truth import Difference
from benchmarks.workers import WorkersRun, make_batches, medians
from benchmarks.workload import Workload, columns_of, lines_of

EXACT = Difference(0, 0, 0)


def run_of(workers: int, seconds: float, difference: Difference = EXACT) -> WorkersRun:
    return WorkersRun(workers, 9_000_000, seconds, 2.0, 2 * seconds, difference)


def test_the_batches_hold_every_event_in_the_order_of_its_partition() -> None:
    workload = Workload(events=12_345, videos=50)
    columns = columns_of(workload)
    lines = [line for block in lines_of(workload, columns) for line in block]
    found: list[list[bytes]] = [[] for _ in range(workload.partitions)]
    ahead = []
    for partition, batch in make_batches(workload, columns):
        records = MemoryRecords(bytes(batch._build())).next_batch()  # noqa: SLF001 - as it is sent
        assert records is not None
        found[partition] += [record.value or b"" for record in records]
        ahead.append(max(map(len, found)) - min(map(len, found)))
    assert found == [lines[partition::4] for partition in range(workload.partitions)]
    assert max(ahead) < 2_000, "the partitions advance together"


def test_medians_are_taken_for_each_number_of_workers() -> None:
    runs = [run_of(1, 9.0), run_of(2, 3.0), run_of(1, 10.0), run_of(2, 6.0), run_of(1, 30.0)]
    assert medians(runs, lambda run: run.seconds) == {1: 10.0, 2: 4.5}


def test_the_page_holds_two_workers_against_one_and_hides_no_wrong_count() -> None:
    wrong = Difference(3, 0, 2)
    text = workers_part([run_of(1, 10.0), run_of(2, 8.0, wrong)])
    one, two = text.splitlines()[-2:]
    assert one.split(" | ")[1:] == ["900,000", "100 %", "450,000", "100 %", "20%", "exact |"]
    assert two.split(" | ")[1:] == ["1,120,000", "125 %", "562,000", "125 %", "25%", "3 lost |"]
