"""The client beside a real node: what is killed, who is killed, every event is stored once."""

import asyncio
import os
import re
import threading
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tests.clients.client_program import run_program, start_program
from tests.end_to_end.running_node import Node, StartNode, memory_of, wait_until
from weir_client import AsyncWeirClient, Loss, Options, WeirClient

QUICK = Options(batch_age_s=0.05, backoff_s=0.05, backoff_s_max=0.5, close_timeout_s=300)
PENDING_MAX = 10_000


def _stored(node: Node) -> tuple[object, object]:
    [[rows, ids]] = node.query("SELECT count(*), count(DISTINCT event_id) FROM events")
    return rows, ids


def _assert_stored_once(node: Node, ids: set[str]) -> None:
    """Every id is a row, no id is two, and the ledger has no gap."""
    expected = (len(ids), len(ids))
    wait_until(lambda: _stored(node) == expected, within_s=30, what=f"{len(ids)} events in SQL")
    assert _ids(node) == ids
    assert _ledger_balance(node) == 0


def _ids(node: Node) -> set[str]:
    """Of all rows, however many: in parts that fit into an answer."""
    rows, _ = _stored(node)
    parts = 1 + int(str(rows)) // 40_000
    found: set[str] = set()
    for part in range(parts):
        sql = f"SELECT event_id FROM events WHERE hash(event_id) % {parts} = {part}"
        answer = node.ask(sql, limit="50000").json()
        assert not answer["meta"]["truncated"]
        found.update(row[0] for row in answer["rows"])
    return found


def _ledger_balance(node: Node) -> object:
    answer = httpx.get(
        node.url + "/v1/ledger", params={"by": "total"}, headers=node.headers, timeout=20
    )
    return answer.json()["balance"]


