"""Keys: what they may be, where they are seen, and that their texts are nowhere."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from weir.control import keys
from weir.control.records import KeyFilter, KeyImport, KeyRequest, ProjectRequest, TenantRequest
from weir.control.service import ControlService
from weir.domain.keys import Scope, is_mistyped
from weir.domain.registry import admits_address
from weir.domain.times import to_datetime, to_us
from weir.errors import Conflict, Forbidden, InvalidInput, LimitExceeded, NotFound, Unauthenticated
from weir.node.directory import Directory
from weir.node.registry import RegistryView

IMPORTED = "nm_live_0123456789abcdef"
FAR = datetime(2030, 1, 1, tzinfo=UTC)


def test_new_key_works_at_once_with_what_it_was_given(
    service: ControlService, view: RegistryView
) -> None:
    """Another process finds the key's principal, limits and lists in the registry."""
    made = service.keys.create(
        KeyRequest(
            name="mobile",
            scopes=(Scope.QUERY, Scope.INGEST, Scope.QUERY),
            networks=("10.0.0.0/8", "192.0.2.7"),
            origins=("https://App.example:8443",),
            expires_at=FAR,
            requests_per_minute=5,
            events_per_minute=7,
        )
    )
    principal = view.current().authenticate(made.text, now_us=0)
    assert principal.public_id == made.key.id
    assert principal.scopes == {"ingest", "query"}
    assert principal.networks == ("10.0.0.0/8", "192.0.2.7/32")
    assert principal.origins == ("https://app.example:8443",)
    assert principal.expires_at_us == to_us(FAR)
    assert (principal.requests_per_minute, principal.events_per_minute) == (5, 7)
    assert made.key.last_four == made.text[-4:]


def test_kind_and_mode_stand_in_the_text(service: ControlService) -> None:
    """A key's text says what it is."""
    public = service.keys.create(KeyRequest(public=True, mode="test"))
    assert public.text.startswith("pk_test_")
    assert (public.key.kind, public.key.mode) == ("public", "test")
    assert service.keys.create(KeyRequest()).text.startswith("sk_live_")


def test_every_mistyped_character_is_told_from_an_unknown_key(
    service: ControlService, view: RegistryView
) -> None:
    """One changed character anywhere breaks the checksum, and the message says so."""
    text = service.keys.create(KeyRequest()).text
    for place in range(len("sk_live_"), len(text)):
        typo = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert is_mistyped(typo)
        with pytest.raises(Unauthenticated, match="mistyped"):
            view.current().authenticate(typo, now_us=0)


def test_revoked_key_is_refused_by_the_next_request(
    service: ControlService, view: RegistryView
) -> None:
    """The epoch has moved before revoke_key returns."""
    made = service.keys.create(KeyRequest())
    before = view.current()
    assert before.authenticate(made.text, now_us=0)
    service.keys.revoke(made.key.id)
    assert view.current().epoch > before.epoch
    with pytest.raises(Unauthenticated, match="revoked"):
        view.current().authenticate(made.text, now_us=0)


def test_second_revocation_changes_nothing(service: ControlService) -> None:
    """It answers with the time of the first."""
    key = service.keys.create(KeyRequest()).key
    assert service.keys.revoke(key.id) == service.keys.revoke(key.id)


def test_expired_key_is_refused(service: ControlService, view: RegistryView) -> None:
    """From its very microsecond on."""
    made = service.keys.create(KeyRequest(expires_at=FAR))
    end_us = to_us(FAR)
    assert view.current().authenticate(made.text, now_us=end_us - 1)
    with pytest.raises(Unauthenticated, match="expired"):
        view.current().authenticate(made.text, now_us=end_us)


