"""The backfill lane over HTTP: 503 with a time to wait, and live requests that notice nothing."""

import gzip
from pathlib import Path

from tests.contract.http.ways import Way
from tests.unit.ingest.node import INGEST
from tests.unit.ingest.wire import request

KEY = f"X-API-Key: {INGEST}"
BODY = b'{"event":"a","properties":{"text":"%s"}}' % (b"x" * 3000)


def test_backfill_is_slowed_down_and_live_traffic_is_not(tmp_path: Path, way: Way) -> None:
    """A body larger than a second's budget, inflated, makes the next wait for it."""
    small = gzip.compress(BODY)
    assert len(small) < 200
    first = request("/v1/events?lane=backfill", small, KEY, "Content-Encoding: gzip")
    more = request("/v1/events?server_ts=1&lane=backfill", BODY, KEY)
    live = request("/v1/events", BODY, KEY)
    with way.node(tmp_path / "node", backfill_bytes_per_s=1024) as node, node.connect() as wire:
        assert wire.ask(first).status == 202
        for _ in range(3):
            waiting = wire.ask(more)
            assert (waiting.status, waiting["retry-after"]) == (503, "2")
            assert wire.ask(live).status == 202
        node.clock.now_s += 3
        assert wire.ask(more).status == 202
