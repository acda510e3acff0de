"""Make a tool of whatever a caller has: OpenAI's mapping, or a Python function."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NoReturn,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Tool, ToolLike

# OpenAI's rule for the name of a function, which most servers have taken over.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SIMPLE: Final[Mapping[object, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
}
_LISTS: Final = (list, Sequence)
_MAPPINGS: Final = (dict, Mapping)
_KEYS: Final = frozenset({"type", "function"})
_FUNCTION_KEYS: Final = frozenset({"name", "description", "parameters", "strict"})
# Where the sections of a docstring begin: Google's style, then Sphinx's fields.
_SECTION: Final = re.compile(
    r"^(?:Args|Arguments|Parameters|Returns?|Yields?|Raises|Examples?|Notes?):\s*$"
    r"|^:(?:param|type|returns?|rtype|raises)\b",
    re.MULTILINE,
)
_ARGUMENTS: Final = re.compile(
    r"^(?:Args|Arguments|Parameters):[ \t]*\n((?:[ \t]+.*\n?|[ \t]*\n)*)", re.MULTILINE
)
_ARGUMENT: Final = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)\n]*\))?\s*:\s*(.*)")
_FIELD: Final = re.compile(
    r"^:param\s+(?:[^:\n]*\s)?(\w+)\s*:[ \t]*(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE
)


class _NoSchemaError(Exception):
    """Carry an annotation that no JSON schema is known for."""


def as_tool(tool: ToolLike) -> Tool:
    """Return the ``Tool`` of a function or of OpenAI's mapping; a ``Tool`` as it is.

    Of a function it is the name, the docstring and a JSON schema of the parameters by
    their annotations: str, int, float, bool, list, dict, Optional, Union, Literal, and
    an Enum by its values. What the docstring says of a parameter (``Args:`` or
    ``:param name:``), or a text in ``Annotated``, is its description. The model's
    arguments are JSON text: call the function with ``**json.loads(call.arguments)``.

    Args:
        tool: A function with annotations, a mapping such as ``{"type": "function",
            "function": {"name": …, "description": …, "parameters": …}}``, or a
            ``Tool``.

    Raises:
        InvalidOption: It is none of these, or an annotation is missing or has no
            schema; the parameter is named.
    """
    if isinstance(tool, Tool):
        return tool
    if isinstance(tool, Mapping):
        return tool_of_mapping(tool)
    given: object = tool
    # A class can be called, too, but what it makes is no answer for a model.
    if isinstance(given, type) or not callable(given):
        shown = given.__name__ if isinstance(given, type) else type(given).__name__
        raise InvalidOption(
            text("roles.no_tool", kind=shown), hint=text("roles.no_tool_hint")
        )
    return tool_of_function(given)


def as_tools(tools: Iterable[ToolLike]) -> tuple[Tool, ...]:
    """Return the tools of a call. Raises ``InvalidOption`` as :func:`as_tool` does."""
    given: object = tools
    if given == ():
        return ()
    # A mapping and a text can be iterated over, and have no tools in them.
    if isinstance(given, Mapping | str | bytes) or not isinstance(given, Iterable):
        raise InvalidOption(
            text("roles.no_tool_list", kind=type(given).__name__),
            hint=text("roles.no_tool_list_hint"),
        )
    return tuple(map(as_tool, tools))


def tool_of_mapping(given: Mapping[str, object]) -> Tool:
    """Return the tool of OpenAI's mapping. Raises ``InvalidOption``."""
    function = given.get("function")
    if given.get("type", "function") != "function" or not isinstance(function, Mapping):
        raise InvalidOption(
            text("roles.tool_mapping_wrong"), hint=text("roles.no_tool_hint")
        )
    # Told, not passed over: a key that is misspelt would change what is asked.
    unknown = [repr(key) for key in given if key not in _KEYS]
    unknown += [repr(key) for key in function if key not in _FUNCTION_KEYS]
    name = function.get("name")
    description = function.get("description")
    parameters = function.get("parameters")
    strict = function.get("strict")
    wrong: str | None = None
    if unknown:
        wrong = text("roles.tool_unknown_keys", keys=", ".join(unknown)[:200])
    elif not isinstance(name, str) or not name:
        wrong = text("roles.tool_key_wrong", key="name", kind="str")
    elif not isinstance(description, str | None):
        wrong = text("roles.tool_key_wrong", key="description", kind="str")
    elif not isinstance(parameters, Mapping | None):
        wrong = text("roles.tool_key_wrong", key="parameters", kind="dict")
    elif not isinstance(strict, bool | None):
        wrong = text("roles.tool_key_wrong", key="strict", kind="bool")
    if wrong is not None:
        raise InvalidOption(
            text("roles.tool_wrong", name=f"{name!r:.80}", problem=wrong),
            hint=text("roles.no_tool_hint"),
        )
    schema = cast("Mapping[str, object]", parameters or {})
    said = cast("str", description or "")
    return Tool(cast("str", name), said, schema, cast("bool | None", strict))


