"""A real browser, headless, driven over the W3C WebDriver protocol; and pages for it to open."""

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
START_WITHIN_S = 180.0

needs_browser = pytest.mark.skipif(
    not (CHROMIUM and CHROMEDRIVER), reason="needs the packages chromium and chromium-driver"
)


class Browser:
    """One browser with one profile; ``close`` ends it as a user would."""

    def __init__(self, profile: Path) -> None:
        assert CHROMEDRIVER is not None
        self._driver = subprocess.Popen(
            [CHROMEDRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._client = httpx.Client(base_url=_address(self._driver), timeout=START_WITHIN_S)
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        options += [f"--user-data-dir={profile}", "--disable-background-networking"]
        wanted = {"goog:chromeOptions": {"binary": CHROMIUM, "args": options}}
        made = self._client.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{_value(made)['sessionId']}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def open(self, url: str) -> None:
        """Opens a page in place of the present one, and waits until it is loaded."""
        _value(self._client.post(f"{self._session}/url", json={"url": url}))

    def run(self, script: str) -> object:
        """What a script returns in the page."""
        asked = {"script": script, "args": []}
        return _value(self._client.post(f"{self._session}/execute/sync", json=asked))

    def set_offline(self, *, offline: bool) -> None:
        """Takes the network away, or gives it back."""
        conditions = {"offline": offline, "latency": 0, "download_throughput": -1}
        conditions |= {"upload_throughput": -1}
        asked = {"network_conditions": conditions}
        _value(self._client.post(f"{self._session}/chromium/network_conditions", json=asked))

    def close(self) -> None:
        """Closes the browser, its pages too."""
        if self._driver.poll() is None:
            self._client.delete(self._session)
            self._driver.terminate()
            self._driver.wait(START_WITHIN_S)
        self._client.close()
        assert self._driver.stdout is not None
        self._driver.stdout.close()


@contextmanager
def pages(contents: Mapping[str, str]) -> Iterator[str]:
    """A server of HTML pages by path; gives its origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = contents.get(self.path.partition("?")[0])
            self.send_response(200 if page is not None else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((page or "").encode())

        def log_message(self, *_words: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _address(driver: "subprocess.Popen[str]") -> str:
    assert driver.stdout is not None
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        line = driver.stdout.readline()
        if "started successfully on port" in line:
            return f"http://127.0.0.1:{line.rstrip().rstrip('.').rsplit(' ', 1)[1]}"
    raise AssertionError("chromedriver did not start")


def _value(answer: httpx.Response) -> Any:
    value = answer.json()["value"]
    assert answer.is_success, value
    return value
