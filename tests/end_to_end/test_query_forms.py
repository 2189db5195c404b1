"""Statements of every form through a live node: its workers are sandboxed, unlike a test's own."""

from tests.end_to_end.running_node import Node
from tests.unit.query.test_imports import STATEMENTS


def test_every_form_of_statement_is_answered(own_project: Node) -> None:
    """Also as the first statement of its worker."""
    node = own_project
    assert node.send("/v1/ingest", {"event": "a", "properties": {"plan": "x"}}).status_code == 202
    answers = {sql: node.ask(sql) for sql in STATEMENTS}
    refused = {sql: each.text for sql, each in answers.items() if each.status_code != 200}
    assert not refused
    assert node.query("SELECT properties['plan'], event[1:1] FROM events") == [["x", "a"]]
