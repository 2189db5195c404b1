"""Where things lie in a node's directory. Paths only: nothing is opened or made here."""

from pathlib import Path

import msgspec


class Directory(msgspec.Struct, frozen=True):
    """The layout of ``--data DIR``; docs/formats/directory.md describes each entry."""

    root: Path

    @property
    def own_names(self) -> frozenset[str]:
        """Everything that a node makes at the top of its directory."""
        databases = [
            f"{path.name}{end}"
            for path in (self.control_db, self.catalog_db)
            for end in ("", "-journal", "-wal", "-shm")
        ]
        paths = (
            *(self.node_lock, self.node_file, self.restoring, self.first_run, self.control_lock),
            *(self.loader_lock, self.journals, self.lake, self.raw, self.dedup),
            *(self.quarantine, self.crashes, self.run),
        )
        return frozenset([*databases, *(path.name for path in paths)])

    @property
    def node_lock(self) -> Path:
        return self.root / "node.lock"

    @property
    def node_file(self) -> Path:
        return self.root / "node.json"

    @property
    def restoring(self) -> Path:
        """The mark that is there until a restore into this directory is complete."""
        return self.root / "restoring"

    @property
    def first_run(self) -> Path:
        return self.root / "first-run.json"

    @property
    def control_db(self) -> Path:
        return self.root / "control.db"

    @property
    def control_lock(self) -> Path:
        return self.root / "control.lock"

    @property
    def catalog_db(self) -> Path:
        return self.root / "catalog.db"

    @property
    def loader_lock(self) -> Path:
        return self.root / "loader.lock"

    @property
    def journals(self) -> Path:
        return self.root / "journal"

    def journal(self, worker: int, *, epoch: str = "") -> Path:
        """The journal of one edge worker; its name is the journal's id.

        ``epoch`` is the node's, which a restore changes.
        """
        return self.journals / (f"{epoch}-{worker:02d}" if epoch else f"{worker:02d}")

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def raw(self) -> Path:
        return self.root / "raw"

    @property
    def dedup(self) -> Path:
        return self.root / "dedup"

    @property
    def quarantine(self) -> Path:
        return self.root / "quarantine"

    @property
    def crashes(self) -> Path:
        """What the loader worked on when it died."""
        return self.root / "crashes.json"

    @property
    def run(self) -> Path:
        """Sockets, the board, the registry: rebuilt at every start."""
        return self.root / "run"

    @property
    def board(self) -> Path:
        return self.run / "board"

    @property
    def limits(self) -> Path:
        return self.run / "limits"

    @property
    def usage(self) -> Path:
        return self.run / "usage"

    @property
    def registry(self) -> Path:
        return self.run / "registry"

    @property
    def api_socket(self) -> Path:
        """The socket for HTTP that the door relays."""
        return self.run / "api.sock"

    @property
    def control_socket(self) -> Path:
        """The socket for the operator's commands; guarded by file permissions alone."""
        return self.run / "control.sock"

    @property
    def loader_socket(self) -> Path:
        """The socket on which the loader answers: snapshots, the ledger, traces, cuts."""
        return self.run / "loader.sock"

    @property
    def working(self) -> Path:
        """What the loader works on right now; empty when it works on nothing."""
        return self.run / "working"

    @property
    def damage(self) -> Path:
        """The file that says why a part of the node cannot start; the supervisor reads it."""
        return self.run / "damage"

    @property
    def metrics(self) -> Path:
        return self.run / "metrics"
