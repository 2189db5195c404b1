"""The same seed draws the same events and the same query; a smaller query is a part of it."""

from datetime import UTC, datetime

from tests.differential.drawn_queries import draw_query
from tests.differential.sent_events import Style, draw_batch

SEEDS = range(300)


def test_a_query_is_drawn_again_by_its_seed() -> None:
    """In both languages."""
    assert [draw_query(seed) for seed in SEEDS] == [draw_query(seed) for seed in SEEDS]
    assert len({draw_query(seed).written().weir for seed in SEEDS}) > 0.9 * len(SEEDS)


def test_smaller_queries_come_to_an_end() -> None:
    """Each has less in it than the one before."""
    for seed in SEEDS:
        query, steps = draw_query(seed), 0
        while smaller := next(iter(query.smaller()), None):
            query, steps = smaller, steps + 1
            assert steps < 100


def test_events_are_drawn_again_by_their_seed() -> None:
    """But for claims of the future, which are counted from now."""
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    style = Style("a", is_mixed=True, spells_oddly=True, since=since, until=until, first=0)
    ids = [each.event_id for each in draw_batch(1, style, 50)]
    assert ids == [each.event_id for each in draw_batch(1, style, 50)]
    assert draw_batch(1, style, 50)[0].text != draw_batch(2, style, 50)[0].text
