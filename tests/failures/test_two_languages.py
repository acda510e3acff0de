"""Each failure says the same in English and Chinese: the same step of several."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterator
from typing import Final

import pytest
from failures.bodies import ANSWERS
from failures.test_classify import classified
from failures.test_table import CLASSES, RAW, every_class
from two_languages import CHINESE, copied, names, numbers, quoted

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import HostKind
from bytebuddy_provider_hf.doctor.explanation import explain_error, explain_kind
from bytebuddy_provider_hf.failures.next_steps import (
    error_facts,
    general_step,
    next_step,
    steps_of,
)
from bytebuddy_provider_hf.failures.table import failure_table, row_of
from bytebuddy_provider_hf.texts import LocalizedText, placeholders, render, text

DEMAND: Final = re.compile(r"^\[(\w+)\] ")
KNOWN: Final = "{0}-as-it-was-told"
# The facts of steps, but for times: those are said in the words of each language.
SHOWN: Final = {
    fact
    for row in failure_table().rows.values()
    for step in (row.en.hint, *row.en.steps)
    for alternative in step
    for fact in placeholders(alternative)
} - {"wait", "estimate"}


def alternatives(name: str) -> Iterator[tuple[str, str]]:
    """Yield the alternatives of a row in both languages, hint and further steps."""
    row = failure_table().rows[name]
    for english, chinese in zip(
        (row.en.hint, *row.en.steps), (row.zh.hint, *row.zh.steps), strict=True
    ):
        yield from zip(english, chinese, strict=True)


def assert_alike(english: str, chinese: str) -> None:
    """Check the facts of two sentences of the table."""
    assert placeholders(english) == placeholders(chinese)
    assert DEMAND.findall(english) == DEMAND.findall(chinese)
    for alike in (copied, numbers, names):
        assert alike(english) == alike(chinese), (english, chinese)
    assert quoted(english) == quoted(chinese)
    assert CHINESE.search(chinese)
    assert not CHINESE.search(english)


@pytest.mark.parametrize("name", CLASSES)
def test_a_row_says_the_same_in_both_languages(name: str) -> None:
    """One Chinese step for each English one, with its demand, facts and commands."""
    english, chinese = RAW[name]["en"], RAW[name]["zh"]
    assert set(english) == set(chinese)
    for column in {"lead", "title", "meaning"} & set(english):
        assert_alike(english[column], chinese[column])
    for one, other in alternatives(name):
        assert_alike(one, other)


def test_what_rows_share_is_the_same_in_both_languages() -> None:
    """Phrases and lists, whoever names them."""
    for phrase in RAW["phrases"].values():
        assert_alike(phrase["en"], phrase["zh"])
    for shared in RAW["shared"].values():
        for one, other in zip(shared["en"], shared["zh"], strict=True):
            # A list that is a part of another stands at the same place.
            if one.startswith("@"):
                assert one == other
            else:
                assert_alike(one, other)


@pytest.mark.parametrize("name", CLASSES)
def test_each_alternative_comes_out_alike(name: str) -> None:
    """With the facts of each, and every fact of the row: the same step is chosen."""
    row = failure_table().rows[name]
    wanted = [
        placeholders(english) | frozenset(DEMAND.findall(english))
        for english, _ in alternatives(name)
    ]
    # Who answered, and what the catalogue told, are facts that are demanded only.
    demanded = ("", "huggingface", "dedicated", "job", "router", "unserved")
    for needed in (*wanted, frozenset().union(*wanted), frozenset[str]()):
        for told in demanded:
            facts = {each: KNOWN.format(each) for each in {*needed, told}}
            for step in steps_of(row, facts):
                assert_said_alike(step, step.render("zh"), facts)


def assert_said_alike(english: str, chinese: str, facts: dict[str, str]) -> None:
    """Check what came out: facts, commands and links, and no pattern."""
    assert "{" not in english + chinese
    assert not DEMAND.match(chinese)
    shown = [
        {name for name, told in facts.items() if len(told) > 1 and told in said}
        for said in (english, chinese)
    ]
    assert shown[0] == shown[1], (english, chinese)
    assert copied(english) == copied(chinese)
    assert CHINESE.search(chinese)


def rich(kind: type[errors.ByteBuddyError], host: HostKind) -> errors.ByteBuddyError:
    """Make an error that knows all that its class can know."""
    error = bare(kind, host)
    for base in kind.__mro__:
        for name, annotation in getattr(base, "__annotations__", {}).items():
            if annotation in ("int | None", "float | None"):
                setattr(error, name, 7654)
            elif annotation == "str | None":
                setattr(error, name, KNOWN.format(name))
    error.retry_after = 300.0
    if isinstance(error, errors.APIError):
        error.model, error.host_kind = "org/name", host.value
        if host is HostKind.ROUTER:
            error.served_by = ("groq", "novita")
    if isinstance(error, errors.ParameterRefused):
        error.parameters = ("top_k", "top_p")
    if isinstance(error, errors.UnsetVariable):
        error.variable = "SOME_VARIABLE"
    return error


@pytest.mark.parametrize("kind", [*every_class()], ids=lambda kind: kind.__name__)
def test_every_class_says_the_same_of_what_it_knows(
    kind: type[errors.ByteBuddyError],
) -> None:
    """Knowing all there is and knowing nothing, whoever answered."""
    for host in HostKind:
        for error in (rich(kind, host), bare(kind, host)):
            if isinstance(error, errors.APIError):
                error.hint = next_step(error)
            english, chinese = (
                explain_error(error, lang=lang) for lang in ("en", "zh")
            )
            facts = {
                name: told for name, told in error_facts(error).items() if name in SHOWN
            }
            for steps in zip(english.next_steps, chinese.next_steps, strict=True):
                assert_said_alike(*steps, facts)
            assert english.links == chinese.links
            hint = general_step(error)
            assert_said_alike(hint, render(hint, "zh"), facts)


def bare(kind: type[errors.ByteBuddyError], host: HostKind) -> errors.ByteBuddyError:
    """Make an error that knows who answered, and its class."""
    error = kind.__new__(kind)
    if isinstance(error, errors.APIError):
        errors.APIError.__init__(error, "said")
        error.host_kind = host.value
    else:
        errors.ByteBuddyError.__init__(error, "said")
    return error


@pytest.mark.parametrize("model", [None, "org/name"])
def test_a_class_is_explained_alike_without_an_error(model: str | None) -> None:
    """As `explain` tells what a status or a name means."""
    for name in CLASSES:
        english, chinese = (
            explain_kind(name, model=model, lang=lang) for lang in ("en", "zh")
        )
        assert english.links == chinese.links
        for steps in zip(english.next_steps, chinese.next_steps, strict=True):
            assert_said_alike(*steps, {"model": model or ""})


def test_an_answer_is_said_in_chinese() -> None:
    """The message has host, status and the server's own words; the hint its facts."""
    for row in ANSWERS:
        error = classified(row)
        assert error.hint
        message, hint = render(error.message, "zh"), render(error.hint, "zh")
        where = f"{error.endpoint}, {row.status}"
        said = error.message.partition(f"({where}): ")[2].removesuffix(".")
        lead = row_of(type(error)).zh.lead
        assert message == f"{lead}（{where}）" + (f"：{said}。" if said else "。")
        assert copied(error.hint) == copied(hint)
        assert CHINESE.search(hint)
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
        assert (render(again.message, "zh"), render(again.hint, "zh")) == (
            message,
            hint,
        )