def tool_of_function(function: Callable[..., object]) -> Tool:
    """Return the tool of a function. Raises ``InvalidOption``."""
    name = getattr(function, "__name__", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        # A lambda, a partial, an object that can be called.
        shown = name or type(function).__name__
        raise InvalidOption(
            text("roles.tool_no_name", name=f"{shown:.80}"),
            hint=text("roles.no_tool_hint"),
        )

    def refuse(parameter: str, problem: str) -> NoReturn:
        raise InvalidOption(
            text(
                "roles.tool_parameter_wrong",
                name=name,
                parameter=parameter,
                problem=problem,
            ),
            hint=text("roles.tool_parameter_hint"),
        )

    try:
        parameters = inspect.signature(function).parameters.values()
    except (NameError, TypeError, ValueError) as error:
        refuse("…", text("roles.unread", error=str(error)))
    names = getattr(inspect.unwrap(function), "__globals__", {})

    def holder() -> None: ...

    docstring = inspect.getdoc(function) or ""
    explained = parameter_docs(docstring)
    properties: dict[str, object] = {}
    required: list[str] = []
    for parameter in parameters:
        if parameter.kind not in (
            parameter.POSITIONAL_OR_KEYWORD,
            parameter.KEYWORD_ONLY,
        ):
            # The model gives arguments by their names.
            refuse(parameter.name, text("roles.tool_parameter_kind"))
        if parameter.annotation is parameter.empty:
            refuse(parameter.name, text("roles.tool_parameter_bare"))
        # One by one: the return's may be a name that only a type checker knows.
        holder.__annotations__ = {parameter.name: parameter.annotation}
        try:
            hints = get_type_hints(holder, names, include_extras=True)
            schema = _schema(hints[parameter.name])
        except (NameError, TypeError, SyntaxError, AttributeError) as error:
            refuse(parameter.name, text("roles.unread", error=str(error)))
        except _NoSchemaError as error:
            refuse(parameter.name, text("roles.no_json_schema", kind=str(error)))
        if parameter.name in explained:
            schema.setdefault("description", explained[parameter.name])
        default = parameter.default
        if isinstance(default, Enum):
            default = default.value
        if default is parameter.empty:
            required.append(parameter.name)
        elif isinstance(default, str | int | float | bool):
            schema["default"] = default
        properties[parameter.name] = schema
    section = _SECTION.search(docstring)
    said = docstring[: section.start()] if section else docstring
    form: dict[str, object] = {"type": "object", "properties": properties}
    if required:
        form["required"] = required
    return Tool(name, said.strip(), form)


def _schema(kind: Any) -> dict[str, object]:  # noqa: ANN401 - an annotation
    """Return the JSON schema of an annotation; raises ``_NoSchemaError``."""
    origin, inner = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and kind in _SIMPLE:
        return {"type": _SIMPLE[kind]}
    if origin is Annotated:
        schema = _schema(inner[0])
        said = next((each for each in inner[1:] if isinstance(each, str)), None)
        return schema if said is None else {**schema, "description": said}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(each) for each in inner]}
    values = inner if origin is Literal else None
    if isinstance(kind, type) and issubclass(kind, Enum):
        values = tuple(member.value for member in kind.__members__.values())
    if values is not None:
        return _enumerated(values)
    outer = kind if origin is None else origin
    if outer in _LISTS:
        return {"type": "array", **({"items": _schema(inner[0])} if inner else {})}
    # JSON's keys are texts, and values that may be anything have no schema.
    if outer in _MAPPINGS and inner[:1] in ((), (str,)):
        plain = not inner or inner[1] in (Any, object)
        more = {} if plain else {"additionalProperties": _schema(inner[1])}
        return {"type": "object", **more}
    shown = inspect.formatannotation(kind)
    raise _NoSchemaError(f"{shown:.80}")


def _enumerated(values: Sequence[object]) -> dict[str, object]:
    """Return the schema of one out of some values; raises ``_NoSchemaError``."""
    kinds = [type(value) for value in values]
    for value, kind in zip(values, kinds, strict=True):
        if kind not in _SIMPLE:
            raise _NoSchemaError(f"{value!r:.80}")
    names = [_SIMPLE[kind] for kind in dict.fromkeys(kinds)]
    # Some servers hold an answer to "type" only where it is a single one.
    return {"type": names[0] if len(names) == 1 else names, "enum": [*values]}


@functools.lru_cache(maxsize=256)
def parameter_docs(docstring: str) -> Mapping[str, str]:
    """Return what a docstring says of parameters, by their names."""
    found = {name: " ".join(said.split()) for name, said in _FIELD.findall(docstring)}
    section = _ARGUMENTS.search(docstring)
    if section is None:
        return found
    lines = inspect.cleandoc("\n" + section[1]).splitlines()
    current = ""
    for line in lines:
        match = None if line[:1].isspace() else _ARGUMENT.match(line)
        if match is not None:
            current = match[1]
            found[current] = match[2].strip()
        elif current and line.strip():
            # A line that is indented further goes on with the one above it.
            found[current] = f"{found[current]} {line.strip()}".strip()
    return found