def _survive(start_node: StartNode, directory: Path, *, kills: int, events_between: int) -> None:
    """Two clients send while their node is killed and started; then all is counted."""
    node = start_node(inflated_bytes_max=40_000, cut_age_s=1)
    losses: list[Loss] = []
    clients = [
        WeirClient(node.url, node.key, spool=directory, on_loss=losses.append, options=QUICK),
        WeirClient(node.url, node.key, on_loss=losses.append, options=QUICK),
    ]
    ids: set[str] = set()

    def send(client: WeirClient, stop: threading.Event) -> None:
        while not stop.wait(0.001):
            if client.stats().pending < PENDING_MAX:  # however long the node takes to start
                ids.add(client.track("load", {"text": "x" * 100}, user_id="u"))

    stop = threading.Event()
    threads = [threading.Thread(target=send, args=(client, stop)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        for _ in range(kills):
            _wait_for_more(clients, events_between)
            node.kill_all()
            _wait_for_retry(clients[0])
            node.start()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [client.close() for client in clients] == [True, True]
    assert losses == []
    _assert_stored_once(node, ids)


def _wait_for_more(clients: list[WeirClient], events: int) -> None:
    """Until each client has delivered so many more."""
    wanted = [client.stats().delivered + events for client in clients]
    wait_until(
        lambda: all(
            client.stats().delivered >= count for client, count in zip(clients, wanted, strict=True)
        ),
        within_s=60,
        what="more events delivered",
    )


def _wait_for_retry(client: WeirClient) -> None:
    retries = client.stats().retries
    wait_until(lambda: client.stats().retries > retries, within_s=30, what="a retry")


def test_a_node_killed_while_clients_send_gets_every_event_once(
    start_node: StartNode, tmp_path: Path
) -> None:
    """From memory and from a spool, with requests that the node finds too large besides."""
    _survive(start_node, tmp_path / "spool", kills=1, events_between=100)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_node_killed_for_a_minute_gets_every_event_once(
    start_node: StartNode, tmp_path: Path
) -> None:
    """The same twenty times over."""
    _survive(start_node, tmp_path / "spool", kills=20, events_between=400)


PROGRAM = """if True:
    import sys
    from weir_client import Options, WeirClient
    client = WeirClient(*sys.argv[1:3], spool=sys.argv[3], options=Options(batch_age_s=0.02))
    for number in range(int(sys.argv[4])):
        print(client.track("step", {"number": number}), flush=True)
    sys.exit(0 if client.close(300) else 1)
"""


def test_a_program_killed_in_a_loop_loses_and_doubles_nothing(
    start_node: StartNode, tmp_path: Path
) -> None:
    """SIGKILL in the middle of its work, with a node that takes events meanwhile, three times."""
    node = start_node()
    ids: list[str] = []
    for lines in (1, 150, 700):
        program = start_program(PROGRAM, node.url, node.key, tmp_path, 100_000)
        assert program.stdout is not None
        ids += [program.stdout.readline().strip() for _ in range(lines)]
        program.kill()
        ids += program.stdout.read().split("\n")[:-1]
        program.communicate(timeout=120)
    program = start_program(PROGRAM, node.url, node.key, tmp_path, 3)
    ids += program.communicate(timeout=400)[0].split()
    assert program.returncode == 0
    wait_until(
        lambda: set(ids) <= _ids(node),
        within_s=30,
        what=f"{len(ids)} events in SQL",
    )
    rows, distinct = _stored(node)
    assert rows == distinct
    assert len(ids) <= int(str(rows)) <= len(ids) + 3  # taken in the moment of a kill, not printed
    assert _ledger_balance(node) == 0


def test_every_field_arrives_as_it_was_given(own_project: Node) -> None:
    """Names, people, properties, contexts and times, in SQL."""
    losses: list[Loss] = []
    with WeirClient(
        own_project.url, own_project.key, context={"app": "shop"}, on_loss=losses.append
    ) as client:
        client.track(
            "order",
            {"plan": "pro", "lines": [1, {"a": None}], "name": "Zoë 🎉"},
            user_id="u_1",
            anonymous_id="a_1",
            session_id="s_1",
            ts="2026-03-01T10:00:00+01:00",
            context={"os": "linux"},
        )
        client.identify("u_1", {"plan": "pro"})
        client.page("home")
        client.send({"event": "mine", "event_id": "order-7", "extra": 1})
        bad = client.track("order", ts="never")
        assert client.flush(120)
    [loss] = losses
    assert (loss.event_id, loss.code, loss.name) == (bad, "validation.format", "order")
    assert loss.field == "ts"
    assert loss.message.startswith("ts must be ")
    columns = "event, user_id, anonymous_id, session_id, properties, context, epoch(ts)"
    sql = f"SELECT {columns} FROM events WHERE event = 'order'"
    wait_until(lambda: len(own_project.query(sql)) == 1, within_s=20, what="the order in SQL")
    [[*people, properties, context, ts]] = own_project.query(sql)
    assert people == ["order", "u_1", "a_1", "s_1"]
    assert properties in (
        {"plan": "pro", "lines": [1, {"a": None}], "name": "Zoë 🎉"},
        '{"plan":"pro","lines":[1,{"a":null}],"name":"Zoë 🎉"}',
    )
    assert context in ({"app": "shop", "os": "linux"}, '{"app":"shop","os":"linux"}')
    assert ts == 1772355600
    sql = "SELECT event FROM events WHERE event_id = 'order-7' OR context.app = 'shop'"
    names = {str(name) for [name] in own_project.query(sql)}
    assert names >= {"identify", "mine", "order", "page"}


def test_no_event_that_the_client_takes_holds_the_others_up(own_project: Node) -> None:
    """What a node cannot store it refuses by name; an answer without would be held for ever."""
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    odd: list[object] = [
        deep,
        deep[0],
        10**4000,
        "\x01\x7f\u2028\ufeff\U0010ffff",
        "\\u0000",
        "\\ud800",
    ]
    odd += [dict.fromkeys(map(str, range(30_000)), 1), "x" * 990_000, {"": {"": ""}}, -0.0, 5e-324]
    losses: list[Loss] = []
    with WeirClient(own_project.url, own_project.key, on_loss=losses.append) as client:
        for value in odd:
            client.track("odd", {"value": value})
            client.send({"event": "odd", "value": value})
        client.send({"event": "a", "event_id": "x" * 9999, "ts": "never", "sent_at": 7})
        assert client.flush(120)
        stats = client.stats()
    assert stats.delivered + stats.lost == stats.taken == 2 * len(odd) + 1
    assert {"invalid_json", "validation.length"} <= {loss.code for loss in losses}
    [last] = [loss for loss in losses if loss.name == "a"]
    assert (last.field, last.message.count(";")) == ("event_id", 1)
    assert "ts must be " in last.message


def test_ids_of_a_program_arrive_as_text(own_project: Node) -> None:
    """Integers, as every framework has them for its users, and UUIDs; in both clients."""
    user = UUID(int=7)

    async def send_awaited() -> None:
        async with AsyncWeirClient(own_project.url, own_project.key) as client:
            await client.identify(43, {"plan": "pro"})
            await client.track("login", user_id=user, session_id=1)
            await client.page("home", user_id=44)
            assert await client.flush(120)
            assert client.stats().lost == 0

    with WeirClient(own_project.url, own_project.key) as client:
        client.identify(42, {"plan": "pro"})
        client.track("login", user_id=42, anonymous_id=user, session_id=2**63)
        assert client.send({"event": "paid", "event_id": 4711, "user_id": 42}) == "4711"
        assert client.flush(120)
        assert client.stats().lost == 0
    asyncio.run(send_awaited())
    columns = "event, user_id, anonymous_id, session_id"
    sql = f"SELECT {columns} FROM events ORDER BY user_id, event"
    wait_until(lambda: len(own_project.query(sql)) == 6, within_s=20, what="six events")
    assert own_project.query(sql) == [
        ["login", str(user), None, "1"],
        ["identify", "42", None, None],
        ["login", "42", str(user), str(2**63)],
        ["paid", "42", None, None],
        ["identify", "43", None, None],
        ["page", "44", None, None],
    ]
    assert own_project.query("SELECT event FROM events WHERE event_id = '4711'") == [["paid"]]


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_100_000_events_of_8_threads_arrive_in_bounded_memory(start_node: StartNode) -> None:
    """Faster than the node takes them, into a queue of 4 MB, and nothing is lost."""
    node = start_node()
    options = Options(queue_bytes_max=4_000_000, room_timeout_s=60)
    before = memory_of(os.getpid(), "VmRSS")
    with WeirClient(node.url, node.key, options=options) as client:

        def run() -> None:
            for number in range(12_500):
                client.track("load", {"number": number, "text": "x" * 100})

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.flush(120)
        assert client.stats().lost == 0
    assert memory_of(os.getpid(), "VmHWM") - before < 60_000_000
    wait_until(lambda: _stored(node) == (100_000, 100_000), within_s=60, what="all in SQL")


def test_the_async_client_delivers_to_a_node(own_project: Node, tmp_path: Path) -> None:
    """Many tasks, one spool, every event once."""

    async def run() -> set[str]:
        async with AsyncWeirClient(
            own_project.url, own_project.key, spool=tmp_path / "spool", options=QUICK
        ) as client:

            async def work(number: int) -> list[str]:
                return [await client.track("async", {"task": number}) for _ in range(50)]

            taken = await asyncio.gather(*[work(number) for number in range(10)])
            assert await client.flush(120)
            return {event_id for ids in taken for event_id in ids}

    ids = asyncio.run(run())
    sql = "SELECT count(*), count(DISTINCT event_id) FROM events WHERE event = 'async'"
    wait_until(lambda: own_project.query(sql) == [[500, 500]], within_s=30, what="500 events")
    assert ids <= _ids(own_project)


def test_every_block_of_the_guide_works(own_project: Node, tmp_path: Path) -> None:
    """In one program, one after the other, with address and key of a real node."""
    guide = Path(__file__).parents[2] / "docs" / "guide" / "python-client.md"
    blocks = re.findall(r"```python\n(.*?)```", guide.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 6
    text = "\n".join(blocks).replace("http://127.0.0.1:8080", own_project.url)
    text = text.replace('"KEY"', repr(own_project.key)).replace("weir-spool", str(tmp_path))
    done = run_program(text)
    assert "invalid properties.value is nan, which JSON cannot say" in done.stdout
    sql = "SELECT event FROM events WHERE event IN ('signup', 'delivered', 'paid', 'pricing')"
    wait_until(lambda: len(own_project.query(sql)) == 3, within_s=20, what="the guide's events")
