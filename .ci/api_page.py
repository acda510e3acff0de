"""Write ``docs/api.md`` from the docstrings of the package, and its Chinese page.

python .ci/api_page.py

``api_page.zh.toml`` has the Chinese of each paragraph. Those that have none there, and
those there that the page no longer has, are printed, and the exit code is 1.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import bytebuddy_provider_hf as package
from bytebuddy_provider_hf import errors, sync
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.errors.dict_form import DictForm
from bytebuddy_provider_hf.plugins import protocols

HERE: Final = Path(__file__).parent
PAGE: Final = HERE.parent / "docs" / "api.md"
CHINESE_PAGE: Final = PAGE.parent / "zh" / PAGE.name
TABLE: Final = HERE / "api_page.zh.toml"
WIDTH: Final = 88
# The classes that calls are made of; their methods have sections of their own.
MODELS: Final = (
    HuggingFaceModel,
    package.ModelRegistry,
    package.Catalogue,
    sync.SyncModel,
    sync.SyncRegistry,
    sync.SyncCatalogue,
    sync.Events,
)
WAITING: Final = (sync.SyncModel, sync.SyncRegistry, sync.SyncCatalogue)
# How a section of a docstring is headed, and how the page heads it.
SECTIONS: Final = {"Args:": "Parameters:", "Raises:": "Raises:"}
FENCE: Final = re.compile(r"^(```.*?^```)$", re.DOTALL | re.MULTILINE)
# What stands before the words of a heading or of an item, and stays.
MARK: Final = re.compile(r"#+ |- (?:`\w+`: )?|")
CODE: Final = re.compile(r"`[^`]+`")

HEAD: Final = """\
# The Python interface

[中文](zh/api.md)

Every public name, made from the docstrings that `help()` shows:
`python .ci/api_page.py` writes this page anew. Import the names from
`bytebuddy_provider_hf`; calls that wait, for code without an event loop, from
`bytebuddy_provider_hf.sync`. [Failures](failures.md) has every error, [Your own
host](hosts.md) what a provider implements.
"""

SYNC: Final = """\
```python
from bytebuddy_provider_hf import sync

with sync.open_model("org/name") as model:
    print(model.chat("Hello").text)
    for event in model.chat_events("Hello"):
        print(event.to_dict())

with sync.SyncRegistry.load() as registry:  # the entries of config.yaml
    print(registry.chat().chat("Hello").text)
    print(registry["hf-llama"].usage().attempts)
```
"""


def markdown(docstring: str) -> str:
    """Return a docstring as Markdown."""
    said = re.sub(
        r":\w+:`~?([\w.]+)`", lambda m: f"`{m[1].rpartition('.')[2]}`", docstring
    )
    said = re.sub(r"``([^`]+)``", r"`\1`", said)
    parts: list[str] = []
    item: list[str] = []
    in_section = False
    for line in said.splitlines():
        if line in SECTIONS:
            parts += ["", SECTIONS[line], ""]
            in_section = True
            continue
        if in_section and re.match(r"    \w+: ", line):
            parts += listed(item)
            name, _, told = line.strip().partition(": ")
            item = [f"- `{name}`: {told}"]
        elif in_section and line.startswith("        "):
            item.append(line.strip())
        else:
            parts += [*listed(item), line]
            item, in_section = [], in_section and not line
    return re.sub(r"\n{3,}", "\n\n", "\n".join([*parts, *listed(item)])).strip()


def listed(item: list[str]) -> list[str]:
    """Return an item of a list, wrapped, or nothing."""
    if not item:
        return []
    return textwrap.wrap(
        " ".join(item), WIDTH, subsequent_indent="  ", break_on_hyphens=False
    )


def annotated(annotation: object) -> str:
    """Return an annotation as it was written: here they are texts."""
    if isinstance(annotation, str):
        return annotation
    return inspect.formatannotation(annotation)


def signature(name: str, call: Callable[..., object]) -> str:
    """Return how a call is written: in one line, or one for each parameter."""
    found = inspect.signature(call)
    shown: list[str] = []
    for each in found.parameters.values():
        if each.name in {"self", "cls"}:
            continue
        if each.kind is each.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        default = "" if each.default is each.empty else f" = {each.default!r}"
        # A member of an enumeration is written by its name.
        default = re.sub(r"<(\w+\.\w+): [^>]*>", lambda m: m[1], default)
        shown.append(f"{each.name}: {annotated(each.annotation)}{default}")
    returns = annotated(found.return_annotation)
    line = f"{name}({', '.join(shown)}) -> {returns}"
    if len(line) <= WIDTH:
        return line
    return "\n".join(
        [f"{name}(", *(f"    {each}," for each in shown), f") -> {returns}"]
    )


def described(name: str, call: Callable[..., object]) -> Iterator[str]:
    """Yield the section of a function or method."""
    is_async = "async " if inspect.iscoroutinefunction(call) else ""
    yield f"### `{name}`"
    yield f"```text\n{is_async}{signature(name.rpartition('.')[2], call)}\n```"
    yield markdown(inspect.getdoc(call) or "")


def methods(kind: type) -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield the public methods of a class, bases of ours included."""
    for name, member in inspect.getmembers(kind):
        plain = getattr(member, "__func__", member)
        if not name.startswith("_") and inspect.isfunction(plain):
            yield name, plain


