"""The service: one writer, one epoch a change, the registry out before the answer."""

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest

from weir.control.records import (
    KeyFilter,
    KeyImport,
    KeyRequest,
    PlanChange,
    PlanRequest,
    ProjectFilter,
    ProjectRequest,
    TenantChange,
    TenantRequest,
)
from weir.control.service import ControlService
from weir.control.store import transactions
from weir.errors import Conflict, Corrupt, Forbidden, InvalidInput, NotFound, Unavailable
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.node.registry import RegistryView, publish_registry
from weir.storage import database
from weir.storage.local import FileLock


def test_every_change_has_an_epoch_of_its_own(service: ControlService, board: Board) -> None:
    """Readers see one number a change; reading changes none."""
    epochs = [board.get(Slot.REGISTRY_EPOCH)]
    changes: list[Callable[[], object]] = [
        lambda: service.plans.create(PlanRequest(slug="pro")),
        lambda: service.plans.change(PlanChange(slug="pro", events_per_month=9)),
        lambda: service.tenants.create(TenantRequest(slug="acme")),
        lambda: service.tenants.change(TenantChange(slug="acme", active=False)),
        lambda: service.projects.create(ProjectRequest(slug="web", tenant="acme")),
        lambda: service.keys.create(KeyRequest()),
        lambda: service.keys.import_key(KeyImport(text="x" * 16, key=KeyRequest())),
        lambda: service.keys.revoke(service.keys.list(KeyFilter())[0].id),
    ]
    for change in changes:
        change()
        epochs.append(board.get(Slot.REGISTRY_EPOCH))
    assert epochs == list(range(epochs[0], epochs[0] + 9))


def test_registry_mirrors_tenants_projects_and_endpoints(
    service: ControlService, view: RegistryView
) -> None:
    """What the data plane reads is what was made."""
    service.tenants.create(TenantRequest(slug="acme", events_per_minute=9, events_per_month=99))
    made = service.projects.create(ProjectRequest(slug="web", tenant="acme"))
    registry = view.current()
    tenant = next(item for item in registry.tenants.values() if item.slug == "acme")
    project = next(item for item in registry.projects.values() if item.slug == "web")
    assert (tenant.events_per_minute, tenant.events_per_month) == (9, 99)
    assert project.tenant_id == tenant.tenant_id
    assert registry.endpoints[project.endpoint_id].public_id == made.endpoint
    assert registry.endpoints[project.endpoint_id].project_id == project.project_id


def test_keys_of_an_inactive_tenant_are_refused_until_it_is_active(
    service: ControlService, view: RegistryView
) -> None:
    """Switching a tenant off and on needs no new keys."""
    text = service.keys.create(KeyRequest()).text
    service.tenants.change(TenantChange(slug="default", active=False))
    with pytest.raises(Forbidden) as caught:
        view.current().authenticate(text, now_us=0)
    assert caught.value.code == "tenant_inactive"
    service.tenants.change(TenantChange(slug="default", active=True))
    assert view.current().authenticate(text, now_us=0)


def test_change_of_a_tenant_leaves_the_rest(service: ControlService) -> None:
    """What is not given stays; None takes a limit away."""
    service.tenants.create(TenantRequest(slug="acme", events_per_minute=9, events_per_month=99))
    changed = service.tenants.change(TenantChange(slug="acme", events_per_minute=None))
    assert (changed.active, changed.events_per_minute, changed.events_per_month) == (True, None, 99)
    assert service.tenants.change(TenantChange(slug="acme")) == changed
    assert service.tenants.list()[1] == changed


def test_taken_slugs_conflict(service: ControlService) -> None:
    """A project's slug is taken within its tenant only."""
    service.tenants.create(TenantRequest(slug="acme"))
    with pytest.raises(Conflict, match="acme"):
        service.tenants.create(TenantRequest(slug="acme"))
    service.projects.create(ProjectRequest(slug="default", tenant="acme"))
    with pytest.raises(Conflict, match="default"):
        service.projects.create(ProjectRequest(slug="default"))
    assert [item.tenant for item in service.projects.list(ProjectFilter())] == ["default", "acme"]
    assert [item.slug for item in service.projects.list(ProjectFilter(tenant="acme"))] == [
        "default"
    ]


