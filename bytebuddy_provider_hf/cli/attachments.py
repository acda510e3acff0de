"""Read what goes along with a question: files of text, pictures, a schema, tools."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Final, TypedDict

import click
from attrs import evolve, field, frozen

from bytebuddy_provider_hf.cli.options import add_options
from bytebuddy_provider_hf.cli.textfile import (
    TextFile,
    read_text_file,
    with_line_feeds,
)
from bytebuddy_provider_hf.edits.formats.fences import fence_for
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.prompts.edit import fenced, info_of
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.tools import as_tool
from bytebuddy_provider_hf.types import ImagePart, Message, TextPart, Tool

# Bytes: no model reads more text, and no server takes more pictures in one request.
MOST_TEXT: Final = 16 * 1024 * 1024
MOST_PICTURES: Final = 50 * 1024 * 1024
# A server fetches the first; the second holds the picture itself.
_ADDRESS: Final = re.compile(r"(?i)https?://|data:")
_LONGEST_NAME: Final = 60

file_option: Final = click.option(
    "-f",
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Put the text of this file first; may be repeated.",
)


class ChatArguments(TypedDict, total=False):
    """The arguments of ``chat`` that only some questions have.

    A model of another package need not know one that was not given.
    """

    tools: Sequence[Tool]
    response_format: Mapping[str, object]


@frozen
class Attachments:
    """What goes along with a question.

    ``files`` and ``images`` belong to the next question only, ``schema`` and ``tools``
    to every one. ``names`` are what a person calls the files and images.
    """

    files: tuple[TextFile, ...] = ()
    images: tuple[ImagePart, ...] = field(default=(), repr=False)
    names: tuple[str, ...] = ()
    schema: Mapping[str, object] | None = None
    tools: tuple[Tool, ...] = ()

    @property
    def arguments(self) -> ChatArguments:
        """Schema and tools as arguments of ``chat``."""
        given = ChatArguments()
        if self.tools:
            given["tools"] = self.tools
        if self.schema is not None:
            given["response_format"] = self.schema
        return given

    def question(self, asked: str) -> Message:
        """Return the message that asks ``asked``, behind the files."""
        said = "\n\n".join((*map(shown_to_model, self.files), asked))
        if not self.images:
            return Message("user", said)
        return Message("user", (TextPart(said), *self.images))

    def without_files(self) -> Attachments:
        """Return what goes along with the questions after the first."""
        return evolve(self, files=(), images=(), names=())


def attachment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of what goes along with a question.

    The command is called with ``attached``, an :class:`Attachments`.
    """

    @wraps(command)
    def gather(
        *,
        files: tuple[Path, ...],
        images: tuple[str, ...],
        schema: Path | None,
        tools: tuple[Path, ...],
        **own: object,
    ) -> None:
        texts = read_files(files)
        attached = Attachments(
            files=texts,
            images=read_images(images),
            names=(*(file.label for file in texts), *map(shortened, images)),
            schema=None if schema is None else read_schema(schema),
            tools=tuple(tool for path in tools for tool in read_tools(path)),
        )
        command(attached=attached, **own)

    return add_options(
        gather,
        file_option,
        click.option(
            "--image",
            "images",
            multiple=True,
            metavar="FILE|URL",
            help="Show the model this picture; may be repeated.",
        ),
        click.option(
            "--schema",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Answer in JSON that keeps to the JSON schema in this file.",
        ),
        click.option(
            "--tool",
            "tools",
            multiple=True,
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Offer the tools in this JSON file; print the calls, run none.",
        ),
    )


def read_files(paths: Iterable[Path]) -> tuple[TextFile, ...]:
    """Return the files of text at ``paths``.

    Raises as ``read_text_file`` does, and ``InvalidOption`` where they are larger than
    16 MiB together.
    """
    read: list[TextFile] = []
    left = MOST_TEXT
    for path in paths:
        file = read_text_file(path)
        left -= len(file.raw)
        if left < 0:
            raise InvalidOption(
                text("cli.large_files", size=MOST_TEXT // 2**20),
                hint=text("cli.fewer_files"),
            )
        read.append(file)
    return tuple(read)


def read_images(given: Iterable[str]) -> tuple[ImagePart, ...]:
    """Return the pictures of files and addresses.

    Raises ``InvalidOption`` for what is no picture, or where they are larger than
    50 MiB together.
    """
    images: list[ImagePart] = []
    left = MOST_PICTURES
    for each in given:
        is_address = _ADDRESS.match(each)
        image = ImagePart(each) if is_address else ImagePart.from_file(each)
        left -= len(image.url)
        if left < 0:
            raise InvalidOption(
                text("cli.large_images", size=MOST_PICTURES // 2**20),
                hint=text("cli.fewer_images"),
            )
        images.append(image)
    return tuple(images)


def read_schema(path: Path) -> Mapping[str, object]:
    """Return the JSON schema in a file; raises ``InvalidOption`` for anything else."""
    found = read_json(path)
    if isinstance(found, dict) and found:
        return found
    raise InvalidOption(
        text("cli.no_schema", file=path), hint=text("cli.no_schema_hint")
    )


def read_tools(path: Path) -> tuple[Tool, ...]:
    """Return the tools in a file: one as OpenAI writes it, or a list of such.

    Raises ``InvalidOption`` for anything else.
    """
    found = read_json(path)
    listed = found if isinstance(found, list) else [found]
    if not listed:
        raise InvalidOption(text("cli.no_tools", file=path), hint=text("cli.tool_form"))
    try:
        return tuple(map(as_tool, listed))
    except InvalidOption as error:
        said = text("cli.in_file", file=path, said=error.message)
        raise InvalidOption(said, hint=text("cli.tool_form")) from error


def read_json(path: Path) -> object:
    """Return the value in a JSON file; raises ``InvalidOption`` for any other file."""
    file = read_text_file(path)
    try:
        found: object = json.loads(file.text)
    except json.JSONDecodeError as error:
        raise InvalidOption(
            text("cli.not_json", file=path, line=error.lineno, column=error.colno)
        ) from error
    except RecursionError as error:
        raise InvalidOption(text("cli.deep_json", file=path)) from error
    return found


def shown_to_model(file: TextFile) -> str:
    """Return a file as a model reads it: its name, then its text in a fence."""
    content = with_line_feeds(file.text)
    block = fenced(content, fence_for(content), info_of("", file.label))
    return f"{file.label}:\n{block}"


def shortened(name: str) -> str:
    """Return the name of a picture; an address may hold all of it."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