def test_wrong_scope_is_forbidden(service: ControlService, view: RegistryView) -> None:
    """A key may do what it was given and nothing else."""
    text = service.keys.create(KeyRequest()).text
    principal = view.current().authenticate(text, now_us=0)
    principal.require(Scope.INGEST)
    for scope in set(Scope) - {Scope.INGEST}:
        with pytest.raises(Forbidden):
            principal.require(scope)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (KeyRequest(public=True, scopes=(Scope.INGEST, Scope.QUERY)), "scopes"),
        (KeyRequest(public=True, scopes=(Scope.ADMIN,)), "scopes"),
        (KeyRequest(scopes=()), "scopes"),
        (KeyRequest(networks=("10.0.0.1/8",)), "networks"),
        (KeyRequest(networks=("localhost",)), "networks"),
        (KeyRequest(networks=("10.0.0.1",) * 101), "networks"),
        (KeyRequest(origins=("app.example",)), "origins"),
        (KeyRequest(origins=("https://app.example/path",)), "origins"),
        (KeyRequest(expires_at=datetime(2030, 1, 1)), "expires_at"),  # noqa: DTZ001  # what is refused
        (KeyRequest(expires_at=datetime(2020, 1, 1, tzinfo=UTC)), "expires_at"),
        (KeyRequest(name="a\nb"), "name"),
        (KeyRequest(name="a" * 101), "name"),
        (KeyRequest(requests_per_minute=0), "requests_per_minute"),
        (KeyRequest(events_per_minute=-1), "events_per_minute"),
    ],
)
def test_impossible_key_is_refused_by_field(
    service: ControlService, request_: KeyRequest, field: str
) -> None:
    """The error names the field, and nothing was stored."""
    known = service.keys.list(KeyFilter())
    with pytest.raises(InvalidInput) as caught:
        service.keys.create(request_)
    assert caught.value.details is not None
    assert caught.value.details[0]["field"] == field
    assert service.keys.list(KeyFilter()) == known


@pytest.mark.parametrize(
    "text",
    [
        "nm_live_8fK2mZ0qLr7TnV4x",
        "tm_live_4c1f9be2a7d04f2e",
        "emq_live_Zm9vYmFyYmF6cXV4",
        "ing_live_a1b2c3d4e5f60718",
        "ak_3f9d2c1b0a8e7d6c",
        "6f1d2c3b-4a59-4877-9e6d-000000000000",
        "!$%&/()=?{[]}+~*'#-_.:,;<>|@^`",
        "x" * 16,
        "x" * 512,
        "sk_live_of_another_system",
    ],
)
def test_keys_of_other_systems_are_taken_in_as_they_are(
    service: ControlService, view: RegistryView, text: str
) -> None:
    """Each vendor's form, and any other; revoked, they end like our own."""
    key = service.keys.import_key(KeyImport(text=text, key=KeyRequest()))
    assert view.current().authenticate(text, now_us=0).public_id == key.id
    service.keys.revoke(key.id)
    with pytest.raises(Unauthenticated):
        view.current().authenticate(text, now_us=0)


def test_imported_key_goes_on_working(service: ControlService, view: RegistryView) -> None:
    """Any text of 16 characters or more can be a key."""
    key = service.keys.import_key(KeyImport(text=IMPORTED, key=KeyRequest(name="from before")))
    assert key.kind == "imported"
    assert view.current().authenticate(IMPORTED, now_us=0).public_id == key.id


@pytest.mark.parametrize(
    "text",
    [
        "short",
        "x" * 15,
        "x" * 513,
        " " + "x" * 16,
        "x" * 9 + " " + "x" * 9,
        "ключ" * 8,
        "x" * 16 + "\n",
        "\ud800" * 16,
    ],
)
def test_text_that_no_header_carries_is_not_imported(service: ControlService, text: str) -> None:
    """Refused with what a key's text may be."""
    with pytest.raises(InvalidInput, match="16 to 512 printable"):
        service.keys.import_key(KeyImport(text=text, key=KeyRequest()))


def test_imported_public_key_is_ingest_only(service: ControlService) -> None:
    """A text that calls itself public has been in browsers."""
    with pytest.raises(InvalidInput, match="public key"):
        service.keys.import_key(
            KeyImport(text="pk_0123456789abcdef", key=KeyRequest(scopes=(Scope.QUERY,)))
        )


def test_known_key_is_not_imported_again(service: ControlService) -> None:
    """Neither while it is live nor after it was revoked: it stays revoked."""
    key = service.keys.import_key(KeyImport(text=IMPORTED, key=KeyRequest()))
    with pytest.raises(Conflict, match=key.id):
        service.keys.import_key(KeyImport(text=IMPORTED, key=KeyRequest()))
    service.keys.revoke(key.id)
    with pytest.raises(Conflict, match="stays so"):
        service.keys.import_key(KeyImport(text=IMPORTED, key=KeyRequest()))


