"""Pages for a person who opens a node's address in a browser: that Weir runs, and where to read on.

Plain HTML without scripts, forms or anything from elsewhere, and a policy that allows nothing but
the page's own style (Content Security Policy level 3, w3.org/TR/CSP3). Pure.
"""

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Final

from weir import __version__

_STYLE = (
    "body{max-width:40em;margin:4em auto;padding:0 1em;font:1rem/1.5 system-ui,sans-serif}"
    "code{font:0.95em ui-monospace,monospace}"
    ":root{color-scheme:light dark}"
)
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none';"
        " form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
}
"""What every page is sent with."""

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>{style}</style>
{content}
</html>
"""

_FRONT = """<h1>Weir runs here</h1>
<p>This node (version {version}) takes events over HTTP and answers SQL over them. It has no pages
of its own; programs and the command line talk to it.</p>
<ul>
<li>Is it ready? <a href="/readyz">/readyz</a>, <a href="/v1/health">/v1/health</a></li>
<li>All that it can be asked over HTTP: <a href="/openapi.json">/openapi.json</a></li>
{documentation}<li>On the node's own machine: <code>weir keys create</code> makes an API key,
<code>weir send</code> sends events, <code>weir query</code> asks for them, <code>weir --help</code>
lists all commands.</li>
<li>Guides and references lie beside the program's source, in <code>README.md</code> and
<code>docs/</code>.</li>
</ul>"""

_MISSING = """<h1>There is nothing at this path</h1>
<p>Weir runs here, and <a href="/">its first page</a> says where to read on.</p>"""


def wants_page(*, method: str, accept: str) -> bool:
    """Whether a browser asks, to show the answer to a person: nothing else names HTML."""
    return method in ("GET", "HEAD") and "text/html" in accept.lower()


def front_page(*, docs_url: str) -> str:
    """The page at ``/``. ``docs_url`` is where the operator sends people."""
    documentation = ""
    if docs_url.startswith(("http://", "https://")) and not docs_url.endswith("/openapi.json"):
        shown = escape(docs_url, quote=True)
        documentation = f'<li>Documentation: <a href="{shown}">{shown}</a></li>\n'
    return _page("Weir", _FRONT.format(version=escape(__version__), documentation=documentation))


def missing_page() -> str:
    """The page of a path that the node has not."""
    return _page("Nothing here - Weir", _MISSING)


def _page(title: str, content: str) -> str:
    return _PAGE.format(title=title, style=_STYLE, content=content)
