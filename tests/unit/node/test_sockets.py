"""Unix sockets at paths of any length."""

from pathlib import Path

import pytest

from weir.node.sockets import connect_unix, listen_unix


@pytest.mark.parametrize("depth", [0, 3], ids=["short", "long"])
def test_client_reaches_the_listener(depth: int, tmp_path: Path) -> None:
    """A path longer than the kernel takes works like a short one."""
    directory = tmp_path.joinpath(*["d" * 80] * depth)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "api.sock"
    with listen_unix(path) as listener, connect_unix(path, timeout_s=5) as client:
        server, _ = listener.accept()
        with server:
            client.sendall(b"ping")
            assert server.recv(4) == b"ping"
    assert path.stat().st_mode & 0o777 == 0o600


def test_stale_socket_is_replaced(tmp_path: Path) -> None:
    """A socket that a killed process left does not hinder the next start."""
    path = tmp_path / "api.sock"
    listen_unix(path).close()
    with pytest.raises(ConnectionRefusedError):
        connect_unix(path, timeout_s=5)
    with listen_unix(path), connect_unix(path, timeout_s=5):
        pass


def test_absent_socket_is_an_error(tmp_path: Path) -> None:
    """Nobody there is said at once."""
    with pytest.raises(FileNotFoundError):
        connect_unix(tmp_path / "api.sock", timeout_s=5)
