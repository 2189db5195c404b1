"""A real nginx in front of a worker, with one connection to it for everybody."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.unit.ingest.node import wait_for

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

_CONFIGURATION = """
worker_processes 1; daemon off; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_timeout 60s; client_header_timeout 60s; underscores_in_headers on;
  client_max_body_size 0; client_body_buffer_size 8m;
  large_client_header_buffers 8 64k;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  upstream weir {{ server {upstream} max_fails=0; keepalive 1; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://weir; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Host $http_host;
      proxy_request_buffering {buffering};
    }}
  }}
}}
"""


@contextmanager
def running_nginx(
    directory: Path, upstream: tuple[str, int], *, buffering: str
) -> Iterator[tuple[str, int]]:
    """The address of an nginx; ``buffering`` is ``on`` or ``off``, of request bodies."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: tuple[str, int] = listener.getsockname()
    configuration = directory / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            directory=directory,
            upstream=f"{upstream[0]}:{upstream[1]}",
            port=address[1],
            buffering=buffering,
        )
    )
    assert NGINX is not None
    process = subprocess.Popen(
        [NGINX, "-c", str(configuration), "-e", str(directory / "error.log")],
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
    )
    try:
        wait_for(lambda: _listens(address), what="nginx")
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _listens(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, 2).close()
    except OSError:
        return False
    return True
