"""Where a command finds its node: the directory, the address, a key."""

import os
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from weir.errors import Conflict, InvalidInput, Unauthenticated, Unavailable
from weir.node.directory import Directory
from weir.node.node_file import NodeFile
from weir.settings import Found, Scalar, load_settings
from weir.storage.local import FileLock, check_entry, refusal_of


class Target(NamedTuple):
    """A node to talk to over HTTP. ``url`` has no slash at its end."""

    url: str
    key: str
    cacert: str | None = None
    """Certificates to trust instead of the machine's."""

    @property
    def is_local(self) -> bool:
        """Whether the address is this machine's own, so that no proxy belongs in between."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost":
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False


class _FirstRun(msgspec.Struct):
    secret_key: str


def find_settings(**flags: Scalar | None) -> Found:
    """The effective settings of this command line, environment and directory."""
    return load_settings(flags, os.environ)


def find_directory(data_dir: str | None) -> Directory:
    """The node's directory, which need not exist.

    Raises ``InvalidInput`` (``data_directory``) when this user may not look into it.
    """
    directory = Directory(Path(find_settings(data_dir=data_dir).settings.data_dir))
    check_entry(directory.root)
    return directory


def find_target(
    *, url: str | None, key: str | None, data_dir: str | None, cacert: str | None = None
) -> Target:
    """The node and the key to use.

    What is not given is taken from the node that runs in the directory. The directory's own key
    goes to the directory's own node only. Raises ``Unavailable`` when no node is found there,
    ``Unauthenticated`` when no key is, or one that cannot be a key.
    """
    _check_key(key)
    if url and key:
        return Target(_checked(url), key, cacert)
    try:
        directory = find_directory(data_dir)
    except InvalidInput as error:
        if url and error.code == "data_directory":  # it was asked for a key only
            raise _no_key(_checked(url)) from error
        raise
    found_url = _checked(url) if url else own_url(directory)
    if found_url is None:
        raise Unavailable(
            f"No node runs in {directory.root}.",
            code="node_not_running",
            hint="Start one with: weir serve, or name another with --url or WEIR_URL.",
        )
    found_key = key or _own_key(directory, found_url)
    if found_key is None:
        raise _no_key(found_url)
    return Target(found_url, found_key, cacert)


def own_url(directory: Directory) -> str | None:
    """The address in the directory's node.json; None when there is none.

    Raises ``InvalidInput`` (``file_access``) when the file is there and cannot be read.
    """
    try:
        node = msgspec.json.decode(directory.node_file.read_bytes(), type=NodeFile)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None
    except OSError as error:
        raise refusal_of(error) from error
    return node.url.rstrip("/") or None


def loader_runs(directory: Directory) -> bool:
    """Whether a loader has the directory, so that it is to be asked."""
    lock = FileLock(directory.loader_lock, purpose="The loader")
    try:
        lock.acquire()
    except Conflict:
        return True
    lock.release()
    return False


def _own_key(directory: Directory, url: str) -> str | None:
    """The directory's own key, for its own node alone; None when there is none any more."""
    if own_url(directory) != url:
        return None
    try:
        text = directory.first_run.read_bytes()
        return msgspec.json.decode(text, type=_FirstRun).secret_key
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    except OSError as error:
        told = refusal_of(error)
        raise Unauthenticated(
            told.message, hint=f"Give an API key with --key or WEIR_KEY. {told.hint}"
        ) from error


def _no_key(url: str) -> Unauthenticated:
    return Unauthenticated(
        f"There is no API key for {url}.",
        hint="Give one with --key or WEIR_KEY; weir keys create makes one.",
    )


def _check_key(key: str | None) -> None:
    """What a header cannot carry was never a key; its text is not repeated."""
    if key is None or (key.isascii() and key.isprintable() and " " not in key):
        return
    raise Unauthenticated(
        "The API key holds characters that no key has.",
        hint="Copy it again, without spaces, quotes or line ends: --key or WEIR_KEY.",
    )


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput(
            f"'{url}' is not an address of a node.", hint="It looks like http://127.0.0.1:8080."
        )
    return url.rstrip("/")
