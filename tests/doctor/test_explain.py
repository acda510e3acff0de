"""Every failure is told in words, in English and in Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from failures.bodies import ANSWERS, Row
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.doctor.explanation import (
    Explanation,
    explain,
    explain_error,
)
from bytebuddy_provider_hf.failures.next_steps import next_step
from bytebuddy_provider_hf.failures.table import row_of
from bytebuddy_provider_hf.hub.router_models import Serving
from bytebuddy_provider_hf.texts import LANGUAGES, Language

ENGLISH_ONLY = re.compile(r"^[\x20-\x7e’…]+$")
CHINESE = re.compile("[\u4e00-\u9fff]")


def every_class(
    kind: type[errors.ByteBuddyError] = errors.ByteBuddyError,
) -> Iterator[type[errors.ByteBuddyError]]:
    if kind.__module__.startswith(errors.__name__):
        yield kind
    for below in kind.__subclasses__():
        yield from every_class(below)


CLASSES = sorted(set(every_class()), key=lambda kind: kind.__name__)


def bare(kind: type[errors.ByteBuddyError]) -> errors.ByteBuddyError:
    """Make an error that knows nothing but its class."""
    if issubclass(kind, errors.ConfigInvalid):
        return kind("said", problems=("a problem",))
    if issubclass(kind, errors.UnsetVariable):
        return kind("said", variable="HF_TOKEN")
    if issubclass(kind, errors.UnknownName):
        return kind("said", name="a", known=("b",))
    if issubclass(kind, errors.BudgetExceeded):
        sums = {"used": 9, "limit": 9, "ends": 0.0}
        return kind("said", budget="a", unit="calls", **sums)
    error = kind("said")
    if isinstance(error, errors.APIError):
        error.hint = next_step(error)
    return error


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_class_is_told(kind: type[errors.ByteBuddyError], lang: str) -> None:
    """Title, meaning and at least one next step, however little is known."""
    told = explain_error(bare(kind), lang=lang)
    assert told.kind == kind.__name__
    assert told.title
    assert told.meaning
    assert told.next_steps
    shown = " ".join((told.title, told.meaning, *told.next_steps))
    assert "{" not in shown
    assert "None" not in shown
    assert (CHINESE.search(shown) is not None) == (lang == "zh")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_two_classes_have_the_same_title(lang: Language) -> None:
    """Who reads the title knows which failure it is."""
    titles = [row_of(kind).words(lang).title for kind in CLASSES]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: f"{row.status} {row.kind}")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_answer_is_told(row: Row, lang: str) -> None:
    """A pasted answer gives its class without knowing who answered."""
    # Whoever pastes a job's answer has to say that it is one.
    base = "https://6a2b--8000.hf.jobs" if row.place == "JOB" else None
    told = explain(
        row.status, row.body, headers=dict(row.headers), base=base, lang=lang
    )
    assert told.next_steps
    if row.place != "ENDPOINT" or "code" in row.body:
        assert told.kind == row.kind


def test_the_first_step_in_english_is_the_hint() -> None:
    """What the error says and what ``explain`` says are the same words."""
    told = explain(402, '{"error":"You have depleted your credits."}')
    assert told.next_steps[0].startswith("Buy credits at ")
    assert "https://huggingface.co/settings/billing" in told.links
    assert told.said == "You have depleted your credits"


def test_what_the_error_knows_is_in_the_chinese_words() -> None:
    """Numbers, names and links are filled in as in English."""
    body = '{"error":"Access to model a/b is restricted"}'
    told = explain(403, body, lang="zh")
    assert "https://huggingface.co/a/b" in told.next_steps[0]
    waited = explain(429, "", headers={"Retry-After": "300"}, lang="zh")
    assert "5 分钟" in waited.next_steps[0]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_who_serves_the_model_is_told(lang: str) -> None:
    """The catalogue's answer names providers and the way to ask one."""
    asked: list[str] = []

    def catalogue(model: str) -> Serving:
        asked.append(model)
        return Serving(("groq", "together"))

    told = unsupported(lang, catalogue)
    assert asked == ["a/b"]
    assert any("groq, together" in step for step in told.next_steps)
    assert any("a/b:groq" in step for step in told.next_steps)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nobody_and_not_known_are_told_apart(lang: str) -> None:
    """An empty catalogue is news; an unreachable one is silence."""
    silent = unsupported(lang, lambda _model: None)
    nobody = unsupported(lang, lambda _model: Serving(()))
    near = unsupported(lang, lambda _model: Serving((), ("a/b2", "a/c")))
    assert silent == unsupported(lang, None)
    assert len({silent.next_steps, nobody.next_steps, near.next_steps}) == 3
    assert any("a/b2, a/c" in step for step in near.next_steps)


def refuse(_model: str) -> Serving:
    raise AssertionError


def test_the_catalogue_is_not_asked_without_need() -> None:
    """A wrong token has nothing to do with who serves the model."""
    explain(401, "", model="a/b", catalogue=refuse)
    explain(404, "Not Found", catalogue=refuse)  # no model is known


@pytest.mark.parametrize(
    "base",
    [
        "http://127.0.0.1:8080",
        "http://10.0.0.7:8000/v1",
        "https://models.example.com",
        "https://x.us-east-1.aws.endpoints.huggingface.cloud",
    ],
)
@pytest.mark.parametrize("status", [400, 404])
def test_the_catalogue_is_not_asked_about_a_private_server(
    base: str, status: int
) -> None:
    """What it serves is nobody's business, and the router does not know it."""
    body = '{"error":{"message":"no","code":"model_not_supported"}}'
    assert explain(status, body, model="a/b", base=base, catalogue=refuse).next_steps


def unsupported(lang: str, catalogue: object) -> Explanation:
    body = '{"error":"Model not supported by provider hf-inference"}'
    return explain(400, body, model="a/b", lang=lang, catalogue=catalogue)


@pytest.mark.parametrize("prefix", ["", "data:", "data: "])
def test_an_event_of_a_stream_is_told(prefix: str) -> None:
    """Errors inside a 200 stream are pasted as they came."""
    told = explain(200, prefix + '{"error":"Model is overloaded"}\n\n')
    assert told.kind == "ModelOverloaded"
    assert explain(200, '{"choices":[]}').kind == "UnexpectedStatus"


def test_a_body_of_the_endpoints_proxy_is_known_by_its_code() -> None:
    """Nobody needs to say that it was a dedicated endpoint."""
    body = '{"error":"503 Service Unavailable","code":"SERVICE_UNAVAILABLE"}'
    assert explain(503, body).kind == "ModelLoading"
    assert explain(503, body, base="https://h.example").kind == "ServerError"


@given(st.integers(100, 599), st.binary(max_size=200), st.sampled_from(["en", "zh"]))
def test_any_answer_is_told(status: int, body: bytes, lang: str) -> None:
    """Any status and bytes: words, and no exception."""
    assert explain(status, body, lang=lang).next_steps
