"""Following events: each once, whatever the answers overlap."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from weir.cli.events.following import Following, Page, Row
from weir.cli.events.tail import as_line


def row(number: int, received_at_us: int) -> Row:
    """An event of its own."""
    return Row(received_at_us, f"{number}", f"id-{number}", "e", None, None, "{}")


def test_lines_for_a_person_show_another_day_and_ids_on_request() -> None:
    """The time alone is enough for today."""
    event = Row(1_700_000_000_123_456, "1", "id-1", "buy", None, "anon", "{}")
    day = date(2023, 11, 14)
    assert as_line(event, today=day, with_id=False) == "22:13:20.123  buy  anon  {}\n"
    tomorrow = date(2023, 11, 15)
    line = as_line(event, today=tomorrow, with_id=True)
    assert line == "2023-11-14 22:13:20.123  id-1  buy  anon  {}\n"


def test_questions_begin_at_the_watermark() -> None:
    """That of the last answer, and never an earlier one."""
    following = Following(from_us=5)
    following.fresh(Page([], truncated=False, watermark_us=9))
    assert following.from_us == 9
    following.fresh(Page([], truncated=False, watermark_us=7))
    assert following.from_us == 9


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 60)), max_size=20),
    st.integers(2, 6),
)
def test_every_event_is_shown_once(
    times: list[int], answers: list[tuple[int, int]], page_rows: int
) -> None:
    """However slowly the watermark moves, and however small an answer is.

    An answer holds everything before its watermark, and some events beyond it.
    """
    events = sorted(
        (row(n, at) for n, at in enumerate(times)), key=lambda each: each.received_at_us
    )
    following = Following(from_us=0)
    shown: list[str] = []
    watermark = 0
    steps = [*answers, *[(60, 60)] * (len(events) + 1)]
    for moved, beyond in steps:
        watermark += moved
        begin = following.from_us
        visible = [
            each
            for each in events
            if begin <= each.received_at_us < max(watermark, min(beyond, 51))
        ]
        same = [e for e in visible if e.received_at_us == visible[0].received_at_us]
        size = max(page_rows, len(same) + 1)
        page = Page(visible[:size], len(visible) > size, watermark)
        shown += [each.event_id for each in following.fresh(page)]
    assert sorted(shown) == sorted(each.event_id for each in events)
