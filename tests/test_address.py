"""The rules for where a model's calls go."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from names import NAMES
from yarl import URL

from bytebuddy_provider_hf.address import (
    RETIRED_HOST,
    HostKind,
    is_loopback,
    origin_of,
    resolve,
)
from bytebuddy_provider_hf.address import ROUTER as ROUTER_ORIGIN
from bytebuddy_provider_hf.config.trust import origin_for, trusted_by_default
from bytebuddy_provider_hf.config.values import ModelEntry
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    InvalidEndpoint,
    InvalidModelId,
)

ROUTER = "https://router.huggingface.co/v1/chat/completions"
CONTROLS = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)


@pytest.mark.parametrize(
    ("base", "url"),
    [
        (None, ROUTER),
        ("https://router.huggingface.co", ROUTER),
        ("https://router.huggingface.co/v1/", ROUTER),
        ("https://ROUTER.huggingface.co:443/v1/chat/completions", ROUTER),
        ("https://api-inference.huggingface.co", ROUTER),
        ("https://api-inference.huggingface.co/models/a/b", ROUTER),
        (
            "https://router.huggingface.co/hf-inference/models/a/b",
            "https://router.huggingface.co/hf-inference/models/a/b/v1/chat/completions",
        ),
        (
            "https://x.us-east-1.aws.endpoints.huggingface.cloud",
            "https://x.us-east-1.aws.endpoints.huggingface.cloud/v1/chat/completions",
        ),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/chat/completions"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1/chat/completions"),
        ("https://h.example/v1/completions", "https://h.example/v1/chat/completions"),
        (
            "https://h.example/openai?api-version=1",
            "https://h.example/openai/v1/chat/completions?api-version=1",
        ),
    ],
)
def test_the_route_is_added_where_it_is_missing(base: str | None, url: str) -> None:
    """A full route is kept, /v1 gets the route, all else gets /v1 and the route."""
    assert resolve("a/b", base).chat_url == url


@pytest.mark.parametrize(
    ("provider", "route"),
    [
        ("together", "v1"),
        ("cohere", "compatibility/v1"),
        ("deepinfra", "v1/openai"),
        ("fireworks-ai", "inference/v1"),
        ("groq", "openai/v1"),
        ("novita", "v3/openai"),
        ("zai-org", "api/paas/v4"),
    ],
)
def test_a_routed_provider_keeps_its_own_routes_and_names(
    provider: str, route: str
) -> None:
    """https://router.huggingface.co/PROVIDER, asked for by the provider's model id."""
    base = f"https://router.huggingface.co/{provider}"
    target = resolve("accounts/fireworks/models/llama-v3", base)
    assert target.chat_url == f"{base}/{route}/chat/completions"
    with pytest.raises(InvalidModelId):
        resolve("accounts/fireworks/models/llama-v3")


def test_completions_stand_beside_chat() -> None:
    """Both routes come from the same base."""
    target = resolve("a/b", "https://h.example/v1/chat/completions")
    assert target.completions_url == "https://h.example/v1/completions"


def test_the_retired_host_is_rewritten_and_said() -> None:
    """The page's default host answers 410 for everything; the router serves instead."""
    target = resolve("a/b", "https://api-inference.huggingface.co")
    assert target.host_kind is HostKind.ROUTER
    assert "shut down" in target.notices[0]
    assert resolve("a/b").notices == ()


@pytest.mark.parametrize(
    "model",
    [
        "gpt2",
        "a/b",
        "meta-llama/Llama-2-70b-chat-hf",
        "a/b:fastest",
        "a/b:hf-inference",
    ],
)
def test_hub_ids_with_routing_suffixes_are_taken(model: str) -> None:
    """org/name, name alone, and the router's suffixes."""
    assert resolve(model).model == model


@pytest.mark.parametrize(
    "model",
    [
        "",
        "a/b/c",
        "../../api",
        "a/..",
        "a/b?x=1",
        "a/b#f",
        "a b",
        "a/b\r\nX: y",
        "http://evil",
        "//evil/x",
        "a/%2e%2e",
        "/a",
        "a/",
        "ａ/b",
        "a/b:",
        "x" * 300,
        "a/b\x00",
    ],
)
def test_what_is_no_hub_id_is_refused(model: str) -> None:
    """No id can leave its place in a URL."""
    with pytest.raises(InvalidModelId):
        resolve(model)


OWN = ("http://localhost:1", "https://h.example/v1", "https://x.hf.jobs/v1")


