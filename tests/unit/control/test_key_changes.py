"""What a key may do is changed under its id, for the next request; its text stays."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
import pytest

from weir.control import keys
from weir.control.records import (
    KeyChange,
    KeyFilter,
    KeyImport,
    KeyRequest,
    ProjectFilter,
    ProjectRequest,
    TenantChange,
)
from weir.control.service import ControlService
from weir.domain.keys import Scope
from weir.domain.registry import Principal
from weir.domain.times import to_datetime, to_us
from weir.errors import Conflict, Forbidden, InvalidInput, LimitExceeded, NotFound
from weir.node.registry import RegistryView

IMPORTED = "nm_live_0123456789abcdef"
FAR = datetime(2030, 1, 1, tzinfo=UTC)


def principal(view: RegistryView, text: str) -> Principal:
    """Who a request with the key acts for now."""
    return view.current().authenticate(text, now_us=0)


def test_mistake_at_import_can_be_mended(service: ControlService, view: RegistryView) -> None:
    """The same text gets everything that was forgotten, at once, and nobody else does."""
    others = service.keys.list(KeyFilter())
    key = service.keys.import_key(KeyImport(text=IMPORTED, key=KeyRequest()))
    before = view.current().epoch
    changed = service.keys.change(
        KeyChange(
            id=key.id,
            name="novamesh",
            scopes=(Scope.QUERY, Scope.INGEST),
            networks=("10.0.0.0/8",),
            origins=("https://app.example",),
            expires_at=FAR,
            requests_per_minute=5,
            events_per_minute=7,
        )
    )
    assert view.current().epoch > before
    found = principal(view, IMPORTED)
    assert found.scopes == {"ingest", "query"}
    assert (found.networks, found.origins) == (("10.0.0.0/8",), ("https://app.example",))
    assert found.expires_at_us == to_us(FAR)
    assert (found.requests_per_minute, found.events_per_minute) == (5, 7)
    assert (changed.id, changed.name, changed.kind) == (key.id, "novamesh", "imported")
    assert service.keys.list(KeyFilter()) == (*others, changed)


def test_what_is_not_given_stays_and_what_was_given_can_be_taken_away(
    service: ControlService,
) -> None:
    """Back to a key without bounds, a name, an end or numbers, a field at a time."""
    plain = service.keys.create(KeyRequest()).key
    key = service.keys.change(
        KeyChange(
            id=plain.id,
            name="bound",
            networks=("10.0.0.0/8",),
            origins=("https://app.example",),
            expires_at=FAR,
            requests_per_minute=None,
            events_per_minute=7,
        )
    )
    for field, value in {
        "name": "",
        "networks": (),
        "origins": (),
        "expires_at": None,
        "requests_per_minute": "tenant",
        "events_per_minute": "tenant",
    }.items():
        changed = service.keys.change(msgspec.convert({"id": key.id, field: value}, KeyChange))
        different = [
            name for name in key.__struct_fields__ if getattr(changed, name) != getattr(key, name)
        ]
        assert different == [field]
        key = changed
    assert key == plain


@pytest.mark.parametrize("field", ["requests_per_minute", "events_per_minute"])
@pytest.mark.parametrize(("own", "in_registry"), [(None, 0), (9, 9), ("tenant", None)])
def test_no_limit_of_a_key_is_a_limit_of_its_own(
    service: ControlService,
    view: RegistryView,
    field: str,
    own: int | Literal["tenant"] | None,
    in_registry: int | None,
) -> None:
    """None goes before the tenant's number; only the word leaves it to the tenant."""
    made = service.keys.create(msgspec.convert({field: own}, KeyRequest))
    changed = service.keys.create(KeyRequest())
    service.keys.change(msgspec.convert({"id": changed.key.id, field: own}, KeyChange))
    for text in (made.text, changed.text):
        assert getattr(principal(view, text), field) == in_registry
    assert [getattr(key, field) for key in service.keys.list(KeyFilter())[-2:]] == [own, own]
    service.tenants.change(TenantChange(slug="default", requests_per_minute=3))
    if field == "requests_per_minute":
        found = principal(view, made.text).requests_per_minute
        assert found == (3 if own == "tenant" else in_registry)


@pytest.mark.parametrize("is_imported", [True, False], ids=["imported", "ours"])
def test_public_key_stays_with_ingest_alone(
    service: ControlService, view: RegistryView, is_imported: bool
) -> None:
    """Everything else of it can be changed, and a refusal changes nothing."""
    if is_imported:
        text = "pk_0123456789abcdef"
        key = service.keys.import_key(KeyImport(text=text, key=KeyRequest()))
    else:
        made = service.keys.create(KeyRequest(public=True))
        text, key = made.text, made.key
    assert key.kind == "public"
    with pytest.raises(InvalidInput, match="public key"):
        service.keys.change(KeyChange(id=key.id, scopes=(Scope.INGEST, Scope.QUERY), name="x"))
    assert service.keys.list(KeyFilter())[-1] == key
    service.keys.change(KeyChange(id=key.id, scopes=(Scope.INGEST,), events_per_minute=5))
    found = principal(view, text)
    assert found.scopes == {"ingest"}
    assert found.events_per_minute == 5
    with pytest.raises(Forbidden) as caught:
        found.require(Scope.QUERY)
    assert "keys create --scopes query" in (caught.value.hint or "")