@pytest.mark.parametrize("slug", ["", "A", "a_b", "-a", "a-", "a" * 64, "a/b", "ä", "a\n"])
def test_bad_slugs_are_refused(service: ControlService, slug: str) -> None:
    """They would not survive URLs and commands."""
    with pytest.raises(InvalidInput, match="slug"):
        service.tenants.create(TenantRequest(slug=slug))
    with pytest.raises(InvalidInput, match="slug"):
        service.projects.create(ProjectRequest(slug=slug))


def test_limits_of_nothing_are_refused(service: ControlService) -> None:
    """0 events are a tenant that is switched off, said plainly."""
    with pytest.raises(InvalidInput, match="events_per_month"):
        service.tenants.change(TenantChange(slug="default", events_per_month=0))
    with pytest.raises(NotFound):
        service.tenants.change(TenantChange(slug="nobody", active=False))


def test_second_writer_is_refused(
    service: ControlService, open_service: Callable[[], ControlService]
) -> None:
    """The lock is held while the service is open."""
    with pytest.raises(Conflict) as caught:
        open_service()
    assert caught.value.code == "locked"
    service.close()
    open_service()


def test_starting_node_waits_for_an_operators_command(directory: Directory, clock: Any) -> None:
    """With wait_s the lock is asked for again until it is free."""
    lock = FileLock(directory.control_lock, purpose="An operator's command")
    lock.acquire()
    opened: list[ControlService] = []
    thread = threading.Thread(
        target=lambda: opened.append(ControlService.open(directory, clock=clock, wait_s=1))
    )
    thread.start()
    lock.release()
    thread.join(timeout=120)
    opened[0].close()


def test_failed_publication_is_told_and_made_good(
    service: ControlService, view: RegistryView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is stored; the next minute, or the same call again, publishes it."""
    made = service.keys.create(KeyRequest())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(transactions, "publish_registry", fail)
    with pytest.raises(Unavailable) as caught:
        service.keys.revoke(made.key.id)
    assert caught.value.code == "not_published"
    assert view.current().authenticate(made.text, now_us=0)
    monkeypatch.setattr(transactions, "publish_registry", publish_registry)
    service.publish_pending()
    assert made.key.id not in {item.public_id for item in view.current().keys.values()}


def test_nothing_pending_publishes_nothing(service: ControlService, board: Board) -> None:
    """The minute's call costs no epoch."""
    epoch = board.get(Slot.REGISTRY_EPOCH)
    service.publish_pending()
    assert board.get(Slot.REGISTRY_EPOCH) == epoch


def test_damaged_database_is_told_as_such(
    service: ControlService, directory: Directory, open_service: Callable[[], ControlService]
) -> None:
    """In use and at the start, without SQL."""
    directory.control_db.write_bytes(b"x" * 4096)
    with pytest.raises(Corrupt) as caught:
        service.keys.list(KeyFilter())
    assert "SELECT" not in str(caught.value)
    service.close()
    with pytest.raises(Corrupt):
        open_service()


def test_a_database_that_cannot_be_opened_is_let_go(
    open_service: Callable[[], ControlService], directory: Directory
) -> None:
    """Nothing is held by who failed: once it can be opened, it is, in the same process too."""
    directory.control_db.mkdir()
    with pytest.raises(IsADirectoryError):
        open_service()
    directory.control_db.rmdir()
    assert open_service().keys.list(KeyFilter())


def test_locked_database_is_unavailable(
    open_service: Callable[[], ControlService],
    directory: Directory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A change that the disk does not take now may be asked for again."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 1)
    service = open_service()
    other = sqlite3.connect(directory.control_db, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable) as caught:
        service.keys.create(KeyRequest())
    other.close()
    assert caught.value.code == "control_unavailable"
    assert service.keys.create(KeyRequest())


def test_changes_from_many_threads_are_all_there(
    service: ControlService, view: RegistryView
) -> None:
    """One change at a time; no epoch, slot or key is lost."""
    threads = [
        threading.Thread(target=lambda: [service.keys.create(KeyRequest()) for _ in range(5)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = view.current().keys.values()
    assert sorted(key.slot for key in keys) == list(range(22))
