"""The registry on its way from the api process to every reader on the node.

The publisher replaces ``run/registry`` by rename and then stores the epoch on the board; a
reader compares the board's epoch with its own at each use (an 8-byte load) and reads the file
again when they differ. A key revoked before the epoch moved is refused by the next request.
"""

import msgspec

from weir.domain.registry import Registry, decode_registry, encode_registry
from weir.errors import Unavailable
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.storage.local import write_durable
from weir.telemetry import Happening, emit


def publish_registry(directory: Directory, board: Board, registry: Registry) -> None:
    """Makes ``registry`` the one that every process reads; its epoch must be a new one."""
    write_durable(directory.registry, [encode_registry(registry)])
    board.set(Slot.REGISTRY_EPOCH, registry.epoch)
    emit(Happening.REGISTRY_PUBLISHED, epoch=registry.epoch, keys=len(registry.keys))


class RegistryView:
    """One process's view of the published registry."""

    __slots__ = ("_board", "_directory", "_registry")

    def __init__(self, directory: Directory, board: Board) -> None:
        self._directory = directory
        self._board = board
        self._registry: Registry | None = None

    def current(self) -> Registry:
        """The newest registry; ``Unavailable`` when there is none yet or it cannot be read."""
        epoch = self._board.get(Slot.REGISTRY_EPOCH)
        registry = self._registry
        if registry is not None and registry.epoch == epoch:
            return registry
        return self._reload(epoch)

    def _reload(self, epoch: int) -> Registry:
        if not epoch:  # none yet: no fault, and not to be told with every request
            raise _not_ready()
        try:
            registry = decode_registry(self._directory.registry.read_bytes())
        except (OSError, msgspec.MsgspecError) as error:
            emit(Happening.REGISTRY_UNREADABLE, epoch=epoch, reason=type(error).__name__)
            raise _not_ready() from error
        if registry.epoch < epoch:
            emit(Happening.REGISTRY_UNREADABLE, epoch=epoch, reason="stale")
            raise _not_ready()
        self._registry = registry
        return registry


def _not_ready() -> Unavailable:
    return Unavailable("The node is not ready yet.", retry_after_s=1)