def test_missing_scope_is_told_with_the_change_that_gives_it(
    service: ControlService, view: RegistryView
) -> None:
    """By the key's id, with the scopes that it has; what is advised works."""
    key = service.keys.import_key(KeyImport(text=IMPORTED, key=KeyRequest()))
    with pytest.raises(Forbidden) as caught:
        principal(view, IMPORTED).require(Scope.QUERY)
    told = str(caught.value)
    assert f"weir keys change {key.id} --scopes ingest,query" in told
    assert IMPORTED not in told
    service.keys.change(KeyChange(id=key.id, scopes=(Scope.INGEST, Scope.QUERY)))
    principal(view, IMPORTED).require(Scope.QUERY)


def test_known_key_is_refused_with_the_change_that_may_be_meant(service: ControlService) -> None:
    """While it is live; a revoked one is neither imported nor changed again."""
    key = service.keys.import_key(KeyImport(text=IMPORTED, key=KeyRequest()))
    with pytest.raises(Conflict) as caught:
        service.keys.import_key(KeyImport(text=IMPORTED, key=KeyRequest(scopes=(Scope.QUERY,))))
    assert f"weir keys change {key.id}" in (caught.value.hint or "")
    revoked = service.keys.revoke(key.id)
    with pytest.raises(Conflict) as caught:
        service.keys.change(KeyChange(id=key.id, name="again"))
    assert caught.value.code == "key_revoked"
    assert service.keys.list(KeyFilter())[-1] == revoked


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scopes", ()),
        ("networks", ("10.0.0.1/8",)),
        ("origins", ("app.example",)),
        ("expires_at", datetime(2020, 1, 1, tzinfo=UTC)),
        ("name", "a\nb"),
        ("requests_per_minute", 0),
        ("events_per_minute", -1),
    ],
)
def test_impossible_change_is_refused_by_field(
    service: ControlService, field: str, value: object
) -> None:
    """As it is of a new key."""
    key = service.keys.create(KeyRequest()).key
    with pytest.raises(InvalidInput) as caught:
        service.keys.change(msgspec.convert({"id": key.id, field: value}, KeyChange))
    assert caught.value.details is not None
    assert caught.value.details[0]["field"] == field
    assert service.keys.list(KeyFilter())[-1] == key


def test_endpoint_is_one_of_the_keys_own_project(service: ControlService) -> None:
    """Another project's is as unknown as one that does not exist; None is the default one."""
    web = service.projects.create(ProjectRequest(slug="web"))
    key = service.keys.create(KeyRequest(project="web")).key
    assert service.keys.change(KeyChange(id=key.id, endpoint=web.endpoint)) == key
    assert service.keys.change(KeyChange(id=key.id, endpoint=None)) == key
    other = service.projects.list(ProjectFilter())[0].endpoint
    with pytest.raises(NotFound) as caught:
        service.keys.change(KeyChange(id=key.id, endpoint=other))
    assert caught.value.code == "endpoint_not_found"
    with pytest.raises(NotFound, match="key_x"):
        service.keys.change(KeyChange(id="key_x", name="x"))


def test_expired_key_that_goes_on_takes_no_other_keys_slot(
    service: ControlService, view: RegistryView, clock: Any
) -> None:
    """It has its own again while that is free, else the next one; the node's limit holds."""
    soon = to_datetime(clock.us) + timedelta(seconds=1)
    first, second = (service.keys.create(KeyRequest(expires_at=soon)) for _ in range(2))
    slots = [principal(view, made.text).slot for made in (first, second)]
    clock.us += keys.SLOT_REST_US + 1_000_000
    heir = service.keys.create(KeyRequest())
    assert principal(view, heir.text).slot == slots[0]
    for made in (first, second):
        service.keys.change(KeyChange(id=made.key.id, expires_at=None))
    assert [principal(view, made.text).slot for made in (first, second)] == [slots[1], slots[1] + 1]


def test_expired_key_needs_room_to_go_on(
    service: ControlService, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live keys are as many as the table of limits has slots, however they came to live."""
    soon = to_datetime(clock.us) + timedelta(seconds=1)
    ended = service.keys.create(KeyRequest(expires_at=soon)).key
    clock.us += keys.SLOT_REST_US + 1_000_000
    service.keys.create(KeyRequest())
    monkeypatch.setattr(keys, "KEY_SLOTS_MAX", 3)
    with pytest.raises(LimitExceeded):
        service.keys.change(KeyChange(id=ended.id, expires_at=None))
