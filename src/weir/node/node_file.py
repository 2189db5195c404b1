"""``node.json``: what a directory is, which life of the node it holds, and where that is reached.

The epoch is empty for a node that was never restored. A restore makes a new random one, which
becomes a part of the names of the node's journals, so that no place in them is used twice: neither
by the node that the backup was made of, nor by another one restored from it.
"""

import msgspec

from weir.errors import Conflict, Corrupt
from weir.node.directory import Directory
from weir.storage.local import strangers, write_durable

FORMAT_VERSION = 1
"""Version of the directory as a whole; parts carry their own versions."""


class NodeFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``node.json`` holds; without ``url`` the node has not been started here."""

    format_version: int
    url: str = ""
    epoch: str = ""


class _Version(msgspec.Struct):
    format_version: int


def check_own(directory: Directory) -> None:
    """Raises ``Conflict`` (``directory_not_empty``) for a directory that holds something else.

    A node's own, a new one that is empty, and one that a command has begun are fine.
    """
    if directory.node_file.exists() or directory.restoring.exists():
        return
    has_begun = directory.node_lock.exists() or directory.control_lock.exists()
    if strangers(directory.root, own=directory.own_names if has_begun else ()):
        raise Conflict(
            f"{directory.root} holds something else, and no node.",
            code="directory_not_empty",
            hint="Name a node's directory, or a new one, with --data.",
        )


def read_node(directory: Directory) -> NodeFile:
    """The file, or the one of a new node.

    ``Conflict`` when a newer version of Weir has written the directory (``newer_format``), or
    when a restore into it was not finished (``restore_unfinished``); ``Corrupt``
    (``node_file_damaged``) when it is no such file.
    """
    if directory.restoring.exists():
        raise Conflict(
            f"A restore into {directory.root} was not finished.",
            code="restore_unfinished",
            hint="Give the same weir restore command again; it goes on where it was.",
        )
    if not directory.node_file.exists():
        return NodeFile(format_version=FORMAT_VERSION)
    text = directory.node_file.read_bytes()
    try:
        version = msgspec.json.decode(text, type=_Version).format_version
        if version > FORMAT_VERSION:
            raise Conflict(
                f"{directory.root} was written by a newer version of Weir.",
                code="newer_format",
                hint="Install that version, or restore a backup made before the upgrade.",
            )
        return msgspec.json.decode(text, type=NodeFile)
    except msgspec.MsgspecError as error:
        raise Corrupt(
            f"{directory.node_file} is not what a node wrote.",
            code="node_file_damaged",
            hint="Restore it from a backup. A node that was never restored makes it anew: then"
            " remove it.",
        ) from error


def write_node(directory: Directory, *, url: str = "", epoch: str) -> None:
    """Writes the file of this version durably. Raises ``OSError``."""
    node = NodeFile(format_version=FORMAT_VERSION, url=url, epoch=epoch)
    write_durable(directory.node_file, [msgspec.json.encode(node)])