def test_unknown_things_are_not_found(service: ControlService) -> None:
    """Each with its own code."""
    service.tenants.create(TenantRequest(slug="other"))
    for request_, code in [
        (KeyRequest(tenant="nobody"), "tenant_not_found"),
        (KeyRequest(tenant="other"), "project_not_found"),
        (KeyRequest(endpoint="2f1c0b9e-0000-4000-8000-000000000000"), "endpoint_not_found"),
    ]:
        with pytest.raises(NotFound) as caught:
            service.keys.create(request_)
        assert caught.value.code == code
    with pytest.raises(NotFound, match="key_x"):
        service.keys.revoke("key_x")
    with pytest.raises(NotFound, match="nothing"):
        service.keys.list(KeyFilter(project="nothing"))


def test_key_cannot_write_to_another_projects_endpoint(service: ControlService) -> None:
    """An endpoint of another project is as unknown as one that does not exist."""
    other = service.projects.create(ProjectRequest(slug="other"))
    with pytest.raises(NotFound):
        service.keys.create(KeyRequest(endpoint=other.endpoint))
    made = service.keys.create(KeyRequest(project="other", endpoint=other.endpoint))
    assert made.key.endpoint == other.endpoint


def test_keys_are_listed_by_project(service: ControlService) -> None:
    """Revoked ones too, oldest first."""
    service.projects.create(ProjectRequest(slug="web"))
    made = [service.keys.create(KeyRequest(project="web")).key for _ in range(2)]
    revoked = service.keys.revoke(made[0].id)
    assert service.keys.list(KeyFilter(project="web")) == (revoked, made[1])
    assert len(service.keys.list(KeyFilter(tenant="default"))) == 4


def test_slot_is_free_again_only_after_its_limits_have_passed(
    service: ControlService, view: RegistryView, clock: Any
) -> None:
    """A new key never starts with what an old one had used up."""

    def slot_of(request_: KeyRequest) -> int:
        text = service.keys.create(request_).text
        return view.current().authenticate(text, now_us=clock.us).slot

    soon = to_datetime(clock.us) + timedelta(seconds=1)
    assert slot_of(KeyRequest(expires_at=soon)) == 2
    assert slot_of(KeyRequest(name="gone")) == 3
    service.keys.revoke(service.keys.list(KeyFilter())[-1].id)
    assert slot_of(KeyRequest()) == 4
    clock.us += keys.SLOT_REST_US
    assert slot_of(KeyRequest()) == 3
    clock.us += 1_000_000
    assert slot_of(KeyRequest()) == 2
    assert slot_of(KeyRequest()) == 5


def test_live_keys_are_limited(service: ControlService, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of limits has so many slots and no more."""
    monkeypatch.setattr(keys, "KEY_SLOTS_MAX", 2)
    with pytest.raises(LimitExceeded) as caught:
        service.keys.create(KeyRequest())
    assert caught.value.code == "too_many_keys"


def test_key_texts_are_in_no_file_and_no_log_line(
    service: ControlService, directory: Directory, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in the database, its journal, the registry, the logs; only in first-run.json."""
    made = service.keys.create(KeyRequest(scopes=(Scope.QUERY,)))
    service.keys.import_key(KeyImport(text=IMPORTED, key=KeyRequest()))
    with pytest.raises(Conflict) as caught:
        service.keys.import_key(KeyImport(text=IMPORTED, key=KeyRequest()))
    service.keys.revoke(made.key.id)
    texts = [made.text, IMPORTED, made.text[:-4], IMPORTED[:-4]]
    files = [path for path in directory.root.rglob("*") if path.is_file()]
    assert directory.control_db in files
    out, err = capfd.readouterr()
    places = [path.read_bytes() for path in files] + [out.encode(), err.encode()]
    places += [repr(made).encode(), repr(caught.value).encode()]
    assert not any(text.encode() in place for text in texts for place in places)


def test_address_list_holds_addresses_and_networks(
    service: ControlService, view: RegistryView
) -> None:
    """IPv4 written as IPv6 is the same client; what is no address is refused."""
    made = service.keys.create(KeyRequest(networks=("10.0.0.0/8", "2001:db8::1")))
    principal = view.current().authenticate(made.text, now_us=0)
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"):
        assert admits_address(principal, address)
    for address in ("11.0.0.1", "::ffff:11.0.0.1", "2001:db8::2", "", "unix"):
        assert not admits_address(principal, address)
