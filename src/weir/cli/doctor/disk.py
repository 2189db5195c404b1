"""What ``weir doctor`` looks at below the data directory. Nothing of the node is changed."""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from weir.cli.doctor.findings import Finding, State, failed, good, warning
from weir.cli.node import own_url
from weir.clock import Clock
from weir.errors import Conflict, InvalidInput, WeirError
from weir.node.databases import check_databases
from weir.node.directory import Directory
from weir.node.node_file import check_own
from weir.server.versions import check_versions
from weir.settings import MIB, Settings
from weir.storage.local import check_entry
from weir.storage.sqlite import quick_check

SYNCS = 40
SYNC_BYTES = 4096
SLOW_SYNC_MS = 10.0
IMPLAUSIBLE_SYNC_MS = 0.02
"""No disk answers sooner; something in between says yes without one."""

_UNSAFE_KINDS = {"tmpfs", "ramfs", "nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"}
_DOUBTFUL_KINDS = {"overlay", "aufs", "fuseblk"}


def look_at_disk(directory: Directory, settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Findings about the directory, its file system, its syncs and its databases."""
    root = directory.root
    place = _existing(root)
    yield from _access(directory, place)
    yield _file_system(place)
    yield _room(place, settings)
    if os.access(place, os.W_OK):
        yield _syncs(place, clock)
    if place != root or not os.access(root, os.R_OK | os.X_OK):
        return
    if _is_running(directory):
        yield good("databases", "in use by the node; stop it to have them checked")
        return
    databases = [path for path in (directory.control_db, directory.catalog_db) if path.exists()]
    found = [_database(path) for path in databases]
    yield from found
    if all(each.state is State.OK for each in found):
        yield _contents(directory)


def running_url(directory: Directory) -> str | None:
    """Where the node that runs in the directory is reached; None when none runs or none is told."""
    try:
        return own_url(directory) if _is_running(directory) else None
    except InvalidInput:
        return None


def _existing(root: Path) -> Path:
    """The directory, or the nearest of its parents that is there."""
    return next(path for path in (root, *root.parents) if os.path.isdir(path))  # noqa: PTH112  # False where it cannot be told


def _access(directory: Directory, place: Path) -> Iterator[Finding]:
    root = directory.root
    try:
        check_entry(root)
        check_own(directory)
    except (Conflict, InvalidInput) as error:
        yield failed("directory", error.message, error.hint or "")
        return
    if not os.access(place, os.W_OK | os.X_OK):
        advice = "Choose another directory with --data, or give this one to the node's user."
        yield failed("directory", f"{place} is not writable", advice)
    elif place != root:
        yield good("directory", f"{root} is not there yet; the first start makes it")
    elif (owner := root.stat().st_uid) != os.geteuid():
        advice = "Run the node and its commands as that user: what others write it may not open."
        yield warning("directory", f"{root} belongs to another user ({owner})", advice)
    elif (mode := stat.S_IMODE(root.stat().st_mode)) & 0o077:
        advice = f"chmod 700 {root}: keys' hashes and events lie there."
        yield warning("directory", f"others may enter {root} (mode {mode:o})", advice)
    else:
        yield good("directory", str(root))


def _file_system(place: Path) -> Finding:
    kind = _kind_of(place)
    if kind in _UNSAFE_KINDS:
        advice = "Use a local disk: here a sync does not mean that events survive a power cut."
        return failed("file system", kind, advice)
    if kind in _DOUBTFUL_KINDS:
        return warning("file system", kind, "In a container, mount a volume for the data.")
    return good("file system", kind)


def _kind_of(place: Path) -> str:
    found = ("", "unknown")
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text(errors="replace").splitlines():
            _, mounted, kind, *_ = line.split(" ")
            mounted = mounted.replace("\\040", " ")
            if place.resolve().is_relative_to(mounted) and len(mounted) >= len(found[0]):
                found = (mounted, kind)
    return found[1]


def _room(place: Path, settings: Settings) -> Finding:
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    seen = f"{free // MIB} MiB free, {settings.disk_reserve_bytes // MIB} MiB kept as reserve"
    if free <= settings.disk_reserve_bytes:
        return failed("room", seen, "Events get 503 until there is more than disk_reserve_bytes.")
    if free <= 4 * settings.disk_reserve_bytes:
        return warning("room", seen, "Make room before events are refused.")
    return good("room", seen)


def _syncs(place: Path, clock: Clock) -> Finding:
    path = place / f".doctor-{os.getpid()}.tmp"
    times_ms: list[float] = []
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        return failed("fdatasync", error.strerror or "failed", "No file can be made there.")
    try:
        for _ in range(SYNCS):
            start_s = clock.monotonic_s()
            os.write(descriptor, bytes(SYNC_BYTES))
            os.fdatasync(descriptor)
            times_ms.append((clock.monotonic_s() - start_s) * 1000)
    except OSError as error:
        return failed("fdatasync", error.strerror or "failed", "This disk cannot be trusted.")
    finally:
        os.close(descriptor)
        path.unlink()
    times_ms.sort()
    median, slowest = times_ms[SYNCS // 2], times_ms[-1]
    seen = f"median {median:.2f} ms, slowest of {SYNCS} {slowest:.2f} ms"
    if median < IMPLAUSIBLE_SYNC_MS:
        advice = "So fast that nothing can have reached a disk: look for a cache that lies."
        return warning("fdatasync", seen, advice)
    if median > SLOW_SYNC_MS:
        return warning("fdatasync", seen, "Every sender waits for it: use a faster disk.")
    return good("fdatasync", seen)


def _is_running(directory: Directory) -> bool:
    try:
        descriptor = os.open(directory.node_lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _contents(directory: Directory) -> Finding:
    """What a start would refuse: a database that is missing, or what a newer version wrote."""
    try:
        check_databases(directory)
        check_versions(directory)
    except WeirError as error:
        return failed("contents", error.message, error.hint or "A start is refused until then.")
    return good("contents", "all there, and of versions that this one knows")


def _database(path: Path) -> Finding:
    if not os.access(path, os.R_OK | os.W_OK):
        advice = "Give it to the user who runs the node, or run this command as that user."
        return failed(path.name, "may not be read and written by this user", advice)
    told = quick_check(path)
    if told != "ok":
        advice = "Restore it from a backup; do not start a node on it."
        return failed(path.name, told, advice)
    return good(path.name, "sound")
