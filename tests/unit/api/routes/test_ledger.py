"""The ledger: its shape, its ranges, and nobody else's counts."""

import contextlib
from collections.abc import Callable, Collection, Sequence
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from weir.api.app import build_app
from weir.api.auth import authenticator
from weir.api.routes.ledger import (
    By,
    LedgerQuery,
    LedgerRange,
    ledger_routes,
    parse_range,
)
from weir.control.records import KeyRequest, NewKey, ProjectRequest
from weir.control.service import ControlService
from weir.domain.keys import Scope
from weir.domain.outcome import LedgerRow
from weir.errors import InvalidInput, Unavailable
from weir.node.registry import RegistryView

Call = Callable[..., httpx.Response]
NOON = 1_795_176_000 // 60


class FakeLedger:
    """Rows in memory; ``leaky`` gives also what was not asked for."""

    def __init__(self) -> None:
        self.rows: list[LedgerRow] = []
        self.leaky = False
        self.asked: list[tuple[set[int], int, int, By]] = []

    async def ledger(
        self, *, key_ids: Collection[int], from_minute: int, to_minute: int, by: By
    ) -> Sequence[LedgerRow]:
        """The rows of the range."""
        self.asked.append((set(key_ids), from_minute, to_minute, by))
        return [
            row
            for row in self.rows
            if self.leaky or (row.key_id in key_ids and from_minute <= row.minute < to_minute)
        ]


@pytest.fixture
def ledger() -> FakeLedger:
    """An empty ledger."""
    return FakeLedger()


@pytest.fixture
def app(service: ControlService, view: RegistryView, clock: Any, ledger: FakeLedger) -> Starlette:
    """The app with the ledger's route alone."""
    return build_app(
        ledger_routes(
            ledger,
            authenticate=authenticator(view, clock=clock, docs_url="https://docs.example"),
            key_names=service.keys.names,
            clock=clock,
            minutes_max=1440,
        )
    )


def make_key(service: ControlService, project: str = "default") -> NewKey:
    """A key that may read the ledger."""
    with contextlib.suppress(Exception):
        service.projects.create(ProjectRequest(slug=project))
    return service.keys.create(KeyRequest(project=project, scopes=(Scope.METRICS, Scope.INGEST)))


def key_id_of(view: RegistryView, made: NewKey) -> int:
    """The internal id that frames carry."""
    return view.current().authenticate(made.text, now_us=0).key_id


def get(call: Call, app: Starlette, made: NewKey, **query: object) -> httpx.Response:
    """Asks for the ledger."""
    headers = {"Authorization": f"Bearer {made.text}"}
    return call(app, "GET", "/v1/ledger", params=query, headers=headers)


def test_minutes_have_names_and_times(
    service: ControlService, view: RegistryView, ledger: FakeLedger, app: Starlette, call: Call
) -> None:
    """A row holds the key's public id, the minute and every count."""
    made = make_key(service)
    ledger.rows = [
        LedgerRow(
            key_id=key_id_of(view, made),
            minute=NOON - 1,
            received=11,
            rejected=1,
            accepted=10,
            stored=6,
            duplicate=2,
            duplicate_conflict=1,
            in_flight=2,
        )
    ]
    reply = get(call, app, made)
    assert reply.json() == {
        "items": [
            {
                "key_id": made.key.id,
                "minute": "2026-11-20T11:59:00Z",
                "received": 11,
                "rejected": 1,
                "accepted": 10,
                "stored": 6,
                "duplicate": 2,
                "duplicate_conflict": 1,
                "dead_lettered": 0,
                "quarantined": 0,
                "lost": 0,
                "in_flight": 2,
            }
        ],
        "balance": 0,
    }
    assert ledger.asked[0][1:] == (NOON - 60, NOON, "minute")


def test_total_has_no_minutes(
    service: ControlService, view: RegistryView, ledger: FakeLedger, app: Starlette, call: Call
) -> None:
    """The source sums up; a row's minute is null; a balance that is not 0 is shown."""
    made = make_key(service)
    ledger.rows = [
        LedgerRow(key_id=key_id_of(view, made), minute=NOON - 2, accepted=5, stored=3, received=5)
    ]
    reply = get(call, app, made, by="total").json()
    assert ledger.asked[0][3] == "total"
    assert [(item["key_id"], item["minute"]) for item in reply["items"]] == [(made.key.id, None)]
    assert reply["balance"] == 2


