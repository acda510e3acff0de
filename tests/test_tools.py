"""A tool is a Tool, OpenAI's mapping of one, or a function; all ask for the same."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, TypedDict

import pytest
from client.harness import bench

from bytebuddy_provider_hf import as_tool
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.tools import as_tools
from bytebuddy_provider_hf.types import Tool, ToolLike

if TYPE_CHECKING:
    from decimal import Decimal

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
MAPPING = {
    "type": "function",
    "function": {"name": "weather", "description": "of a city", "parameters": SCHEMA},
}


class Unit(Enum):
    CELSIUS = "celsius"
    KELVIN = "kelvin"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


def weather(
    city: str,
    days: int,
    *,
    unit: Unit = Unit.CELSIUS,
    level: Level = Level.HIGH,
    exact: bool = False,
    least: float | None = None,
    sky: Literal["clear", "cloudy"] | None = None,
    names: list[str] | None = None,
    tags: Optional[Sequence[int]] = None,  # noqa: UP045 - as many write it
    extra: dict[str, float],
    more: Annotated[Mapping[str, Any], "whatever else"],
    plain: list,  # type: ignore[type-arg]
) -> Decimal:
    """Tell the weather.

    For several days.

    Args:
        city: The city,
            by its name.
        days (int): How many.
        unit: celsius: or kelvin

    Returns:
        A number.
    """
    raise NotImplementedError


def test_a_function_becomes_a_schema() -> None:
    """Annotations are types, the docstring describes, defaults are not required."""
    tool = as_tool(weather)
    assert (tool.name, tool.strict) == ("weather", None)
    assert tool.description == "Tell the weather.\n\nFor several days."
    null = {"type": "null"}
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "The city, by its name."},
            "days": {"type": "integer", "description": "How many."},
            "unit": {
                "type": "string",
                "enum": ["celsius", "kelvin"],
                "description": "celsius: or kelvin",
                "default": "celsius",
            },
            "level": {"type": "integer", "enum": [1, 2], "default": 2},
            "exact": {"type": "boolean", "default": False},
            "least": {"anyOf": [{"type": "number"}, null]},
            "sky": {"anyOf": [{"type": "string", "enum": ["clear", "cloudy"]}, null]},
            "names": {"anyOf": [{"type": "array", "items": {"type": "string"}}, null]},
            "tags": {"anyOf": [{"type": "array", "items": {"type": "integer"}}, null]},
            "extra": {"type": "object", "additionalProperties": {"type": "number"}},
            "more": {"type": "object", "description": "whatever else"},
            "plain": {"type": "array"},
        },
        "required": ["city", "days", "extra", "more", "plain"],
    }
    json.dumps(tool.parameters)


def test_fields_of_sphinx_are_read_too() -> None:
    """``:param name:`` describes as ``Args:`` does."""

    def find(what: str, most: int = 3) -> None:
        """Find it.

        :param what: the thing
            to find
        :param int most: how many
        :returns: nothing
        """

    tool = as_tool(find)
    properties = tool.parameters["properties"]
    assert tool.description == "Find it."
    assert properties == {
        "what": {"type": "string", "description": "the thing to find"},
        "most": {"type": "integer", "description": "how many", "default": 3},
    }


def test_methods_and_coroutine_functions_are_functions() -> None:
    """``self`` is none of the parameters; what is awaited has the same schema."""

    class Place:
        async def at(self, x: int) -> None:
            """Go there."""

    tool = as_tool(Place().at)
    assert (tool.name, tool.description) == ("at", "Go there.")
    assert tool.parameters["required"] == ["x"]


def test_a_function_without_parameters() -> None:
    """It has a schema all the same: servers want one."""

    def now() -> str:
        return ""

    assert as_tool(now) == Tool("now", "", {"type": "object", "properties": {}})


class Shape(TypedDict):
    x: int


def no_annotation(a: int, b) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001
def pair(a: tuple[int, int]) -> None: ...
def shaped(a: int, b: Shape) -> None: ...
def anything(b: Any) -> None: ...  # noqa: ANN401
def whole(b: dict[int, str]) -> None: ...
def unknown(a: int, b: Decimal) -> None: ...
def listed(b: list[bytes]) -> None: ...
def many(*b: int) -> None: ...
def named(**b: int) -> None: ...
def by_place(b: int, /) -> None: ...
def a_value(b: [int]) -> None: ...  # type: ignore[valid-type]
def odd(b: Literal[b"x"]) -> None: ...


@pytest.mark.parametrize(
    ("function", "parameter", "why"),
    [
        (no_annotation, "b", "no annotation"),
        (pair, "a", r"tuple\[int, int\]"),
        (shaped, "b", "Shape"),
        (anything, "b", "Any"),
        (whole, "b", r"dict\[int, str\]"),
        (unknown, "b", "Decimal"),
        (listed, "b", "bytes"),
        (many, "b", "by name"),
        (named, "b", "by name"),
        (by_place, "b", "by name"),
        (a_value, "b", "int"),
        (odd, "b", "x"),
    ],
)
def test_what_has_no_schema_is_named(
    function: Callable[..., object], parameter: str, why: str
) -> None:
    """The error tells the tool, the parameter, what is wrong, and what may stand."""
    with pytest.raises(InvalidOption, match=why) as caught:
        as_tool(function)
    assert f"The tool {function.__name__} cannot" in caught.value.message
    assert f"parameter {parameter}:" in caught.value.message
    assert "Literal" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("tool", "why"),
    [
        (lambda x: x, "<lambda>"),
        (functools.partial(weather), "partial"),
        (Unit, "not Unit"),
        (Shape, "not Shape"),
        ("weather", "not str"),
        (None, "not NoneType"),
        ({}, "function"),
        ({"type": "retrieval", "function": {"name": "f"}}, "function"),
        ({"name": "f", "parameters": {}}, "function"),
        ({"type": "function", "function": {}}, "name is no str"),
        ({"type": "function", "function": {"name": 3}}, "name is no str"),
        ({"function": {"name": "f", "description": 3}}, "description is no str"),
        ({"function": {"name": "f", "parameters": []}}, "parameters is no dict"),
        ({"function": {"name": "f", "strict": 1}}, "strict is no bool"),
        ({"function": {"name": "f", "parameter": {}}}, "unknown keys 'parameter'"),
        ({"function": {"name": "f"}, "cache": 1}, "unknown keys 'cache'"),
    ],
)
def test_what_is_no_tool_is_refused(tool: ToolLike, why: str) -> None:
    """A form that nobody knows is told, not sent."""
    with pytest.raises(InvalidOption, match=why):
        as_tool(tool)


@pytest.mark.parametrize("tools", [MAPPING, "weather", weather, 3])
def test_tools_are_a_list(tools: Sequence[ToolLike]) -> None:
    """One tool alone is told apart from a list of them."""
    with pytest.raises(InvalidOption, match="list of tools"):
        as_tools(tools)


def test_openai_mapping_is_taken_as_it_is() -> None:
    """With everything that it says, ``strict`` too."""
    assert as_tool(MAPPING) == Tool("weather", "of a city", SCHEMA)
    strict = {"type": "function", "function": {"name": "f", "strict": True}}
    assert as_tool(strict) == Tool("f", strict=True)


@virtual_time
async def test_every_form_is_sent_as_openai_has_it() -> None:
    """A server sees no difference between the forms."""
    world = bench()

    def today() -> None:
        """Tell the day."""

    async with world.runtime:
        tools = [MAPPING, Tool("weather", "of a city", SCHEMA), today]
        await world.model.chat("hi", tools=tools, tool_choice="today")
    sent = json.loads(world.hub.records[-1].request.body)["tools"]
    assert sent[0] == sent[1] == MAPPING
    assert sent[2]["function"]["name"] == "today"


@virtual_time
async def test_a_wrong_tool_is_told_on_the_callers_line() -> None:
    """As any wrong argument: when the call is made, not when it is awaited."""
    world = bench()
    async with world.runtime:
        with pytest.raises(InvalidOption, match="pair"):
            world.model.chat("hi", tools=[pair])
