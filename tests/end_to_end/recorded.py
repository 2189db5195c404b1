"""What must hold of the events that a load has recorded as acknowledged."""

from tests.end_to_end.acknowledged_load import Load
from tests.end_to_end.running_node import Node, wait_until

ROWS_MAX = 50_000


def await_more(load: Load, count: int = 20) -> None:
    """Returns when so many more events have been acknowledged."""
    before = len(load.acknowledged)
    wait_until(
        lambda: len(load.acknowledged) >= before + count, within_s=30, what="acknowledgements"
    )


def assert_all_there(node: Node, load: Load) -> None:
    """Every acknowledged event is found, and none of them twice."""
    sql = "SELECT event_id FROM events WHERE event = 'load'"
    wait_until(lambda: node.ask(sql).status_code == 200, within_s=30, what="queries answered")
    found = [str(row[0]) for row in node.ask(sql, limit=str(ROWS_MAX)).json()["rows"]]
    assert len(found) < ROWS_MAX, "the test compares whole sets"
    assert load.acknowledged <= set(found), "an acknowledged event is missing"
    assert len(found) == len(set(found)), "an event is there twice"
