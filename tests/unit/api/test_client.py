"""Control is the same whether the node runs or not: one suite over both ways."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from weir.api import client
from weir.api.app import build_app
from weir.api.client import (
    Control,
    ControlClient,
    LocalControl,
    open_control,
    open_or_make_control,
)
from weir.api.operation import Verb
from weir.api.routes.operator.keys import CHANGE_KEY, CREATE_KEY, IMPORT_KEY, LIST_KEYS, REVOKE_KEY
from weir.api.routes.operator.plans import CHANGE_PLAN, CREATE_PLAN, LIST_PLANS
from weir.api.routes.operator.projects import CREATE_PROJECT, LIST_PROJECTS
from weir.api.routes.operator.tenants import CHANGE_TENANT, CREATE_TENANT, LIST_TENANTS
from weir.api.routes.operator.token_keys import LIST_TOKEN_KEYS, ROTATE_TOKEN_KEYS
from weir.control.records import (
    KeyChange,
    KeyFilter,
    KeyId,
    KeyImport,
    KeyRequest,
    PlanChange,
    PlanRequest,
    ProjectFilter,
    ProjectRequest,
    TenantChange,
    TenantRequest,
    TokenKeyRotation,
)
from weir.control.service import ControlService
from weir.domain.keys import Scope
from weir.errors import Conflict, Internal, InvalidInput, NotFound, Unavailable, WeirError
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.settings import Settings

Way = Literal["direct", "socket"]


@pytest.fixture(params=["direct", "socket"])
def control(
    request: pytest.FixtureRequest,
    directory: Directory,
    clock: Any,
) -> Iterator[Control]:
    """Control opened as the CLI opens it, beside a node that runs or does not."""
    with contextlib.ExitStack() as stack:
        if request.param == "socket":
            serve = request.getfixturevalue("serve")
            stack.enter_context(serve(build_app([])))
        opened = stack.enter_context(open_or_make_control(directory, Settings(), clock=clock))
        expected = ControlClient if request.param == "socket" else LocalControl
        assert isinstance(opened, expected)
        yield opened


FULL = KeyRequest(
    name="ключ",
    mode="test",
    scopes=(Scope.QUERY, Scope.INGEST),
    networks=("10.0.0.0/8",),
    origins=("https://app.example",),
    expires_at=datetime(2030, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    requests_per_minute=5,
    events_per_minute=2**40,
)


def test_keys_live_their_life(control: Control) -> None:
    """Made, imported, listed, revoked: every record comes back as it was."""
    made = control.call(CREATE_KEY, FULL)
    imported = control.call(
        IMPORT_KEY, KeyImport(text="nm_live_0123456789", key=KeyRequest(project="default"))
    )
    assert (made.key.expires_at, made.key.events_per_minute) == (FULL.expires_at, 2**40)
    assert control.call(LIST_KEYS, KeyFilter(project="default"))[-2:] == (made.key, imported)
    revoked = control.call(REVOKE_KEY, KeyId(id=made.key.id))
    assert revoked.revoked_at is not None
    assert control.call(LIST_KEYS, KeyFilter(tenant="default"))[-2] == revoked
    assert len(made.text) == len("sk_test_") + 36


def test_keys_are_changed(control: Control) -> None:
    """What is set is set, what is emptied is empty, and a word stays a word."""
    made = control.call(CREATE_KEY, FULL).key
    changed = control.call(
        CHANGE_KEY,
        KeyChange(
            id=made.id,
            scopes=(Scope.METRICS,),
            origins=(),
            expires_at=None,
            endpoint=None,
            requests_per_minute=None,
            events_per_minute="tenant",
        ),
    )
    assert (changed.scopes, changed.origins, changed.expires_at) == ((Scope.METRICS,), (), None)
    assert (changed.requests_per_minute, changed.events_per_minute) == (None, "tenant")
    assert (changed.name, changed.networks) == (made.name, made.networks)
    assert control.call(CHANGE_KEY, KeyChange(id=made.id)) == changed
    assert control.call(LIST_KEYS, KeyFilter())[-1] == changed
    control.call(REVOKE_KEY, KeyId(id=made.id))
    with pytest.raises(Conflict) as caught:
        control.call(CHANGE_KEY, KeyChange(id=made.id, name="x"))
    assert caught.value.code == "key_revoked"


def test_tenants_and_projects_live_their_life(control: Control) -> None:
    """Made, changed, listed."""
    tenant = control.call(CREATE_TENANT, TenantRequest(slug="acme", events_per_month=9))
    project = control.call(CREATE_PROJECT, ProjectRequest(slug="web", tenant="acme"))
    changed = control.call(
        CHANGE_TENANT, TenantChange(slug="acme", active=False, events_per_month=None)
    )
    assert (tenant.active, tenant.events_per_month) == (True, 9)
    assert (changed.active, changed.events_per_month) == (False, None)
    assert control.call(LIST_TENANTS, None)[1] == changed
    assert control.call(LIST_PROJECTS, ProjectFilter(tenant="acme")) == (project,)
    assert len(control.call(LIST_PROJECTS, ProjectFilter())) == 2


def test_plans_live_their_life(control: Control) -> None:
    """Made, changed, listed, given to a tenant, overridden and not."""
    made = control.call(CREATE_PLAN, PlanRequest(slug="pro", requests_per_minute=2**40))
    assert (made.requests_per_minute, made.events_per_minute) == (2**40, None)
    control.call(CREATE_TENANT, TenantRequest(slug="acme", plan="pro", events_per_month=None))
    changed = control.call(
        CHANGE_PLAN, PlanChange(slug="pro", requests_per_minute=None, events_per_month=9)
    )
    assert (changed.requests_per_minute, changed.events_per_month) == (None, 9)
    assert control.call(LIST_PLANS, None)[1:] == (changed,)
    tenant = control.call(LIST_TENANTS, None)[1]
    assert (tenant.plan, tenant.events_per_month, tenant.overrides) == (
        "pro",
        None,
        ("events_per_month",),
    )
    back = control.call(CHANGE_TENANT, TenantChange(slug="acme", events_per_month="plan"))
    assert (back.events_per_month, back.overrides) == (9, ())


def test_token_keys_live_their_life(control: Control) -> None:
    """Made by the first rotation; then two overlap for a while, or one is left at once."""
    assert control.call(LIST_TOKEN_KEYS, None) == ()
    [first] = control.call(ROTATE_TOKEN_KEYS, TokenKeyRotation(overlap_s=60))
    assert (first.signs, first.ends_at) == (True, None)
    old, new = control.call(ROTATE_TOKEN_KEYS, TokenKeyRotation(overlap_s=60))
    assert (old.id, old.signs, new.signs) == (first.id, False, True)
    assert old.ends_at == new.created_at + timedelta(seconds=60)
    assert control.call(LIST_TOKEN_KEYS, None) == (old, new)
    assert [
        key.signs for key in control.call(ROTATE_TOKEN_KEYS, TokenKeyRotation(overlap_s=0))
    ] == [True]


FAILURES: dict[str, tuple[Verb[Any, Any], object, type[WeirError]]] = {
    "slug_taken": (CREATE_TENANT, TenantRequest(slug="default"), Conflict),
    "invalid_slug": (CREATE_PROJECT, ProjectRequest(slug="A"), InvalidInput),
    "invalid_request": (CREATE_KEY, KeyRequest(name="\n"), InvalidInput),
    "invalid_key_text": (IMPORT_KEY, KeyImport(text="x", key=KeyRequest()), InvalidInput),
    "key_not_found": (REVOKE_KEY, KeyId(id="key_/ä?x"), NotFound),
    "plan_not_found": (CHANGE_TENANT, TenantChange(slug="default", plan="a/b"), NotFound),
    "tenant_not_found": (CHANGE_TENANT, TenantChange(slug="a/b"), NotFound),
    "project_not_found": (LIST_KEYS, KeyFilter(project="no"), NotFound),
}


@pytest.mark.parametrize("code", FAILURES)
def test_errors_are_the_same_errors(
    control: Control, code: str, directory: Directory, tmp_path: Any, clock: Any
) -> None:
    """Class, code, words, hint and details are those that a service gives."""
    verb, asked, kind = FAILURES[code]
    with pytest.raises(kind) as caught:
        control.call(verb, asked)
    apart = ControlService.open(Directory(tmp_path / "apart"), clock=clock)
    with contextlib.closing(apart), pytest.raises(kind) as expected:
        LocalControl(apart).call(verb, asked)
    given, wanted = (
        (error.value.code, error.value.message, error.value.hint, error.value.details)
        for error in (caught, expected)
    )
    assert given == wanted
    assert given[0] == code
    assert given[2] or given[3]


def test_revocation_over_the_socket_is_published(
    serve: Any, directory: Directory, view: RegistryView, clock: Any
) -> None:
    """Before the operator has the answer."""
    with serve(build_app([])), open_control(directory, Settings(), clock=clock) as control:
        made = control.call(CREATE_KEY, KeyRequest())
        assert view.current().authenticate(made.text, now_us=0)
        control.call(REVOKE_KEY, KeyId(id=made.key.id))
        assert made.key.id not in {key.public_id for key in view.current().keys.values()}


def test_workers_of_a_node_without_its_api_are_told(
    directory: Directory, view: RegistryView, board: object, clock: Any
) -> None:
    """A board is there, nobody holds control: what is done directly is published too."""
    with open_or_make_control(directory, Settings(), clock=clock) as control:
        made = control.call(CREATE_KEY, KeyRequest())
        assert view.current().authenticate(made.text, now_us=0)


def test_new_directory_is_made(tmp_path: Any, clock: Any) -> None:
    """A key can be created before the first start."""
    directory = Directory(tmp_path / "deep" / "node")
    with open_or_make_control(directory, Settings(port=9), clock=clock) as control:
        assert control.call(CREATE_KEY, KeyRequest()).key.project == "default"
    assert '"url": "http://127.0.0.1:9"' in directory.first_run.read_text()
    with open_control(directory, Settings(), clock=clock) as control:
        assert len(control.call(LIST_KEYS, KeyFilter())) == 3


@pytest.mark.parametrize("exists", [True, False], ids=["empty", "missing"])
def test_directory_without_a_node_is_left_alone(tmp_path: Any, clock: Any, exists: bool) -> None:
    """A mistyped directory does not become a node."""
    root = tmp_path / "typo"
    if exists:
        root.mkdir()
    with (
        pytest.raises(NotFound) as caught,
        open_control(Directory(root), Settings(), clock=clock),
    ):
        pytest.fail("opened")
    assert caught.value.code == "node_not_found"
    assert str(root) in caught.value.message
    assert list(tmp_path.rglob("*")) == ([root] if exists else [])


def test_silent_holder_is_reported_in_the_end(
    service: ControlService, directory: Directory
) -> None:
    """Control is locked and nobody answers: the command waits, then says so."""

    class Hurried:
        """Each look at the clock is a second later."""

        seconds = 0.0

        def now_us(self) -> int:
            return 0

        def monotonic_s(self) -> float:
            self.seconds += 1
            return self.seconds

    with (
        pytest.raises(Unavailable) as caught,
        open_control(directory, Settings(), clock=Hurried()),
    ):
        pytest.fail("opened")
    assert caught.value.code == "node_unreachable"


def test_lost_node_is_unavailable(directory: Directory) -> None:
    """The message does not claim that nothing happened."""
    with pytest.raises(Unavailable, match="may have been carried out"):
        ControlClient(directory.control_socket).call(CREATE_KEY, KeyRequest())


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFound), (409, Conflict), (500, Internal), (503, Unavailable)]
)
def test_a_plain_refusal_arrives_as_its_kind(
    status: int, kind: type[WeirError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What answers for no verb, or is of an earlier version: by its status and its words."""
    plain = b'{"error": "a_code", "message": "Words.", "hint": "Do this."}'
    monkeypatch.setattr(client, "_exchange", lambda *_: (status, plain))
    with pytest.raises(kind) as caught:
        ControlClient(tmp_path / "control.sock").call(LIST_PLANS, None)
    assert type(caught.value) is kind
    assert (caught.value.code, str(caught.value)) == ("a_code", "Words. Do this.")


@pytest.mark.parametrize("answer", [(404, b'{"told": "no"}'), (200, b"{}"), (502, b"<p>")])
def test_a_node_of_another_version_is_told_apart(
    answer: tuple[int, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that this version cannot read is an error with a way out, no traceback."""
    monkeypatch.setattr(client, "_exchange", lambda *_: answer)
    with pytest.raises(Unavailable) as caught:
        ControlClient(tmp_path / "control.sock").call(LIST_PLANS, None)
    assert caught.value.code == "node_unreachable"
    assert "version" in str(caught.value.hint)
