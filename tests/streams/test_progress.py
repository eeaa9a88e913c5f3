import io

from rich.console import Console

from streams.progress import PLAIN_INTERVAL_S, progress, say


class Clock:
    """Moves only when told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def plain() -> tuple[Console, io.StringIO]:
    text = io.StringIO()
    return Console(file=text, width=200), text


def test_without_a_terminal_a_line_is_written_now_and_then_and_at_the_end() -> None:
    console, text = plain()
    clock = Clock()
    with progress("sending [x]", 200, unit="events", console=console, clock=clock) as steps:
        for _ in range(4):
            steps.advance(10)
            clock.now_s += PLAIN_INTERVAL_S / 2
        steps.describe("flushing")
        steps.advance(60)
        steps.advance(100)
    assert text.getvalue().splitlines() == [
        "sending [x]: 30 of 200 events (15 %), 5 s",
        "flushing: 100 of 200 events (50 %), 10 s",
        "flushing: 200 of 200 events (100 %), 10 s",
    ]


def test_the_last_line_is_not_said_twice() -> None:
    console, text = plain()
    clock = Clock()
    with progress("reading", 5, console=console, clock=clock) as steps:
        clock.now_s += PLAIN_INTERVAL_S
        steps.advance(5)
    assert text.getvalue() == "reading: 5 of 5 (100 %), 5 s\n"


def test_a_total_that_nobody_knows_is_left_out() -> None:
    console, text = plain()
    with progress("reading", console=console, clock=Clock()) as steps:
        steps.advance(1_234_567)
    assert text.getvalue() == "reading: 1,234,567, 0 s\n"


def test_on_a_terminal_a_bar_moves() -> None:
    text = io.StringIO()
    console = Console(file=text, width=120, force_terminal=True)
    with progress("sending [x]", 50, unit="events", console=console) as steps:
        steps.advance(50)
        steps.describe("done [y]")
    assert "done [y]" in text.getvalue()
    assert "100%" in text.getvalue()
    assert "50 events" in text.getvalue()


def test_what_is_said_is_taken_literally() -> None:
    console, text = plain()
    say("starting [bold]Kafka[/bold] on 127.0.0.1:9092", console)
    assert text.getvalue() == "starting [bold]Kafka[/bold] on 127.0.0.1:9092\n"
