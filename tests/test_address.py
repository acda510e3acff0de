"""The rules for where a model's calls go."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.address import HostKind, is_loopback, resolve
from bytebuddy_provider_hf.errors import (
    ByteBuddyError,
    InvalidEndpoint,
    InvalidModelId,
)

ROUTER = "https://router.huggingface.co/v1/chat/completions"


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


@pytest.mark.parametrize("model", ["/repository", "qwen2.5:7b", "models/a/b.gguf"])
def test_a_server_of_ones_own_may_call_its_model_anything(model: str) -> None:
    """There the id travels in the body only; still no traversal."""
    assert resolve(model, "http://localhost:1").model == model
    with pytest.raises(InvalidModelId):
        resolve(f"{model}/../x", "http://localhost:1")


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
        ("https://huggingface.co.evil.com", HostKind.OTHER),
        ("https://nothuggingface.co", HostKind.OTHER),
        ("https://huggingface.co/v1", HostKind.HUB),
    ],
)
def test_hugging_faces_hosts_are_told_exactly(base: str, place: HostKind) -> None:
    """A look-alike host is not Hugging Face's, so no token goes there unasked."""
    assert resolve("a/b", base).host_kind is place


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
