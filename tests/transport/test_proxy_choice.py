"""The rules of which proxy, if any, a request goes through."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.transport.http_client import destination_for
from bytebuddy_provider_hf.transport.proxies import proxy_for

PASSWORD = "Canary0815%40OfTheProxy"  # %40 is an @
PLAIN = "Canary0815@OfTheProxy"

HTTPS, HTTP = "https://model.test", "http://model.test"
E = "http://env.test:1"
F = "http://other.test:2"


@pytest.mark.parametrize(
    ("origin", "option", "env", "expected"),
    [
        (HTTPS, None, {}, None),
        (HTTPS, None, {"HTTPS_PROXY": E}, E),
        (HTTPS, None, {"https_proxy": E}, E),
        (HTTPS, None, {"HTTPS_PROXY": E, "https_proxy": F}, F),
        (HTTPS, None, {"HTTPS_PROXY": E, "https_proxy": ""}, None),
        (HTTPS, None, {"HTTP_PROXY": E}, None),
        (HTTP, None, {"HTTP_PROXY": E}, E),
        (HTTP, None, {"http_proxy": E}, E),
        (HTTP, None, {"HTTPS_PROXY": E}, None),
        (HTTP, None, {"HTTP_PROXY": E, "REQUEST_METHOD": "GET"}, None),
        (HTTP, None, {"http_proxy": E, "REQUEST_METHOD": "GET"}, E),
        (HTTPS, None, {"ALL_PROXY": E}, E),
        (HTTP, None, {"all_proxy": E}, E),
        (HTTPS, None, {"ALL_PROXY": E, "HTTPS_PROXY": F}, F),
        (HTTPS, F, {"HTTPS_PROXY": E}, F),
        (HTTPS, "", {"HTTPS_PROXY": E}, None),
        (HTTPS, "proxy.test:3128", {}, "http://proxy.test:3128"),
        (HTTPS, "https://proxy.test", {}, "https://proxy.test:443"),
        (HTTPS, "http://[::1]:3128/", {}, "http://[::1]:3128"),
        ("http://127.0.0.1:8080", None, {"HTTP_PROXY": E}, None),
        ("https://localhost", None, {"ALL_PROXY": E}, None),
        ("http://[::1]:8080", None, {"HTTP_PROXY": E}, None),
        ("http://127.0.0.1:8080", F, {}, F),
        (HTTPS, F, {"NO_PROXY": "model.test"}, None),
    ],
)
def test_which_proxy_it_is(
    origin: str, option: str | None, env: Mapping[str, str], expected: str | None
) -> None:
    """The option, then the scheme's variable, then ALL_PROXY; lower case first."""
    found = proxy_for(origin, RequestOptions(proxy=option), env)
    assert (None if found is None else found.url) == expected


@pytest.mark.parametrize(
    ("pattern", "origin", "direct"),
    [
        ("*", "https://a.b", True),
        ("a.b", "https://a.b", True),
        ("A.B.", "https://a.b", True),
        ("a.b", "https://xa.b", False),
        ("*.b.c", "https://a.b.c", True),
        ("*.b.c", "https://x.a.b.c", True),
        ("*.b.c", "https://b.c", False),
        (".b.c", "https://a.b.c", True),
        (".b.c", "https://b.c", True),
        (".b.c", "https://ab.c", False),
        ("a.b:443", "https://a.b", True),
        ("a.b:8443", "https://a.b", False),
        ("a.b:8443", "https://a.b:8443", True),
        ("*.b:80", "http://a.b", True),
        ("a.b:x", "https://a.b", False),
        ("10.0.0.1", "http://10.0.0.1", True),
        ("10.0.0.1:80", "http://10.0.0.1:81", False),
        ("10.0.0.1", "http://10.0.0.11", False),
        ("10.0.0.0/8", "http://10.200.3.4", True),
        ("10.0.0.1/8", "http://10.200.3.4", True),
        ("10.0.0.0/8", "http://11.0.0.1", False),
        ("10.0.0.0/99", "http://10.0.0.1", False),
        ("10.0.0.0/8:80", "http://10.0.0.1", True),
        (".0.0.1", "http://10.0.0.1", False),
        ("fd00::/8", "http://[fd00::1]", True),
        ("[fd00::1]:80", "http://[fd00::1]", True),
        ("[fd00::1]:81", "http://[fd00::1]", False),
        ("fd00::1", "http://[fd00:0::1]", True),
        ("10.0.0.0/8", "http://[fd00::1]", False),
        ("x, a.b", "https://a.b", True),
        ("x a.b", "https://a.b", True),
        ("", "https://a.b", False),
        (".", "https://a.b", False),
        ("*.", "https://a.b", False),
        (",,", "https://a.b", False),
    ],
)
def test_who_is_asked_directly(pattern: str, origin: str, direct: bool) -> None:
    """Host, suffix, port, address and network, of the option and of the variable."""
    listed = RequestOptions(proxy=E, no_proxy=(pattern,))
    assert (proxy_for(origin, listed, {}) is None) == direct
    for name in ("NO_PROXY", "no_proxy"):
        env = {"ALL_PROXY": E, name: pattern}
        assert (proxy_for(origin, RequestOptions(), env) is None) == direct


def test_a_name_in_the_variable_stands_for_what_is_below_it() -> None:
    """As curl, Go and Python read NO_PROXY; in the file a name is that host."""
    below = "https://a.b.c"
    env = {"ALL_PROXY": E, "NO_PROXY": "b.c"}
    assert proxy_for(below, RequestOptions(), env) is None
    assert proxy_for(below, RequestOptions(proxy=E, no_proxy=("b.c",)), {}) is not None


def test_nothing_shows_the_user_of_a_proxy() -> None:
    """No repr of what holds it."""
    address = f"http://somebody:{PASSWORD}@proxy.test:3128"
    options = RequestOptions(proxy=address)
    destination = destination_for(HTTPS, None, options, env={})
    texts = [repr(options), repr(destination), repr(destination.proxy)]
    assert destination.proxy is not None
    texts += [destination.proxy.url, destination.proxy.place, destination.options_key]
    for text in texts:
        for secret in ("somebody", PASSWORD, PLAIN):
            assert secret not in text


def test_ways_that_differ_share_no_connection() -> None:
    """Another proxy, user, authority: another key."""
    user, other = "http://a:b@p.test:1", "http://a:c@p.test:1"
    options = [RequestOptions(proxy=each) for each in (None, user, other)]
    keys = [destination_for(HTTPS, None, each, env={}).options_key for each in options]
    env = {"SSL_CERT_FILE": "/a"}
    keys.append(destination_for(HTTPS, None, RequestOptions(), env=env).options_key)
    env = {"https_proxy": "http://p.test:1"}
    keys.append(destination_for(HTTPS, None, RequestOptions(), env=env).options_key)
    assert len(set(keys)) == 5
