"""Every sentence for people is one row, and says the same in both languages."""

from __future__ import annotations

import ast
import itertools
import json
import pickle
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec
import pytest
from package_sources import PACKAGE, Sources
from two_languages import CHINESE, copied, names, numbers, quoted

from bytebuddy_provider_hf.errors import ByteBuddyError
from bytebuddy_provider_hf.failures.table import failure_table
from bytebuddy_provider_hf.secret import MASK, Secret
from bytebuddy_provider_hf.texts import (
    Language,
    LocalizedText,
    fill,
    in_file,
    number_text,
    option_name,
    placeholders,
    render,
    rows_of,
    text,
)

# Words that are not used, and what is said instead: one word for one thing. What HTTP
# calls 响应头 keeps its name.
OTHER_WORDS = {
    "词元": "token",
    "终端节点": "端点",
    "专属端点": "专用端点",
    "上下文窗口": "上下文长度",
    "用量记录": "账本",
    "台账": "账本",
    "限流": "速率限制",
    "应答": "回答",
    "响应(?!头)": "回答",
    "提示词": "提示",
    "后备": "备用",
    "许可证": "许可协议",
    "路由服务": "路由器",
    "你": "您",
}


class Use(NamedTuple):
    """A call of ``text`` in the sources: its rows, its facts, or ``None`` for any."""

    ids: tuple[str, ...]
    facts: frozenset[str] | None
    place: str


@pytest.fixture(scope="session")
def uses(sources: Sources) -> list[Use]:
    return [use for place, nodes in sources.items() for use in _uses_in(place, nodes)]


def _uses_in(place: str, nodes: tuple[ast.AST, ...]) -> Iterator[Use]:
    for node in nodes:
        if not isinstance(node, ast.Call) or not node.args:
            continue
        # A table keeps partial(text, "…"), said when it is needed.
        made = [node.func, *node.args]
        if isinstance(node.func, ast.Name) and node.func.id == "partial":
            made = node.args
        if len(made) > 1 and _is_text(made[0]):
            ids = tuple(_strings(made[1]))
            names = {keyword.arg for keyword in node.keywords}
            known = None if None in names else frozenset(map(str, names))
            yield Use(ids, known, f"{place}:{node.lineno}")


