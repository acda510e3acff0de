"""Reading what the Hub says of a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import recorded

from bytebuddy_provider_hf.hub.model_facts import ModelFacts, family_of
from bytebuddy_provider_hf.hub.models_api import info_request, read_model, repository
from bytebuddy_provider_hf.prompts.family import ModelKind

NEW = "somebody/new"
_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


def facts(**said: object) -> ModelFacts:
    found = read_model(json.dumps({"id": NEW, **said}).encode())
    assert found is not None
    return found


def test_the_hub_is_asked_for_what_is_read_and_no_more() -> None:
    """One GET at huggingface.co, every field named."""
    asked = info_request(NEW)
    parts = urlsplit(asked.url)
    assert (asked.method, asked.body, asked.headers) == ("GET", b"", ())
    assert (parts.scheme, parts.netloc) == ("https", "huggingface.co")
    assert parts.path == f"/api/models/{NEW}"
    names = {value for name, value in parse_qsl(parts.query) if name == "expand[]"}
    assert {"baseModels", "config", "gguf", "pipeline_tag", "gated"} <= names
    assert "siblings" not in names


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("owner/name", "owner/name"),
        ("owner/name:groq", "owner/name"),
        ("O-1/na.me_x", "O-1/na.me_x"),
        ("name", None),
        ("tgi", None),
        ("/repository", None),
        ("a/b/c", None),
        ("owner/..", None),
        ("owner/na..me", None),
        ("owner/name?x=1", None),
        ("owner/name\n", None),
        ("", None),
    ],
)
def test_only_an_owner_and_a_name_are_asked_about(
    model: str, asked: str | None
) -> None:
    """Nothing else is an id of the Hub, and nothing else gets into its URL."""
    assert repository(model) == asked


@pytest.mark.parametrize(
    "said",
    [
        {"baseModels": {"relation": "finetune", "models": [{"id": "a/b"}]}},
        {"baseModels": [{"id": "a/b"}]},
        {"baseModels": ["a/b"]},
        {"cardData": {"base_model": "a/b"}},
        {"cardData": {"base_model": ["a/b"]}},
        {"config": {"peft": {"base_model_name_or_path": "a/b"}}},
        {"baseModels": {"models": [{"id": "a/b"}]}, "cardData": {"base_model": "a/b"}},
    ],
)
def test_a_base_model_is_read_wherever_it_stands(said: dict[str, object]) -> None:
    """The Hub's own reading, the card's, the adapter's; each id once."""
    assert facts(**said).base_models == ("a/b",)


@pytest.mark.parametrize(
    "said", ["../../etc", "https://x.example/a/b", "a b/c", "", 5, None, NEW, {}]
)
def test_what_is_no_other_models_id_is_no_base_model(said: object) -> None:
    """Cards are written by hand: paths, links, and the model itself."""
    assert facts(cardData={"base_model": said}).base_models == ()


@pytest.mark.parametrize(
    "said",
    [
        {"gguf": {"chat_template": "T"}},
        {"config": {"chat_template_jinja": "T"}},
        {"config": {"tokenizer_config": {"chat_template": "T"}}},
        {"config": {"processor_config": {"chat_template": "T"}}},
        {
            "config": {
                "tokenizer_config": {
                    "chat_template": [
                        {"name": "tool_use", "template": "U"},
                        {"name": "default", "template": "T"},
                    ]
                }
            }
        },
    ],
)
def test_a_chat_template_is_read_wherever_it_stands(said: dict[str, object]) -> None:
    """In the weights, a file of its own, a configuration, or a list of named ones."""
    assert facts(**said).chat_template == "T"


def test_a_template_without_end_is_kept_to_a_bound() -> None:
    """A stranger wrote it."""
    long = facts(config={"chat_template_jinja": "x" * 1_000_000}).chat_template
    assert long is not None
    assert len(long) < 100_000


@pytest.mark.parametrize(
    ("said", "gated"), [(False, False), ("auto", True), ("manual", True), (None, False)]
)
def test_a_licence_to_accept_is_told(said: object, gated: bool) -> None:
    """By hand or by itself, the files want somebody who agreed."""
    assert facts(gated=said).gated is gated


@pytest.mark.parametrize(
    ("said", "window"),
    [
        (4_096, 4_096),
        (4_096.0, 4_096),
        (0, None),
        (-1, None),
        (True, None),
        ("x", None),
    ],
)
def test_a_window_is_a_number_of_tokens(said: object, window: int | None) -> None:
    """Nothing else is one."""
    assert facts(gguf={"context_length": said}).window == window


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_at_all_are_facts_or_nothing(data: bytes) -> None:
    """Never an error."""
    assert read_model(data) is None or isinstance(read_model(data), ModelFacts)


_FIELDS = (
    "baseModels",
    "cardData",
    "config",
    "gated",
    "gguf",
    "library_name",
    "pipeline_tag",
    "transformersInfo",
)
_INNER = (
    "models",
    "base_model",
    "peft",
    "tokenizer_config",
    "chat_template",
    "context_length",
    "relation",
    "id",
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(_FIELDS),
        _JSON | st.dictionaries(st.sampled_from(_INNER), _JSON),
    )
)
def test_any_json_at_all_gives_facts(said: dict[str, object]) -> None:
    """Whatever stands where a field is expected, and a family or none of it."""
    found = facts(**said)
    assert found.id == NEW
    family_of(found)


def recordings() -> list[dict[str, object]]:
    path = recorded("tapes", "hub_api.json")
    tapes = json.loads(path.read_bytes())
    return [tape for tape in tapes if "/api/models/" in tape["url"]]


def body(tape: dict[str, object]) -> bytes:
    return str(tape["body"]).encode()


def test_recorded_answers_are_read(figure: Callable[[str], None]) -> None:
    """Whole ones give facts with their id; a redirect or a cut one gives none."""
    whole = broken = 0
    for tape in recordings():
        found = read_model(body(tape))
        if tape["status"] == 200 and not tape.get("body_clipped"):
            assert found is not None, tape["id"]
            assert found.id == json.loads(body(tape))["id"]
            whole += 1
        else:
            assert found is None, tape["id"]
            broken += 1
    figure(f"read {whole} answers, refused {broken}")
    assert whole >= 30
    assert broken >= 1


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("sentence-transformers/all-MiniLM-L6-v2", ModelKind.EMBEDDING),
        ("sshleifer/distilbart-cnn-12-6", ModelKind.SEQ2SEQ),
        ("google-t5/t5-small", ModelKind.SEQ2SEQ),
        ("google-bert/bert-base-uncased", ModelKind.MASK),
        ("facebook/bart-large-mnli", None),
        ("stabilityai/stable-diffusion-2-1", None),
        ("openai/clip-vit-base-patch32", None),
    ],
)
def test_recorded_models_are_told_by_their_facts(
    model: str, kind: ModelKind | None
) -> None:
    """As the Hub described them."""
    seen = [read_model(body(t)) for t in recordings() if not t.get("body_clipped")]
    told = [each for each in seen if each is not None and each.id == model]
    assert told
    for each in told:
        family = family_of(each)
        assert (None if family is None else family.kind) is kind


def test_a_recorded_template_is_read() -> None:
    """DialoGPT's, as the Hub gave it in 2024."""
    seen = [read_model(body(t)) for t in recordings() if not t.get("body_clipped")]
    told = [each for each in seen if each and each.id == "microsoft/DialoGPT-small"]
    assert told
    assert all("eos_token" in str(each.chat_template) for each in told)
    assert all(each.model_type == "gpt2" for each in told)
