"""Origins of a key's list: as a browser sends them, or refused in words."""

import pytest

from weir.control.origins import browser_origin
from weir.control.records import KeyChange, KeyFilter, KeyRequest
from weir.control.service import ControlService
from weir.errors import InvalidInput
from weir.node.registry import RegistryView


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("https://www.example.org", "https://www.example.org"),
        ("HTTPS://WWW.Example.org", "https://www.example.org"),
        ("https://www.example.org:443", "https://www.example.org"),
        ("http://www.example.org:80", "http://www.example.org"),
        ("http://www.example.org:443", "http://www.example.org:443"),
        ("https://www.example.org:08443", "https://www.example.org:8443"),
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ("https://MÜNCHEN.example:8443", "https://xn--mnchen-3ya.example:8443"),
        ("https://mu\u0308nchen.example", "https://xn--mnchen-3ya.example"),
        ("https://例え.example", "https://xn--r8jz45g.example"),
        ("https://xn--strae-oqa.example", "https://xn--strae-oqa.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://192.0.2.7:8080", "http://192.0.2.7:8080"),
        ("http://[0:0::1]:3000", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"),
    ],
)
def test_origin_is_kept_as_a_browser_sends_it(text: str, sent: str) -> None:
    """Lower case, punycode, the shortest address, no default port; done twice it stays."""
    assert browser_origin(text) == sent
    assert browser_origin(sent) == sent


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://*.example.org", "wildcard"),
        ("*", "wildcard"),
        ("null", "scheme://host"),
        ("www.example.org", "scheme://host"),
        ("https://www.example.org/", "scheme://host"),
        ("https://user@www.example.org", "scheme://host"),
        ("https://www.example.org:", "scheme://host"),
        (f"https://{'a' * 400}", "scheme://host"),
        ("https://www.example.org:0", "port"),
        ("https://www.example.org:65536", "port"),
        ("https://straße.example", "xn--"),
        (f"https://{'ü' * 70}.example", "xn--"),
        ("https://www..example", "no browser sends"),
        ("https://www%20.example", "no browser sends"),
        ("ftp://files.example.org", "origin of no page"),
        ("FTP://x", "origin of no page"),
        ("ws://www.example.org", "origin of no page"),
        ("wss://www.example.org", "origin of no page"),
        ("file://x", "origin of no page"),
        ("data://x", "origin of no page"),
        ("http://127.1", "address"),
        ("http://0x7f.1", "address"),
        ("http://[1:2]", "address"),
    ],
)
def test_what_no_browser_sends_is_refused_in_words(text: str, words: str) -> None:
    """Each tells what is wrong with it."""
    with pytest.raises(ValueError, match=words):
        browser_origin(text)


def test_keys_hold_origins_as_browsers_send_them(
    service: ControlService, view: RegistryView
) -> None:
    """Made or changed, each once; a wildcard stores nothing."""
    given = ("https://www.Example.org:443", "https://www.example.org", "https://münchen.example")
    kept = ("https://www.example.org", "https://xn--mnchen-3ya.example")
    made = service.keys.create(KeyRequest(origins=given))
    assert made.key.origins == kept
    service.keys.change(KeyChange(id=made.key.id, origins=given[::-1]))
    assert view.current().authenticate(made.text, now_us=0).origins == kept[::-1]
    with pytest.raises(InvalidInput, match="wildcard"):
        service.keys.change(KeyChange(id=made.key.id, origins=("https://*.example.org",)))
    assert service.keys.list(KeyFilter())[-1].origins == kept[::-1]