def properties(kind: type) -> str:
    """Return a list of the properties of a class."""
    rows = [
        textwrap.fill(
            f"- `{name}`: {markdown(inspect.getdoc(member) or '').splitlines()[0]}",
            WIDTH,
            subsequent_indent="  ",
        )
        for name, member in inspect.getmembers(kind)
        if isinstance(member, property) and not name.startswith("_")
    ]
    return "\n".join(["Attributes:", "", *rows]) if rows else ""


def dict_forms(names: list[tuple[str, object]]) -> str:
    """Return the sentence that names what can be written as a dict."""
    found = [
        f"`{name}`"
        for name, value in names
        if isinstance(value, type) and issubclass(value, DictForm)
    ]
    said = "can be written as plain dicts and read again, as `Reply` is:"
    told = f"{', '.join(found[:-1])} and {found[-1]} {said} `to_dict`, `from_dict`."
    return textwrap.fill(told, WIDTH, break_on_hyphens=False)


def page() -> str:
    """Return the text of the page."""
    names = [(name, getattr(package, name)) for name in package.__all__]
    parts = [HEAD.strip(), "## Functions"]
    for name, value in names:
        if inspect.isfunction(value):
            parts += described(name, value)
    for kind in MODELS:
        if kind is sync.SyncModel:
            parts += ["## Calls that wait: `bytebuddy_provider_hf.sync`"]
            parts += [markdown(inspect.getdoc(sync) or ""), SYNC.strip()]
        # What these take stands at the asynchronous ones.
        if kind in WAITING:
            parts += [f"## `{kind.__name__}`", markdown(inspect.getdoc(kind) or "")]
            calls = [f"`{name}`" for name, _ in methods(kind) if name != "close"]
            parts += ["Calls:", textwrap.fill(", ".join(calls), WIDTH)]
            parts += [*described(f"{kind.__name__}.close", kind.close)]
            continue
        parts += [f"## `{kind.__name__}`", markdown(inspect.getdoc(kind) or "")]
        parts += [properties(kind)]
        for name, call in methods(kind):
            if name != "limited":
                parts += described(f"{kind.__name__}.{name}", call)
    parts += ["## Values", dict_forms(names)]
    for name, value in names:
        if not isinstance(value, type) or value in MODELS:
            continue
        if issubclass(value, errors.ByteBuddyError):
            continue
        if value.__module__ == protocols.__name__:
            continue
        parts += [f"### `{name}`", markdown(inspect.getdoc(value) or "")]
        parts += [properties(value)]
        for method, call in methods(value):
            # Every kind of answer can be written as a dict: told once.
            if method in vars(value) or value is package.Reply:
                parts += described(f"{name}.{method}", call)
    return "\n\n".join(part for part in parts if part) + "\n"


class Translation(NamedTuple):
    """A page in Chinese, and how its table falls short.

    ``missing`` has each paragraph without a row, by the heading that it stands under
    first; ``unused`` are the rows of no paragraph.
    """

    page: str
    missing: Mapping[str, str]
    unused: frozenset[str]


def translated(english: str, table: Mapping[str, str]) -> Translation:
    """Return a page in Chinese: code and names stay, the rest is looked up."""
    heading, blocks = "", []
    missing: dict[str, str] = {}
    used: set[str] = set()
    for chunk in FENCE.split(english):
        if FENCE.fullmatch(chunk):
            blocks.append(chunk)
            continue
        for block in re.split(r"\n{2,}", chunk.strip()):
            items: list[str] = []
            for item in re.split(r"\n(?=- )", block):
                line = " ".join(item.split())
                mark = MARK.match(line)[0]
                said = line.removeprefix(mark)
                if mark.startswith("#"):
                    heading = said
                # A name, or a list of them, is the same in every language.
                shown = said
                if re.search(r"[^\W\d_]", CODE.sub("", said)):
                    used.add(said)
                    if not (shown := table.get(said, "")):
                        missing.setdefault(said, heading)
                items.append(mark.replace("`: ", "`：") + shown)
            blocks.append("\n".join(items))
    text = "\n\n".join(filter(None, blocks)) + "\n"
    return Translation(text, missing, frozenset(table) - used)


def main() -> int:
    """Write both pages; return 1 where the table does not fit the docstrings."""
    english = page()
    PAGE.write_text(english, encoding="utf-8")
    made = translated(english, tomllib.loads(TABLE.read_text("utf-8")))
    for said, heading in made.missing.items():
        print(f"missing in {TABLE.name}, under {heading}:")
        # Such a text is one of TOML as well.
        print(f'{json.dumps(said, ensure_ascii=False)} = ""')
    for said in sorted(made.unused):
        print(f"no longer needed in {TABLE.name}:")
        print(json.dumps(said, ensure_ascii=False))
    if made.missing or made.unused:
        return 1
    CHINESE_PAGE.write_text(made.page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
