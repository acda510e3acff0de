"""Two requests share an answer only if a server would take them for the same."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from attrs import evolve, fields_dict, frozen
from client.harness import MODEL
from client.kept import KEY, Kept, asks
from hypothesis import assume, given
from hypothesis import strategies as st

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.client.cached_call import ModelCache
from bytebuddy_provider_hf.client.endpoint import endpoint_for
from bytebuddy_provider_hf.config.stored_files import ANSWERS
from bytebuddy_provider_hf.config.values import CacheOptions, RequestOptions
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_reply, json_reply
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.wire.dialects.tei import Tei
from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.http_request import HttpRequest
from bytebuddy_provider_hf.wire.server import Server


@frozen
class Asked:
    """What decides an answer."""

    token: str | None = "hf_one_token"
    origin: str | None = None
    bill_to: str | None = None
    model: str = "org/name"
    header: str | None = None
    revision: str | None = None
    loaded: str | None = None
    path: str = "/v1/chat/completions"
    accept: str = "application/json"
    body: str = '{"messages":[]}'


def key_of(asked: Asked) -> bytes | None:
    """Return the key of a request as a call makes it."""
    target = resolve(asked.model, asked.origin)
    secret = None if asked.token is None else Credential(Secret(asked.token), "apiKey")
    headers = {} if asked.header is None else {"X-Variant": Secret(asked.header)}
    endpoint = endpoint_for(
        target, secret, RequestOptions(headers=headers), env={}, bill_to=asked.bill_to
    )
    cache = ModelCache.of(endpoint, CacheOptions("all"), Path("/nonexistent"))
    server = Server(loaded_model=asked.loaded, revision=asked.revision)
    url = f"{target.origin}{asked.path}"
    request = HttpRequest(url, asked.body.encode(), asked.accept)
    sent: Any = SimpleNamespace(
        plan=SimpleNamespace(http_request=request), server=server
    )
    return cache.key(sent)


NAMES = st.sampled_from(["a", "b", "ab", "a b", "A"])
ASKED = st.builds(
    Asked,
    token=st.sampled_from([None, "hf_one_token", "hf_two_token", "hf_one_token1"]),
    origin=st.sampled_from([None, "https://a.example", "https://a.example:8443"]),
    bill_to=st.sampled_from([None, "one", "two"]),
    model=st.sampled_from(["org/name", "org/names", "org/name:groq"]),
    header=st.sampled_from([None, "one", "two"]),
    revision=st.sampled_from([None, "abc", "abd"]),
    loaded=st.sampled_from([None, "abc", "org/name"]),
    path=st.sampled_from(["/v1/chat/completions", "/v1/completions", "/x?key=1"]),
    accept=st.sampled_from(["application/json", "text/event-stream"]),
    body=st.sampled_from(['{"messages":[]}', '{"messages":[1]}']),
)


@given(ASKED, ASKED)
def test_what_differs_in_anything_shares_nothing(one: Asked, other: Asked) -> None:
    """Two keys, origins, payers, revisions, models, headers, routes or bodies."""
    # Who pays is told to Hugging Face only.
    assume(one.origin is None or one.bill_to is None)
    assume(other.origin is None or other.bill_to is None)
    assert (key_of(one) == key_of(other)) is (one == other)


@pytest.mark.parametrize("name", fields_dict(Asked))
def test_each_fact_counts(name: str) -> None:
    """A fact that is left out of the key is found by the test above, slowly."""
    other = {
        "origin": "https://a.example",
        "body": "[]",
        "path": "/v1/completions",
        "accept": "text/event-stream",
    }
    changed = evolve(Asked(), **{name: other.get(name, "another")})
    assert key_of(changed) != key_of(Asked())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, -0.0, 1.0, 1.5, 1e300])
    | st.sampled_from(["", "1", "é", "e\u0301", "\ud7ff", "a\nb", "null"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "b", "é", "e\u0301"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def typed(value: object) -> object:
    """Return what two JSON values have in common if they are the same."""
    if isinstance(value, dict):
        return "object", sorted(
            (name, repr(typed(each))) for name, each in value.items()
        )
    if isinstance(value, list):
        return "array", [typed(each) for each in value]
    return type(value).__name__, repr(value)


@given(JSON, JSON)
def test_bodies_are_the_same_whatever_the_order_of_members(
    one: object, other: object
) -> None:
    """1, 1.0, true and "1" differ, and so do texts that only look alike."""
    bodies = [msgspec.json.encode({"x": each}).decode() for each in (one, other)]
    keys = [key_of(Asked(body=body)) for body in bodies]
    assert (keys[0] == keys[1]) is (typed(one) == typed(other))


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4), st.integers(0, 3))
def test_another_order_is_the_same_request(body: dict[str, object], first: int) -> None:
    """As a mapping of a configuration file may have."""
    members = list(body.items())
    turned = dict([*members[first:], *members[:first]])
    keys = [
        key_of(Asked(body=msgspec.json.encode(each).decode()))
        for each in (body, turned)
    ]
    assert keys[0] == keys[1]


def test_a_name_that_is_written_twice_loses_nothing() -> None:
    """Python makes one of two members; then the bytes themselves are compared."""
    bodies = ['{"a":1,"a":2}', '{"a":2}', '{"a":2,"a":2}', '{"a":3,"a":2}']
    keys = {key_of(Asked(body=body)) for body in bodies}
    assert len(keys) == len(bodies)


@pytest.mark.parametrize("body", ["", "no json", "[" * 100_000])
def test_what_is_no_json_has_no_key(body: str) -> None:
    """It is sent, and not kept."""
    assert key_of(Asked(body=body)) is None


def test_sessions_and_processes_are_no_part_of_it() -> None:
    """The bill is grouped by them; an answer is the same in each."""
    keys = set()
    for session in (None, "one", "two"):
        headers = {} if session is None else {"X-HF-Session-id": Secret(session)}
        target = resolve("org/name", None)
        endpoint = endpoint_for(target, None, RequestOptions(headers=headers), env={})
        cache = ModelCache.of(endpoint, CacheOptions("all"), Path("/nonexistent"))
        request = HttpRequest(target.chat_url, b"{}")
        sent: Any = SimpleNamespace(
            plan=SimpleNamespace(http_request=request), server=Server()
        )
        keys.add(cache.key(sent))
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("kind", "more"), [(Tgi, {"max_total_tokens": 9}), (Tei, {"model_type": "x"})]
)
def test_servers_tell_the_revision_of_their_model(
    kind: type[Server], more: dict[str, object]
) -> None:
    """``model_sha`` of ``/info``; ``null`` where the weights are of a folder."""
    told = kind.from_info({"model_id": "a/b", "model_sha": "c0ffee", **more})
    assert told is not None
    assert told.revision == "c0ffee"
    untold = kind.from_info({"model_id": "a/b", "model_sha": None, **more})
    assert untold is not None
    assert untold.revision is None


@virtual_time
async def test_programs_with_other_keys_share_no_answer(tmp_path: Path) -> None:
    """In one folder, for the same question: each asks the server itself, once."""
    kept = Kept(tmp_path)
    sha = ["one"]

    async def answer(request: FakeRequest) -> FakeReply:
        if request.path == "/info":
            told = {"max_total_tokens": 4_096, "model_id": "a/b", "model_sha": sha[0]}
            return json_reply(told)
        if request.method == "GET":
            return FakeReply(status=404)
        # Not the key itself: an answer with it is not kept.
        who = len(request.headers["authorization"])
        return chat_reply(f"for {who}, {sha[0]}")

    kept.handler = answer
    seen = set()
    for base in ("https://a.endpoints.huggingface.cloud", "https://b.example"):
        for key in (KEY, f"{KEY}2", f"{KEY}22"):
            for revision in ("one", "two"):
                sha[0] = revision
                for _ in range(2):
                    async with kept.model(base=base, key=key) as model:
                        seen.add((base, (await asks(model)).text))
    assert len(kept.asked) == len(seen) == 2 * 3 * 2


@virtual_time
async def test_the_file_has_no_token_and_no_question(tmp_path: Path) -> None:
    """Only what the server answered."""
    kept = Kept(tmp_path)

    async def answer(_request: FakeRequest) -> FakeReply:
        return chat_reply("THE ANSWER")

    kept.handler = answer
    headers = RequestOptions(headers={"X-Other": Secret("another-secret-of-mine")})
    async with kept.model(requests=headers, name=MODEL) as model:
        await asks(model, "THE QUESTION")
    content = (tmp_path / ANSWERS.name).read_bytes()
    assert b"THE ANSWER" in content
    for secret in (KEY, "THE QUESTION", "another-secret-of-mine"):
        assert secret.encode() not in content