def _is_text(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        value = function.value
        return (
            function.attr == "text"
            and isinstance(value, ast.Name)
            and value.id == "texts"
        )
    return isinstance(function, ast.Name) and function.id == "text"


def _strings(node: ast.expr) -> Iterator[str]:
    """Yield the constants that a row's id may be: one, or both arms of a choice."""
    if isinstance(node, ast.IfExp):
        yield from _strings(node.body)
        yield from _strings(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def all_rows() -> dict[str, Mapping[str, str]]:
    rooms = [path.stem for path in (PACKAGE / "data" / "texts").glob("*.toml")]
    return {
        f"{room}.{name}": row for room in rooms for name, row in rows_of(room).items()
    }


ROWS = all_rows()


@pytest.mark.parametrize("text_id", ROWS)
def test_a_row_says_the_same_in_both_languages(text_id: str) -> None:
    """Both languages are there; facts, commands and addresses are the same."""
    row = ROWS[text_id]
    assert set(row) == {"en", "zh"}
    assert all(row.values())
    assert placeholders(row["en"]) == placeholders(row["zh"])
    assert copied(row["en"]) == copied(row["zh"])
    assert CHINESE.search(row["en"]) is None


# Why a name stands in one language only.
ONE_NAME = {
    "config.yaml_says": "what YAML's parser says is English: its name stands before it",
}


def test_numbers_and_names_are_the_same_in_both_languages() -> None:
    """Limits, versions, keys, options and variables; what is quoted of other pages."""
    for text_id, row in ROWS.items():
        for told in (numbers, quoted):
            assert told(row["en"]) == told(row["zh"]), text_id
    differ = {i for i, row in ROWS.items() if names(row["en"]) != names(row["zh"])}
    # Heads of columns are words in capitals.
    heads = {i for i in differ if ".head_" in i and ROWS[i]["en"].isupper()}
    assert differ - heads == set(ONE_NAME)


def test_one_thing_has_one_word_in_chinese() -> None:
    """In the rows of texts, in those of failures, and in help."""
    said = {text_id: row["zh"] for text_id, row in ROWS.items()}
    said["help"] = (PACKAGE / "data/help.zh.toml").read_text(encoding="utf-8")
    for name, failure in failure_table().rows.items():
        steps = itertools.chain(failure.zh.hint, *failure.zh.steps)
        words = (failure.zh.title, failure.zh.meaning, failure.zh.lead, *steps)
        said[name] = "\n".join(words)
    pattern = re.compile("|".join(OTHER_WORDS))
    found = {name: pattern.findall(words) for name, words in said.items()}
    assert {name: words for name, words in found.items() if words} == {}


PROVIDER = re.compile(r"\b[Pp]roviders? \{(?:provider|name)\}")


def test_the_provider_of_an_entry_is_told_from_who_serves_a_model() -> None:
    """A plugin is 提供商, a company behind the router is 服务商."""
    for text_id, row in ROWS.items():
        if PROVIDER.search(row["en"]):
            assert ("提供商" in row["zh"], "服务商" in row["zh"]) == (True, False), (
                text_id
            )


def test_every_row_is_used_and_every_use_has_a_row(uses: list[Use]) -> None:
    """No sentence is left over, and none is missing."""
    assert all(use.ids for use in uses), [use for use in uses if not use.ids]
    assert {text_id for use in uses for text_id in use.ids} == set(ROWS)


def test_an_error_is_made_with_rows(sources: Sources) -> None:
    """Message and hint can be said in Chinese, but for what testing tells programs."""
    kinds = set(failure_table().rows)
    plain = [
        f"{place}:{call.lineno}"
        for place, nodes in sources.items()
        for call in nodes
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).rpartition(".")[2] in kinds
        for said in (
            *call.args[:1],
            *(keyword.value for keyword in call.keywords if keyword.arg == "hint"),
        )
        if (isinstance(said, ast.JoinedStr | ast.BinOp) or any(_strings(said)))
        and not place.startswith("testing/")
    ]
    # What the system says of a file has one language.
    assert [place.partition(":")[0] for place in plain] == ["cli/root.py"]


def test_a_use_names_the_facts_of_its_row(uses: list[Use]) -> None:
    """A fact too few would be an exception where a sentence was due."""
    wrong = [
        (use.place, text_id, set(use.facts))
        for use in uses
        if use.facts is not None
        for text_id in use.ids
        if use.facts != placeholders(ROWS[text_id]["en"])
    ]
    assert wrong == []


def test_a_text_is_its_english_sentence() -> None:
    """It compares, hashes, prints and travels as ``str``."""
    said = text("explain.next")
    assert said == "Next:"
    assert {said: 1}["Next:"] == 1
    assert json.dumps([said]) == '["Next:"]'
    assert type(str(said)) is str
    # What msgspec writes is made plain before.
    assert msgspec.json.encode(str(said)) == b'"Next:"'
    assert said.render() == said.render("en") == "Next:"
    assert said.render("zh") == render(said, "zh") == "下一步："
    assert render("plain", "zh") == "plain"


def test_a_text_can_be_pickled() -> None:
    """Errors and notes cross processes, and are still said in either language."""
    made = pickle.loads(pickle.dumps(text("explain.next")))  # noqa: S301 - made here
    assert isinstance(made, LocalizedText)
    assert (made, made.render("zh")) == ("Next:", "下一步：")
    assert (made.id, made.facts) == ("explain.next", {})


def test_an_error_keeps_the_text_it_was_made_with() -> None:
    """Its message and hint can be said in Chinese, also in another process."""
    error = ByteBuddyError(text("explain.next"), hint=text("time.hours", count=3))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert (render(again.message, "zh"), render(again.hint, "zh")) == (
        "下一步：",
        "3 小时",
    )
    assert str(again) == "Next:. 3 hours"


def test_an_error_masks_what_a_text_may_not_show() -> None:
    """Then the masked line is all there is, in every language."""
    error = ByteBuddyError(text("cli.error", said="hf_abcdefghijklmnop"))
    assert "abcdefghijklmnop" not in render(error.message, "zh")


def test_a_masked_step_is_still_said_in_chinese() -> None:
    """Also one whose sentences stand in another table than those of the texts."""
    row: dict[Language, str] = {"en": "Replace {token}.", "zh": "请更换 {token}。"}
    step = LocalizedText("step", {"token": "hf_abcdefghijklmnop"}, row)
    hint = ByteBuddyError("Refused.", hint=step).hint or ""
    assert "abcdefghijklmnop" not in f"{hint} {render(hint, 'zh')}"
    assert render(hint, "zh").startswith("请更换")


def test_an_option_is_spelled_where_it_is_shown() -> None:
    """In Python by default, else as it is asked for; once, as facts are."""
    said, facts = "{option:max_tokens}, {what}", {"what": option_name("a.top_k")}
    assert fill(said, facts, "en") == "max_tokens, a.top_k"
    assert fill(said, facts, "zh", in_file) == "maxTokens, a.topK"
    assert fill(said, {"what": "{option:top_k}"}, "en") == "max_tokens, {option:top_k}"
    assert placeholders(said) == {"what"}
    again = pickle.loads(pickle.dumps(option_name("top_k")))  # noqa: S301 - made here
    assert (again, again.render("en", in_file)) == ("top_k", "topK")


def test_a_fact_is_said_in_the_language_of_its_sentence() -> None:
    """A text in a text follows it."""
    facts = {"what": text("explain.next"), "count": "3"}
    assert fill("{what} {count}", facts, "en") == "Next: 3"
    assert fill("{what} {count}", facts, "zh") == "下一步： 3"


def test_a_fact_with_braces_is_filled_in_once() -> None:
    """What a server said is no pattern."""
    assert fill("{said}", {"said": "{said}{x}"}, "en") == "{said}{x}"


def test_a_secret_is_never_a_fact() -> None:
    """It is a mask from the moment it is handed over."""
    made = LocalizedText("explain.next", {"key": Secret("sk-0123456789")})
    assert made.facts == {"key": MASK}


def test_an_unknown_row_is_a_key_error() -> None:
    """A mistake of the program, found by the tests above."""
    with pytest.raises(KeyError):
        LocalizedText("explain.nothing", {})


def test_a_fact_that_is_missing_is_a_key_error() -> None:
    """The same of a fact."""
    with pytest.raises(KeyError):
        fill("{said}", {}, "en")


@pytest.mark.parametrize(
    ("value", "said"),
    [(600, "600"), (0.5, "0.5"), (0.04, "0.04"), (1.25, "1.2"), (86_400.0, "86,400")],
)
def test_a_number_is_said_as_it_was_given(value: float, said: str) -> None:
    """Half a second is not said to be 0 s."""
    assert number_text(value) == said