@pytest.mark.parametrize("base", [*OWN, "https://x.endpoints.huggingface.cloud"])
@pytest.mark.parametrize("model", NAMES)
def test_a_server_of_ones_own_may_call_its_model_anything(
    model: str, base: str
) -> None:
    """There the name travels in the body only; the Hub and its router take ids."""
    target = resolve(model, base)
    assert (target.model, target.chat_url) == (model, resolve("a/b", base).chat_url)
    for hub in (None, "https://huggingface.co"):
        with pytest.raises(InvalidModelId):
            resolve(model, hub)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp"))))
def test_any_line_of_text_is_a_name(model: str) -> None:
    """But for one that shows nothing."""
    if model.strip():
        assert resolve(model, OWN[0]).model == model


@pytest.mark.parametrize("base", OWN)
@pytest.mark.parametrize(
    "model",
    ["", "  ", "x" * 1_025, "\ud800", *(f"a{chr(code)}b" for code in CONTROLS)],
)
def test_a_name_is_one_line_that_can_be_sent(model: str, base: str) -> None:
    """No control character reaches a screen, a log or a header; the error has none."""
    with pytest.raises(InvalidModelId) as caught:
        resolve(model, base)
    assert not any(chr(code) in str(caught.value) for code in CONTROLS)
    assert len(str(caught.value)) < 700
    assert "/v1/models" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "base",
    [
        "api-inference.huggingface.co",
        "ftp://h.example",
        "file:///etc/passwd",
        "https://",
        "https:///v1",
        "https://user:pass@h.example",
        "https://h.example/#f",
        "https://h.example/a b",
        "https://h.example/\r\nHost: evil",
        "https://h.example:99999",
        "https://h.example:0",
        "https://h.example/../x",
        "https://h.example/%2e%2E/x",
        "https://h.example/..%2fx",
        "https://h.example/a/..%5Cx",
        "https://2130706433",
        "https://127.1",
        "https://0x7f.0.0.1",
        "https://[::1%25eth0]",
        "https://[::1",
        "https://a..b",
        "https://-h",
        "https://пример.рф",
        "https://h.example\\@evil",
        "https://h.example/\ud800",
        "https://h.example/\x85x",
        "https://h.example/é",
        "https://h.example?q=中",
        "https://h.example。evil",
        "https://h.example%2eevil",
        "https://h.example:443@evil",
        "http://localhost@evil",
        "http://localhost\t.evil",
        "http://127.0.0.1%2fevil",
        "http://017700000001",
        "http://0",
        "https://" + "x" * 3_000,
    ],
)
def test_what_is_no_usable_base_is_refused(base: str) -> None:
    """Each with one error class, and none of it reaches a socket."""
    with pytest.raises(InvalidEndpoint):
        resolve("a/b", base)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("a.localhost", False),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:128.0.0.1", False),
        ("[::1]", True),
        ("128.0.0.1", False),
        ("localhost.evil.com", False),
        ("0.0.0.0", False),
        ("::", False),
        ("127.0.0.1.evil.com", False),
        ("127.1", False),
        ("ip6-localhost", False),
    ],
)
def test_loopback_is_told_exactly(host: str, expected: bool) -> None:
    """A name that merely contains localhost is another machine."""
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    ("base", "place"),
    [
        ("https://x.endpoints.huggingface.cloud", HostKind.ENDPOINT),
        ("https://endpoints.huggingface.cloud.evil.com", HostKind.OTHER),
        ("https://6a2b--8000.hf.jobs/v1", HostKind.JOB),
        ("https://hf.jobs", HostKind.OTHER),
        ("https://hf.jobs.evil.com", HostKind.OTHER),
        ("https://6a2b--8000.evilhf.jobs", HostKind.OTHER),
        ("https://huggingface.co.evil.com", HostKind.OTHER),
        ("https://nothuggingface.co", HostKind.OTHER),
        ("https://huggingface.co/v1", HostKind.HUB),
    ],
)
def test_hugging_faces_hosts_are_told_exactly(base: str, place: HostKind) -> None:
    """A look-alike host is not Hugging Face's, so no token goes there unasked."""
    assert resolve("a/b", base).host_kind is place


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://A.Example", "https://a.example"),
        ("HTTPS://a.example:443/v1?x", "https://a.example"),
        ("http://a.example:80", "http://a.example"),
        ("http://a.example:443", "http://a.example:443"),
        ("https://a.example.:8443/", "https://a.example:8443"),
        ("https://a.example:", "https://a.example"),
        ("http://[0:0::1]:80/", "http://[::1]"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://[0:0:0:0:0:0:0:1]:80", "http://[::1]"),
        ("http://[::ffff:127.0.0.1]:9", "http://127.0.0.1:9"),
        ("http://[::FFFF:7f00:1]:09", "http://127.0.0.1:9"),
        (" https://a.example\n", "https://a.example"),
    ],
)
def test_an_origin_has_one_spelling(address: str, origin: str) -> None:
    """Case, default ports and the last dot make no difference."""
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a.example",
        "//a.example",
        "ftp://a",
        "file:///etc",
        "https:///x",
        "https://",
        "https://user@a.example",
        "https://u:p@a.example",
        "https://@a.example",
        "https://a.example:0",
        "https://a.example:99999",
        "https://a.example:x",
        "https://a b.example",
        "https://a\nb",
        "https://a.example\\@evil",
        "https://a..b",
        "https://a%2eb",
        "https://[::1",
        "https://[zz]",
        "https://a\tb",
        "https:a.example",
        "https://router.huggingface\uff0eco",
        "https://\uff52outer.huggingface.co",
        "https://a\u202eb",
        "javascript:alert(1)",
        "https://a,b",
        "https://bücher.example",
        "https://a.example/#x",
        "http://2130706433",
        "https://1.1.1.1.",
        "https://[::1]evil.example",
        "https://evil.example[::1]",
        "https://[127.0.0.1]",
        "https://[::1%25eth0]",
    ],
)
def test_what_is_read_differently_somewhere_is_refused(address: str) -> None:
    """No user name, no strange port, no letters that only look right."""
    with pytest.raises(InvalidEndpoint):
        origin_of(address)