def test_what_an_event_stands_for_says_what_to_do_in_chinese() -> None:
    """Not the step of every stream that fails, but the one of what happened in it."""
    error, cause = errors.StreamFailed("no"), errors.QuotaExhausted("no")
    cause.host_kind = HostKind.ROUTER.value
    cause.hint = next_step(cause)
    error.__cause__ = cause
    error.hint = general_step(error)
    (step,) = explain_error(error, lang="zh").next_steps
    assert "https://huggingface.co/settings/billing" in step
    assert CHINESE.search(step)


def test_where_a_key_was_found_is_said_in_the_language_of_its_step() -> None:
    """A fact that is a text follows the sentence around it."""
    error = errors.TokenInvalid("no")
    error.host_kind = HostKind.ROUTER.value
    error.found_in = text("config.key_origin", place="a.yaml:3:5")
    hint = next_step(error)
    assert isinstance(hint, LocalizedText)
    assert "Replace the token in apiKey in a.yaml:3:5: make" in hint
    assert "请更换 a.yaml:3:5 中的 apiKey 中的令牌：在" in hint.render("zh")


def test_a_hint_of_another_program_is_kept_in_chinese() -> None:
    """It has one language, and still knows more than its class: that stands behind."""
    error = errors.ProviderFailed("no", hint="Call 555-1234.")
    assert explain_error(error).next_steps == ("Call 555-1234.",)
    first, second = explain_error(error, lang="zh").next_steps
    assert first == "Call 555-1234."
    assert CHINESE.search(second)
