"""`links`: where links and images may lead, and what they may carry."""

from __future__ import annotations

import pytest
from ready_made import build, find, reason_of, redact, stream

from specspan.checks.check import CheckConfigError

HOSTS = {"hosts": ["example.com", "*.docs.example", "bücher.example"], "images": ["cdn.example.com"]}
LINKS = build("links", HOSTS)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("see https://evil.test/a", "host_not_allowed"),
        ("see http:evil, and HTTPS://EVIL.TEST", "host_not_allowed"),
        ("[a](//evil.test/x)", "host_not_allowed"),
        ("https://example.com@evil.test/", "host_not_allowed"),
        ("https://example.com.evil.test/", "host_not_allowed"),
        ("https:\\\\evil.test\\a", "host_not_allowed"),
        ("https://docs.example/", "host_not_allowed"),  # *. stands for what is below it
        ("https://еxample.com/", "host_not_allowed"),  # a Cyrillic е
        ("![x](https://evil.test/pixel.png)", "image_not_allowed"),
        ("<img width=1 src='//evil.test/x'>", "image_not_allowed"),
        ("![x](https://example.com/logo.png)", "image_not_allowed"),
        ("![x](https://evil.test/p.png?d=the+code+is+hidden+here)", "data_in_link"),
        ("https://evil.test/?q=name%20is%20joe%20bloggs", "data_in_link"),
        ("https://evil.test/aGVsbG8gd29ybGQgdGhpcyBpcyBhIGxvbmcgc2VjcmV0IHZhbHVlMTIz", "data_in_link"),
        ("[click](javascript:alert)", "scheme_not_allowed"),
        ("<a href='data:text/html;base64,x'>", "scheme_not_allowed"),
        ("[bank.example](https://example.com/x)", "misleading_link"),
    ],
)
def test_each_way_out_is_found(text: str, reason: str) -> None:
    """In Markdown, HTML and plain text, however the host is written."""
    assert reason_of(LINKS, text) == reason


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/a?b=c.",
        "(see https://example.com)",
        "https://a.b.docs.example/path",
        "https://xn--bcher-kva.example/",
        "https://EXAMPLE.com.:443/",
        "[www.example.com](https://example.com/)",
        "![x](https://cdn.example.com/a.png)",
        "https://example.com/?q=a+whole+sentence+is+here",  # a host that is named may be told
        "1://2 and C:\\\\folder",
    ],
)
def test_what_is_allowed_stays(text: str) -> None:
    """Hosts are compared as browsers read them."""
    assert find(LINKS, text) == []


def test_without_hosts_only_images_and_data_are_looked_at() -> None:
    """Which is what a model without allowed hosts needs most."""
    check = build("links")
    assert find(check, "see https://anything.test/a") == []
    assert reason_of(check, "![x](https://anything.test/a.png)") == "image_not_allowed"


def test_a_link_is_redacted_as_a_whole() -> None:
    """The words around it stay."""
    assert redact(LINKS, "See [this](https://evil.test/a?b) now.") == "See [this]([redacted:host_not_allowed]) now."


def test_a_stream_is_cut_once_the_link_is_complete() -> None:
    """A host that is half there is not judged: it may become an allowed one."""
    text = "See https://example.com/a and https://exa"
    assert stream(LINKS, *text, "mple.com/b for more") == (f"{text}mple.com/b for more", None)
    released, cut = stream(LINKS, *text, "ct.test/", "b for more")
    assert (released, cut is not None) == (f"{text}ct.test/", True)


def test_a_host_with_a_path_is_refused() -> None:
    """It could never match."""
    with pytest.raises(CheckConfigError, match=r"invalid host 'example\.com/a'") as caught:
        build("links", {"hosts": ["ok.example", "example.com/a"]})
    assert caught.value.key == "hosts.1"