HOSTS = st.one_of(
    st.sampled_from(
        [
            "router.huggingface.co",
            "Router.HuggingFace.CO.",
            "huggingface.co",
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "127.1",
            "1.1.1.1.",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::FFFF:7F00:1]",
            "[2001:DB8::0:1]",
            "[::1]evil",
            "xn--bcher-kva.example",
            "bücher.example",
            "user@a.example",
            "a.example\\@b.example",
            "a.example%2eb",
        ]
    ),
    st.from_regex(r"[a-zA-Z0-9._\[\]:%@-]{1,20}", fullmatch=True),
    st.ip_addresses().map(lambda ip: f"[{ip}]" if ip.version == 6 else str(ip)),
)
BASES = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["https://", "http://", "HTTPS://", "https:", " http://"]),
    HOSTS,
    st.sampled_from(["", ":", ":443", ":0443", ":80", ":8080", ":0", ":65536"]),
    st.sampled_from(["", "/", "/v1", "/%2e%2e/x", "?q=1", "/v1#f", "/a b", "\t"]),
)


@given(BASES)
def test_trust_judges_the_origin_that_is_connected_to(base: str) -> None:
    """As aiohttp sees it: yarl's reading of the URL that is sent, host and port."""
    entry = ModelEntry(name="a", provider="p", model="a/b", api_base=base)
    try:
        judged = origin_for(entry)
    except InvalidEndpoint:
        with pytest.raises(InvalidEndpoint):
            resolve("a/b", base)
        return
    for sent in (resolve("a/b", base).chat_url, resolve("a/b", base).completions_url):
        url = URL(sent, encoded=True)
        assert str(url.origin()) == judged
        # Nor does yarl read another host into the spelling that a person wrote.
        written = URL(base.strip())
        assert (url.scheme, url.port) == (written.scheme, written.port)
        assert same_host(url.raw_host or "", written.raw_host or "")
    assert origin_of(judged) == judged


def same_host(one: str, other: str) -> bool:
    """Tell whether two hosts are one name or one address."""
    if ":" not in other:
        return one == other.removesuffix(".")
    address = ipaddress.IPv6Address(other)
    return ipaddress.ip_address(one) == (address.ipv4_mapped or address)


def test_the_retired_host_is_the_one_that_is_judged_apart() -> None:
    """Calls go to the router instead, which is trusted like it."""
    base = f"https://{RETIRED_HOST}"
    assert resolve("a/b", base).origin == ROUTER_ORIGIN
    assert trusted_by_default(origin_of(base))
    assert trusted_by_default(ROUTER_ORIGIN)
    # An address that sends in the clear, or elsewhere, is asked about all the same.
    assert not trusted_by_default(origin_of(f"http://{RETIRED_HOST}"))
    assert not trusted_by_default(origin_of(f"{base}:8443"))


TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


@given(TEXT, TEXT)
def test_any_id_and_path_keep_origin_and_prefix(model: str, path: str) -> None:
    """Whatever is asked, the URL stays at the configured host, below its path."""
    try:
        target = resolve(model, f"https://h.example/base/{path}")
    except ByteBuddyError:
        return
    parts = urlsplit(target.chat_url)
    assert (parts.scheme, parts.netloc) == ("https", "h.example")
    assert parts.path.startswith("/base")
    assert "/../" not in parts.path
