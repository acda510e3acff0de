"""The table of failures: one row a class, and nothing in it that nobody reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pytest
from failures.bodies import ANSWERS

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.cli.exit_codes import ExitCode
from bytebuddy_provider_hf.failures import table
from bytebuddy_provider_hf.failures.next_steps import first_step
from bytebuddy_provider_hf.failures.table import failure_table, row_of
from bytebuddy_provider_hf.scheduling.retry import FailureKind
from bytebuddy_provider_hf.texts import LANGUAGES, placeholders, read_table

RAW = read_table("failures.toml")
CLASSES = [name for name in RAW if name[0].isupper()]


def every_class(
    kind: type[errors.ByteBuddyError] = errors.ByteBuddyError,
) -> Iterator[type[errors.ByteBuddyError]]:
    if kind.__module__.startswith(errors.__name__):
        yield kind
    for below in kind.__subclasses__():
        yield from every_class(below)


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings(each)


def test_the_rows_are_the_classes() -> None:
    """Each class has a row of its own, and no row is left over."""
    assert set(CLASSES) == {kind.__name__ for kind in every_class()}


@pytest.mark.parametrize("name", CLASSES)
def test_a_row_names_what_exists(name: str) -> None:
    """Exit codes, kinds of failures, other classes, attributes."""
    kind = getattr(errors, name)
    row = row_of(kind)
    assert row.exit in ExitCode.__members__
    assert row.retry in {"", *FailureKind.__members__}
    assert {row.without_token, row.elsewhere} <= {"", *CLASSES}
    told = {*row.numbers, *row.texts, *row.headers, *row.fields}
    assert all(hasattr(kind, attribute) for attribute in told)


@pytest.mark.parametrize("name", CLASSES)
def test_a_row_says_nothing_that_follows(name: str) -> None:
    """A lead that is the title, or what the next base says, is not written again."""
    own, row = RAW[name], row_of(getattr(errors, name))
    base = getattr(errors, name).__mro__[1]
    for language in LANGUAGES:
        assert own[language].get("lead") != own[language]["title"]
        if "hint" in own[language] and base is not Exception:
            assert row_of(base).words(language).hint != row.words(language).hint
    for column in ("exit", "retry", "fallback"):
        if column in own and base is not Exception:
            assert getattr(row_of(base), column) != getattr(row, column)


def test_every_link_phrase_and_list_is_used() -> None:
    """What several rows share is shared by some."""
    said = [*strings({name: RAW[name] for name in (*CLASSES, "shared", "phrases")})]
    used = {name for pattern in said for name in placeholders(pattern)}
    links = {name for each in RAW["links"].values() for name in each}
    assert {*links, *RAW["phrases"]} <= used
    lists = {pattern[1:] for pattern in said if re.fullmatch(r"@\w+", pattern)}
    assert lists == set(RAW["shared"])


def test_each_status_and_code_means_one_class() -> None:
    """Which row stands first does not matter to these."""
    for column in ("statuses", "codes"):
        named = [one for name in CLASSES for one in RAW[name].get(column, ())]
        assert len(set(named)) == len(named)


@pytest.mark.parametrize("row", [{"en": {"titel": ""}}, {"exits": "OTHER"}])
def test_a_misspelt_column_is_an_error(
    row: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column that nobody reads is a mistake, and is named."""
    wrong = {**RAW, "Closed": {**RAW["Closed"], **row}}
    monkeypatch.setattr(table, "read_table", lambda _name: wrong)
    with pytest.raises(msgspec.ValidationError, match=r"titel|exits"):
        failure_table.__wrapped__()


def test_a_class_of_a_host_is_its_nearest_base() -> None:
    """Whoever derives from our classes is explained as they are."""

    # Made here: other tests ask for all classes there are.
    class HostsOwn(errors.RateLimited):
        """A class of somebody else's."""

    assert row_of(HostsOwn) is row_of(errors.RateLimited)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ("anywhere", "任何地方")),
        ({"limit": "3"}, ("3 there", "那里 3")),
        ({"limit": "3", "dedicated": "yes"}, ("3 here", "这里 3")),
    ],
)
def test_what_is_demanded_is_not_shown(
    facts: dict[str, str], said: tuple[str, str]
) -> None:
    """The first alternative whose facts are known is said, without the demand."""
    english = ("[dedicated] {limit} here", "{limit} there", "anywhere")
    chinese = ("[dedicated] 这里 {limit}", "那里 {limit}", "任何地方")
    step = first_step(english, chinese, facts)
    assert step is not None
    assert (step, step.render("zh")) == said


def test_a_row_knows_the_statuses_of_its_recorded_answers() -> None:
    """`also_with` is what was recorded beside `statuses`; `likeliest` is part of it."""
    table = failure_table()
    recorded: dict[str, set[int]] = {}
    for answer in ANSWERS:
        family = table.by_status.get(f"{answer.status // 100}xx")
        known = (table.by_status.get(answer.status), family)
        if answer.status in range(400, 600) and answer.kind not in known:
            recorded.setdefault(answer.kind, set()).add(answer.status)
    assert recorded == {
        name: set(row.also_with) for name, row in table.rows.items() if row.also_with
    }
    for row in table.rows.values():
        assert set(row.likeliest) <= set(row.also_with)
