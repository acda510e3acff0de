"""Keep the last talk of ``chat``, where a person asked for it, and go on with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Self

from attrs import evolve, field, frozen

from bytebuddy_provider_hf.cli.options import CallSettings
from bytebuddy_provider_hf.config.exposure import check_exposed
from bytebuddy_provider_hf.config.files import home_folder, write_private
from bytebuddy_provider_hf.config.stored_files import TALK, user_folder
from bytebuddy_provider_hf.errors import ConfigError, InvalidOption
from bytebuddy_provider_hf.plugins.protocols import Model
from bytebuddy_provider_hf.prompts.messages import read_messages
from bytebuddy_provider_hf.regular_file import read_regular_file
from bytebuddy_provider_hf.secret import Secret, one_line
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import ImagePart, Message, TextPart

# What a model reads in place of a picture that was too large to keep.
_GONE: Final = TextPart("[a picture that is no longer here]")
# Characters: a longer one is no address but the picture itself.
_LONGEST_URL: Final = 8_000
_ROLES: Final = frozenset({"user", "assistant"})


@frozen
class KeptTalk:
    """A talk: with which model, at which server, and what was said.

    ``model`` and ``base`` are those of :class:`CallSettings`. ``server`` is where it
    went, as :func:`server_of` tells; ``None`` where nobody has answered yet.
    """

    model: str | None = None
    base: str | None = None
    server: str | None = None
    system: str | None = field(default=None, repr=False)
    messages: tuple[Message, ...] = field(default=(), repr=False)

    def settings(self, given: CallSettings) -> CallSettings:
        """Return ``given`` with the model of the talk, where it names no other."""
        if given.model is not None:
            return given
        return evolve(given, model=self.model, base=given.base or self.base)

    def check_server(self, model: Model) -> None:
        """Raise ``InvalidOption`` where ``model`` would send the talk elsewhere.

        The configuration of a project may call its own server by the same name.
        """
        now = server_of(model)
        if self.server not in (None, now):
            raise InvalidOption(
                text("cli.talk_elsewhere", then=self.server, now=now),
                hint=text("cli.talk_elsewhere_hint", model=one_line(model.name)),
            )


@frozen
class TalkFile:
    """The file of the talk that was kept last.

    It is replaced whole, with mode 0600. One that a newer version wrote is never
    replaced.
    """

    path: Path

    @classmethod
    def of_user(cls) -> Self:
        """Return the file of this user, which need not exist."""
        return cls(user_folder(home_folder()) / TALK.name)

    def read(self) -> KeptTalk:
        """Return the talk that was kept.

        Raises ``InvalidOption`` where none was, and ``ConfigError`` for a file that
        cannot be used.
        """
        try:
            found = self._content()
            # Others could say where the next question goes.
            check_exposed(self.path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InvalidOption(
                text("cli.no_talk"), hint=text("cli.keep_one")
            ) from error
        except OSError as error:
            raise ConfigError(
                text("cli.talk_unread", file=self.path, why=error.strerror or error),
                hint=text("cli.remove_talk"),
            ) from error
        talk = _talk_of(found)
        if talk is None:
            raise ConfigError(
                text("cli.talk_damaged", file=self.path), hint=text("cli.remove_talk")
            )
        return talk

    def check(self) -> None:
        """Raise ``ConfigError`` where a newer version wrote the file."""
        try:
            self._content()
        except OSError:
            # Whether it can be written is told when it is.
            return

    def write(self, talk: KeptTalk) -> bool:
        """Keep ``talk`` in place of the one before; tell whether its pictures are too.

        Raises ``ConfigError`` where it is too long, or cannot be written.
        """
        content = _written(talk)
        is_whole = len(content) <= TALK.most
        if not is_whole:
            bare = tuple(map(_without_pictures, talk.messages))
            content = _written(evolve(talk, messages=bare))
        if len(content) > TALK.most:
            raise ConfigError(
                text("cli.talk_too_long", size=TALK.most // 2**20),
                hint=text("cli.clear_talk"),
            )
        write_private(self.path, Secret(content))
        return is_whole

    def _content(self) -> object:
        """Return the file's JSON; ``None`` where it is none, or too large."""
        raw = read_regular_file(self.path, TALK.most + 1)
        try:
            # Brackets without end exhaust the parser's stack.
            found = None if len(raw) > TALK.most else json.loads(raw)
        except (ValueError, RecursionError):
            return None
        version = found.get("version") if isinstance(found, dict) else None
        if isinstance(version, int) and version > TALK.version:
            raise ConfigError(
                text("cli.talk_newer", file=self.path),
                hint=text("cli.update_or_remove"),
            )
        return found


def server_of(model: Model) -> str:
    """Return the origin that a model's requests go to, else whose code sends them."""
    way = getattr(model, "way", None)
    if isinstance(way, tuple) and way and isinstance(way[0], str):
        return way[0]
    return str(type(model).__module__).partition(".")[0]


def _talk_of(found: object) -> KeptTalk | None:
    """Return what the file says, or ``None`` where it is no talk."""
    if not isinstance(found, dict) or found.get("version") != TALK.version:
        return None
    named = tuple(map(found.get, ("model", "base", "server", "system")))
    listed = found.get("messages")
    if not isinstance(listed, list):
        return None
    if not all(isinstance(each, str | None) for each in named):
        return None
    try:
        # It refuses a conversation without messages, and a talk may be cleared.
        messages = read_messages(listed) if listed else ()
    except InvalidOption:
        return None
    if any(message.role not in _ROLES for message in messages):
        return None
    model, base, server, system = named
    return KeptTalk(model, base, server, system, messages)


def _written(talk: KeptTalk) -> str:
    said = {
        "version": TALK.version,
        "model": talk.model,
        "base": talk.base,
        "server": talk.server,
        "system": talk.system,
        "messages": [
            {"role": message.role, "content": _content_of(message)}
            for message in talk.messages
        ],
    }
    return f"{json.dumps(said, indent=2)}\n"


def _content_of(message: Message) -> str | list[object]:
    """Return what a message says, as OpenAI's protocol writes it."""
    if isinstance(message.content, str):
        return message.content
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.content
    ]


def _without_pictures(message: Message) -> Message:
    """Return a message without the pictures that it holds itself."""
    if isinstance(message.content, str):
        return message
    bare = (
        _GONE if isinstance(part, ImagePart) and len(part.url) > _LONGEST_URL else part
        for part in message.content
    )
    return evolve(message, content=tuple(bare))
