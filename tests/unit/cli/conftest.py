"""Commands in this process, a directory of their own, and a node made of scripted answers."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from structlog.testing import capture_logs

from tests.unit.cli.fakes import Asked, FakeNode, Run
from weir.cli.main import main


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings of this machine, and no change of this process's logging."""
    monkeypatch.chdir(tmp_path)
    for name in ("WEIR_URL", "WEIR_KEY", "WEIR_CONFIG", "WEIR_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("weir.cli.operator.control.configure_logging", lambda **_: None)
    with capture_logs():
        yield


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs ``weir`` with arguments; a crash of the command is the test's."""

    def call(*arguments: str, **more: object) -> Result:
        return CliRunner().invoke(main, list(arguments), catch_exceptions=False, **more)  # type: ignore[arg-type]  # handed on

    return call


@pytest.fixture
def node() -> Iterator[FakeNode]:
    """A node on a free port; set ``respond``, look at ``asked``."""
    fake = FakeNode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            fake.asked.append(Asked(self.path, headers, self.rfile.read(size)))
            answer = fake.respond(fake.asked[-1])
            if answer.status == 0:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object, **__: object) -> None:
            """Stays quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        yield fake
        server.shutdown()
        thread.join()
