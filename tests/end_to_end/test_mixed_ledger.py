"""The ledger balances over a random mix of all dialects, with restarts, and says what was told."""

import json
import random
from functools import partial
from typing import Any

import httpx
import pytest

from tests.end_to_end.mixed_load import Book, MixedLoad, Sent, new_seed, plan_mix
from tests.end_to_end.running_node import Node, StartNode, wait_until

ROWS_MAX = 50_000
QUOTA = 12
LOSSES = ("dead_lettered", "quarantined", "lost", "in_flight")
REQUESTS_PER_MINUTE = 3


def test_ledger_balances_over_a_mix_of_all_dialects_and_restarts(start_node: StartNode) -> None:
    """What was accepted is in SQL once; the counts are those that the answers told."""
    _play(start_node, seed=new_seed(), requests=60, restarts=2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [new_seed() for _ in range(3)], ids=["first", "second", "third"])
def test_ledger_balances_over_many_restarts(start_node: StartNode, seed: int) -> None:
    """The same with twenty restarts, and other requests each time."""
    _play(start_node, seed=seed, requests=1500, restarts=20)


def _play(start_node: StartNode, *, seed: int, requests: int, restarts: int) -> None:
    words = f"seed {seed}"
    node = start_node(workers=2, cut_age_s=0.3)
    killed: set[int] = set()

    def restart() -> None:
        if load.run % 2:
            assert node.stop() == 0, words
        else:
            killed.add(load.run)
            node.kill_all()
        load.run += 1
        node.start()

    plan: list[Sent | None] = [*plan_mix(seed, requests)]
    for place in random.Random(seed).sample(range(len(plan) // 10, len(plan)), restarts):
        plan.insert(place, None)
    keys = _make_keys(node)
    load = MixedLoad(plan, node.url, keys=keys, endpoint=_endpoint(node), restart=restart)
    load.send_all(within_s=60 + 30 * restarts)
    book = load.book
    assert {status for _, status in book.statuses} >= {200, 202, 400, 401, 429}, words
    # The counts of refusals that a worker has not yet written down die with it.
    rejected = range(book.rejected(without=killed), book.rejected() + book.rejected_maybe + 1)
    wait_until(partial(_is_settled, node, book, rejected[0]), within_s=60, what=f"counts, {words}")
    stored = len(_check_main(_ids(node, node.key), book, words))
    stored += len(_check_small(_ids(node, keys["small"]), book, words))
    told = _ledger(node)
    counts = told["keys"]
    assert told["balance"] == 0, (words, told)
    assert counts["received"] == counts["accepted"] + counts["rejected"], (words, told)
    assert counts["rejected"] in rejected, (words, told, rejected)
    assert 0 <= counts["accepted"] - book.accepted <= book.accepted_maybe, (words, told)
    assert counts["stored"] == stored, (words, told)
    assert counts["duplicate"] == counts["accepted"] - stored, (words, told)
    assert not any(any(told[who][name] for who in ("keys", "nobody")) for name in LOSSES), words
    assert _used(node) == stored, words


def _is_settled(node: Node, book: Book, rejected: int) -> bool:
    """All that was told has been counted, and has its outcome."""
    counts = _ledger(node)["keys"]
    is_counted = counts["accepted"] >= book.accepted and counts["rejected"] >= rejected
    return bool(is_counted and not counts["in_flight"])


def _check_main(found: list[str], book: Book, words: str) -> list[str]:
    """Each accepted id is there once; the others are the node's, of events that had none."""
    assert len(found) == len(set(found)), words
    assert book.taken["main"] <= set(found), words
    own = len(set(found) - book.taken["main"] - book.perhaps["main"])
    assert book.nameless <= own <= book.nameless + book.nameless_maybe, words
    return found


def _check_small(found: list[str], book: Book, words: str) -> list[str]:
    """Where the quota ended it, nothing is there that was refused."""
    assert len(found) == len(set(found)), words
    assert book.taken["small"] <= set(found), words
    assert set(found) <= book.taken["small"] | book.perhaps["small"], words
    return found


def _ledger(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_weir(node, "ledger", "--json"))
    return found


def _ids(node: Node, key: str) -> list[str]:
    answer = httpx.get(
        node.url + "/v1/query",
        params={"q": "SELECT event_id FROM events", "limit": str(ROWS_MAX)},
        headers={"X-API-Key": key},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    rows = answer.json()["rows"]
    assert len(rows) < ROWS_MAX, "the test compares whole sets"
    return [str(row[0]) for row in rows]


def _used(node: Node) -> int:
    listed = json.loads(_weir(node, "tenants", "list", "--json"))
    return sum(tenant["events_this_month"] for tenant in listed)


def _endpoint(node: Node) -> str:
    listed = json.loads(_weir(node, "projects", "list", "--json"))
    [endpoint] = [str(each["endpoint"]) for each in listed if each["tenant"] == "default"]
    return endpoint


def _make_keys(node: Node) -> dict[str, str]:
    """A key for each kind of sender, and a tenant with a small quota."""
    _weir(node, "tenants", "create", "small", "--events-per-month", str(QUOTA))
    _weir(node, "projects", "create", "theirs", "--tenant", "small")
    small = ("--tenant", "small", "--project", "theirs", "--scopes", "ingest,query")
    theirs = _weir(node, "keys", "create", *small).strip()
    revoked = json.loads(_weir(node, "keys", "create", "--json"))
    _weir(node, "keys", "revoke", revoked["id"])
    return {
        "main": node.key,
        "public": node.public_key,
        "small": theirs,
        "limited": _weir(
            node, "keys", "create", "--requests-per-minute", str(REQUESTS_PER_MINUTE)
        ).strip(),
        "revoked": revoked["key"],
        "unknown": "nobody-knows-this-key",
    }


def _weir(node: Node, *arguments: str) -> str:
    done = node.weir(*arguments, "--data", str(node.directory))
    assert done.returncode == 0, done.stderr
    return done.stdout