@pytest.mark.parametrize("leaky", [False, True])
def test_project_sees_its_own_keys_alone(
    service: ControlService,
    view: RegistryView,
    ledger: FakeLedger,
    app: Starlette,
    call: Call,
    leaky: bool,
) -> None:
    """Not those of a sister project, nor the unattributed, whatever the source gives."""
    mine, theirs = make_key(service), make_key(service, "other")
    ids = [key_id_of(view, mine), key_id_of(view, theirs), 0]
    ledger.rows = [LedgerRow(key_id=key, minute=NOON - 1, accepted=1, stored=1) for key in ids]
    ledger.leaky = leaky
    for made in (mine, theirs):
        items = get(call, app, made).json()["items"]
        assert [item["key_id"] for item in items] == [made.key.id]


def test_revoked_keys_keep_their_counts(
    service: ControlService, view: RegistryView, ledger: FakeLedger, app: Starlette, call: Call
) -> None:
    """What they sent is still the project's."""
    made, gone = make_key(service), make_key(service)
    ledger.rows = [LedgerRow(key_id=key_id_of(view, gone), minute=NOON - 1, accepted=1, stored=1)]
    service.keys.revoke(gone.key.id)
    items = get(call, app, made).json()["items"]
    assert [item["key_id"] for item in items] == [gone.key.id]


def test_scope_metrics_is_needed(service: ControlService, app: Starlette, call: Call) -> None:
    """401 without a key, 403 with one that may only send."""
    assert call(app, "GET", "/v1/ledger").json() == {
        "error": "unauthorized",
        "message": "API key required. See https://docs.example",
    }
    reply = get(call, app, service.keys.create(KeyRequest()))
    assert (reply.status_code, reply.json()["error"]) == (403, "forbidden")


def test_silent_loader_is_a_503(
    service: ControlService,
    ledger: FakeLedger,
    app: Starlette,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the time to come back."""

    async def fail(**_: object) -> Sequence[LedgerRow]:
        raise Unavailable("The loader does not answer.", retry_after_s=1)

    monkeypatch.setattr(ledger, "ledger", fail)
    reply = get(call, app, make_key(service))
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")


def test_wrong_sum_is_refused(service: ControlService, app: Starlette, call: Call) -> None:
    """Before anybody counts; the reply names what there is."""
    reply = get(call, app, make_key(service), by="hour")
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")
    assert reply.json()["details"] == [{"field": "by", "message": "must be one of minute, total"}]


def parsed(now_us: int = NOON * 60_000_000, **query: str) -> LedgerRange:
    """The range that is asked for."""
    return parse_range(LedgerQuery(**query), now_us=now_us, minutes_max=1440)  # type: ignore[arg-type]  # times alone


@pytest.mark.parametrize(
    ("from_", "to"),
    [
        ("2026-11-20T11:00:00Z", "2026-11-20T11:30:00Z"),
        ("2026-11-20T11:00:59.9Z", "2026-11-20T11:29:00.1Z"),
        ("2026-11-20T13:00:00+02:00", "2026-11-20T13:30:00 02:00"),
        ("2026-11-20T11:00:00", "2026-11-20 11:30:00"),
        (str(NOON * 60 - 3600), str(NOON * 60 - 1800)),
    ],
)
def test_times_are_iso_or_unix_seconds(from_: str, to: str) -> None:
    """A range covers every minute that it touches; a time without zone is UTC."""
    assert parsed(from_=from_, to=to) == LedgerRange(NOON - 60, NOON - 30, "minute")


def test_current_minute_is_in_the_default_range() -> None:
    """The last 60 minutes, the one that runs included."""
    assert parsed(NOON * 60_000_000 + 1) == LedgerRange(NOON - 59, NOON + 1, "minute")
    assert parsed(to=str(NOON * 60)) == LedgerRange(NOON - 60, NOON, "minute")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from_": "yesterday"}, "from"),
        ({"to": ""}, "to"),
        ({"to": "9" * 12}, "to"),
        ({"to": "٣" * 10}, "to"),
        ({"from_": str(NOON * 60)}, "from"),
        ({"from_": "0"}, "from"),
        ({"from_": str(NOON * 60 - 1441 * 60)}, "from"),
    ],
)
def test_impossible_ranges_are_refused(query: dict[str, str], field: str) -> None:
    """Unreadable, empty, or longer than the limit."""
    with pytest.raises(InvalidInput) as caught:
        parsed(**query)  # type: ignore[arg-type]  # the clock is not among them
    assert caught.value.details is not None
    assert caught.value.details[0]["field"] == field
