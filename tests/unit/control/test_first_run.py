"""The first run: keys that work, known to the operator whatever crashes."""

import stat
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from weir.control import first_run as first_run_module
from weir.control.first_run import FirstRun, door_url
from weir.control.records import KeyFilter
from weir.control.service import ControlService
from weir.domain.keys import Scope
from weir.errors import Corrupt
from weir.node.directory import Directory
from weir.node.registry import RegistryView
from weir.settings import Settings

Open = Callable[[], ControlService]


class PowerCut(BaseException):
    """Ends the process, as far as the test is concerned."""


def read(directory: Directory) -> FirstRun:
    """What the operator finds."""
    return msgspec.json.decode(directory.first_run.read_bytes(), type=FirstRun)


def test_first_keys_work_and_are_told_once(
    service: ControlService, directory: Directory, view: RegistryView
) -> None:
    """One secret key with every scope, one public key for ingest, in a private file."""
    told = read(directory)
    secret = view.current().authenticate(told.secret_key, now_us=0)
    public = view.current().authenticate(told.public_key, now_us=0)
    assert secret.scopes == {scope.value for scope in Scope}
    assert public.scopes == {"ingest"}
    assert (told.tenant, told.project) == ("default", "default")
    assert view.current().endpoints[secret.endpoint_id].public_id == told.endpoint
    assert stat.S_IMODE(directory.first_run.stat().st_mode) == 0o600
    assert len(service.keys.list(KeyFilter())) == 2


def test_later_starts_make_nothing(open_service: Open, directory: Directory) -> None:
    """Not even when the operator has put the file away."""
    first = open_service()
    keys = first.keys.list(KeyFilter())
    first.close()
    directory.first_run.unlink()
    assert open_service().keys.list(KeyFilter()) == keys
    assert not directory.first_run.exists()


def test_log_tells_the_path_and_no_key(
    open_service: Open, directory: Directory, capfd: pytest.CaptureFixture[str]
) -> None:
    """A log is read by many."""
    open_service()
    out, err = capfd.readouterr()
    assert str(directory.first_run) in out + err
    assert read(directory).secret_key not in out + err
    assert read(directory).public_key not in out + err


@pytest.mark.parametrize("place", ["write_durable", "add_tenant", "add_key"])
def test_crash_at_any_point_leaves_keys_that_somebody_knows(
    open_service: Open,
    directory: Directory,
    view: RegistryView,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """Before the file, and between the file and the commit: the next start ends the work."""

    def cut(*_: object, **__: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patched:
        patched.setattr(first_run_module, place, cut)
        with pytest.raises(PowerCut):
            open_service()
    written = read(directory) if directory.first_run.exists() else None
    service = open_service()
    told = read(directory)
    assert written in {None, told}
    assert view.current().authenticate(told.secret_key, now_us=0)
    assert len(service.keys.list(KeyFilter())) == 2


@pytest.mark.parametrize("damage", [b"", b"{}", b"not json", "typo"])
def test_file_that_is_none_of_ours_is_not_trusted(
    open_service: Open, directory: Directory, damage: Any
) -> None:
    """Neither overwritten nor taken for keys: the operator decides."""
    if damage == "typo":
        open_service().close()
        directory.control_db.unlink()
        text = directory.first_run.read_text()
        directory.first_run.write_text(text.replace("sk_live_", "sk_live_x"))
    else:
        directory.first_run.write_bytes(damage)
    with pytest.raises(Corrupt, match="Move it away"):
        open_service()


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (Settings(), "http://127.0.0.1:8080"),
        (Settings(host="0.0.0.0", port=9000), "http://127.0.0.1:9000"),
        (Settings(host="::"), "http://[::1]:8080"),
        (Settings(port=0), None),
    ],
)
def test_door_url_is_one_that_this_machine_reaches(settings: Settings, url: str | None) -> None:
    """An address to listen on is not always one to connect to."""
    assert door_url(settings) == url
