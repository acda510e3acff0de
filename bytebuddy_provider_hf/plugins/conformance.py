"""Check a provider as a host would meet it, and tell its author what to change."""

from __future__ import annotations

import asyncio
import inspect
import io
import json
import logging
import os
import sys
import tempfile
from collections.abc import (
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar, cast

from attrs import define, evolve, field, frozen

from bytebuddy_provider_hf.edits.formats.hunks import read_patch
from bytebuddy_provider_hf.edits.placing.patch import apply_patch
from bytebuddy_provider_hf.errors import (
    ApplyFailed,
    ByteBuddyError,
    CallTimeout,
    EditDoubtful,
    ProviderFailed,
    StreamInterrupted,
    UnsupportedRole,
)
from bytebuddy_provider_hf.plugins.foreign_code import ForeignCode
from bytebuddy_provider_hf.plugins.foreign_model import (
    AWAITED,
    CALLS,
    ForeignModel,
    guard_of,
)
from bytebuddy_provider_hf.plugins.protocols import Model, ReplyCall
from bytebuddy_provider_hf.plugins.registry import ModelRegistry
from bytebuddy_provider_hf.plugins.spec import ProviderSpec
from bytebuddy_provider_hf.plugins.validation import described, unredacted
from bytebuddy_provider_hf.secret import one_line
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import (
    CompletionOptions,
    Done,
    Event,
    Message,
    Reply,
    Role,
    Text,
    TextPart,
)

# No token of Hugging Face's: those are masked wherever they stand.
_CANARY: Final = "canary-5f0c1b7e9d-check"
# Seconds that few models keep to, so that the end of a call's time is seen.
_SHORT: Final = 0.05
# Seconds beyond it that a busy machine may need, and how often it may be so busy.
_SLACK: Final = 0.2
_TRIES: Final = 2
# Seconds in which the tasks of a call that was left have to end.
_SETTLING: Final = 1.0
_MOST_EVENTS: Final = 10_000
_MOST_SHOWN: Final = 200

# What each method is asked for.
_ARGUMENTS: Final[Mapping[str, tuple[object, ...]]] = {
    "chat": ("Hello",),
    "complete": ("Hello",),
    "fill": ("x = ", "\n"),
    "edit": ("x = 1\n", "Set x to 2."),
    "apply": ("x = 1\n", "x = 2\n"),
    "embed": (("one", "two"),),
    "rerank": ("one", ("two", "three")),
    "task": ("text-classification", "Hello"),
    "usage": (),
}
_ROLES: Final[Mapping[str, frozenset[str]]] = {
    "chat": frozenset({Role.CHAT, Role.SUMMARIZE, Role.SUBAGENT}),
    "fill": frozenset({Role.AUTOCOMPLETE}),
    "edit": frozenset({Role.EDIT}),
    "apply": frozenset({Role.APPLY}),
    "embed": frozenset({Role.EMBED}),
    "rerank": frozenset({Role.RERANK}),
}
# Methods whose reply has a diff, from the first of their arguments.
_CHANGES: Final = frozenset({"edit", "apply"})
# Every form of a conversation that the protocol promises to take.
_CONVERSATIONS: Final = (
    (Message("system", "Be brief."), Message("user", "Hello")),
    [{"role": "user", "content": "Hello"}],
    [Message("user", (TextPart("Hello"), TextPart("there")))],
)
# What is asked here may be nothing for the model; it may well say so.
_REFUSALS: Final = (ApplyFailed, EditDoubtful, UnsupportedRole)

_ADVICE: Final[Mapping[str, Callable[[], str]]] = {
    "import": partial(text, "kit.mend_import"),
    "register": partial(text, "kit.mend_register"),
    "hook": partial(text, "kit.mend_hook"),
}

T = TypeVar("T")


@frozen
class Finding:
    """Tell in one line what a provider does that a host cannot use.

    ``place`` is the provider and its method, ``advice`` what to change.
    """

    place: str
    what: str
    advice: str

    def __str__(self) -> str:
        what = self.what.rstrip(".")
        said = text("kit.finding", place=self.place, what=what, advice=self.advice)
        return one_line(said)


@frozen
class Conformance:
    """Hold what a check found.

    ``checked`` are the methods that gave an answer, ``unchecked`` says what could not
    be looked at, and why.
    """

    findings: tuple[Finding, ...] = ()
    checked: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [str(each) for each in self.findings]
        lines.insert(0, text("kit.count", count=len(lines)))
        lines += [text("kit.unchecked", what=each) for each in self.unchecked]
        return "\n".join(lines)


@define
class Notes:
    """Collect findings; one that is made again is told once."""

    findings: list[Finding] = field(factory=list)
    checked: list[str] = field(factory=list)
    unchecked: list[str] = field(factory=list)

    def add(self, place: str, what: str, advice: str) -> None:
        """Add a finding."""
        finding = Finding(place, what, advice)
        if finding not in self.findings:
            self.findings.append(finding)


@frozen
class HeardCode(ForeignCode):
    """Run a provider's code, and keep what it raised that is no error of ours.

    ``leaks`` are the errors that show a secret of the entry.
    """

    # Longer than a host gives it, to tell a provider's own error from a host's.
    grace: float = 2.0
    raised: list[BaseException] = field(factory=list)
    leaks: list[str] = field(factory=list)

    def said(self, error: BaseException) -> str:
        """Return a foreign error in words, and keep it."""
        self.raised.append(error)
        self.listen(unredacted(error))
        return super().said(error)

    def mask(self, error: ByteBuddyError) -> None:
        """Mask the entry's secrets in an error of ours, and remember them."""
        self.listen(f"{error.message} {error.hint}")
        super().mask(error)

    def listen(self, said: str) -> None:
        """Remember a text that shows a secret of the entry."""
        if (masked := self.masked(said)) != said:
            self.leaks.append(one_line(masked, limit=_MOST_SHOWN))


class LogListener(logging.Handler):
    """Look for secrets of the entry in what a provider logs, at whatever level."""

    def __init__(self, code: HeardCode) -> None:
        super().__init__()
        self.code = code

    def __enter__(self) -> Self:
        self.before = self.code.log.level
        self.code.log.setLevel(logging.DEBUG)
        self.code.log.addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        self.code.log.removeHandler(self)
        self.code.log.setLevel(self.before)

    def emit(self, record: logging.LogRecord) -> None:
        """Read a line."""
        self.code.listen(self.format(record))


class PrintedText:
    """Keep what is written to stdout in a block: by ``print``, or to descriptor 1."""

    def __enter__(self) -> Self:
        self.text = ""
        self._file = tempfile.TemporaryFile()
        self._python, sys.stdout = (
            sys.stdout,
            io.TextIOWrapper(self._file, "utf-8", "replace", write_through=True),
        )
        self._python.flush()
        try:
            self._kept: int | None = os.dup(1)
        except OSError:
            # A program without a terminal may have closed it.
            self._kept = None
        else:
            os.dup2(self._file.fileno(), 1)
        return self

    def __exit__(self, *_: object) -> None:
        # What was written through the first stdout may still be in its buffer.
        for stream in (sys.stdout, self._python):
            stream.flush()
        written, sys.stdout = sys.stdout, self._python
        if self._kept is not None:
            os.dup2(self._kept, 1)
            os.close(self._kept)
        self._file.seek(0)
        self.text = self._file.read(_MOST_SHOWN).decode("utf-8", "replace")
        written.close()


async def inspect_provider(
    plugin: object,
    *,
    entry: Mapping[str, object] | None = None,
    patience: float = 10.0,
) -> Conformance:
    """Load a plugin, open an entry of each of its providers, and call every method.

    Nothing is read or written in the home folder.

    Args:
        plugin: An object or module with the hook.
        entry: What its entries have in ``config.yaml`` beside ``name`` and
            ``provider``, such as ``apiBase``: what is asked has to be answered.
        patience: Seconds that a call may take.
    """
    notes, printed = Notes(), PrintedText()
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        )
        stack.enter_context(printed)
        registry = load(plugin, Path(folder))
        for failure in registry.failures:
            advice = _ADVICE.get(failure.stage, partial(text, "kit.mend_value"))
            notes.add(failure.plugin, failure.error, advice())
        if not registry.providers and not registry.failures:
            notes.add(
                text("kit.plugin"), text("kit.no_provider"), text("kit.mend_nothing")
            )
        for spec in registry.providers.values():
            written = {
                "model": "any",
                "apiKey": _CANARY,
                "roles": [each for each in Role if each in spec.roles],
                **(entry or {}),
                "name": "checked",
                "provider": spec.name,
            }
            if not written["roles"]:
                del written["roles"]
            opening = load(plugin, Path(folder), written)
            await examine_entry(opening, spec, notes, patience)
    if printed.text:
        what = text("kit.printed", said=repr(one_line(printed.text, limit=60)))
        notes.add(text("kit.plugin"), what, text("kit.mend_printed"))
    return Conformance(
        tuple(notes.findings), tuple(notes.checked), tuple(notes.unchecked)
    )


def load(plugin: object, home: Path, *entries: Mapping[str, object]) -> ModelRegistry:
    """Return a registry of one plugin and these entries, as a host loads it."""
    path = home / "config.yaml"
    # JSON is YAML, too.
    path.write_text(json.dumps({"models": entries}), "utf-8")
    return ModelRegistry.load(path, plugins=[plugin], cwd=home, home=home)


async def examine_entry(
    registry: ModelRegistry, spec: ProviderSpec, notes: Notes, patience: float
) -> None:
    """Open the only entry of a registry, look at its model, and close it twice."""
    (entry,) = registry.entries
    log = logging.getLogger(f"bytebuddy.{spec.name}")
    exam = Examination(HeardCode(entry, spec.name, None, log), notes, patience)
    before = asyncio.all_tasks()
    with LogListener(exam.code):
        opened = await exam.tried("open", registry.open(entry.name))
        if opened is None:
            return
        model = cast("Model", opened)
        # Watched by the registry already, but here its errors are listened to.
        guard = guard_of(model)
        own = ForeignModel(model if guard is None else guard.watched, exam.code)
        await exam.tried("model", exam.look(own, spec))
        for method in (*CALLS, *AWAITED):
            if method in vars(own):
                await exam.call(own, method)
        skipped = bool(notes.unchecked) and not notes.findings
        if skipped and not any(it.startswith(f"{spec.name}.") for it in notes.checked):
            # Nothing wrong was seen, for nothing was seen.
            exam.add("model", text("kit.nothing_checked"), text("kit.mend_entry"))
        closed = await exam.tried("aclose", own.aclose(), text("kit.mend_aclose"))
        # What fails the first time fails again, and is told once.
        again = exam if closed is not None else evolve(exam, notes=Notes())
        await again.tried("aclose", registry.aclose(), text("kit.mend_twice"))
        await exam.settled("aclose", before, text("kit.mend_last_tasks"))


async def answer(make: Callable[..., Any], **more: object) -> object:
    """Await a call."""
    return await make(**more)


async def read_events(
    make: Callable[..., ReplyCall], most: int = _MOST_EVENTS, **more: object
) -> list[Event]:
    """Enter a call, read so many of its events, and leave it."""
    found: list[Event] = []
    async with make(**more) as events:
        async for event in events:
            found.append(event)
            if len(found) >= most:
                break
    return found


def text_of(events: Sequence[Event]) -> str:
    """Return the text of the first answer in these events."""
    return "".join(it.text for it in events if isinstance(it, Text) and not it.choice)


@define(eq=False)
class Examination:
    """Call the methods of one model, and note what is wrong."""

    code: HeardCode
    notes: Notes
    patience: float
    # Tasks that were told of: they may go on when they are cancelled.
    known: set[asyncio.Task[Any]] = field(factory=set)

    def add(self, method: str, what: str, advice: str) -> None:
        """Add a finding of a method."""
        self.notes.add(f"{self.code.provider}.{method}", what, advice)

    def skip(self, method: str, why: str) -> None:
        """Note what cannot be looked at: unknown is never success."""
        said = text("kit.skipped", place=f"{self.code.provider}.{method}", why=why)
        if said not in self.notes.unchecked:
            self.notes.unchecked.append(said)

    async def ended(
        self, method: str, work: Coroutine[Any, Any, T]
    ) -> asyncio.Task[T] | None:
        """Return the task of some work once it is over; ``None`` if it never is."""
        self.code.raised.clear()
        # In a task of its own: code that goes on when cancelled holds up nobody.
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({task}, timeout=self.patience + _SETTLING)
        finally:
            task.cancel()
        late = not task.done()
        if late:
            await asyncio.wait({task}, timeout=_SETTLING)
        for leak in self.code.leaks:
            self.add(method, text("kit.leak", said=leak), text("kit.mend_leak"))
        self.code.leaks.clear()
        if not late:
            return task
        self.known.add(task)
        seconds = f"{self.patience:g}"
        self.add(method, text("kit.hangs", seconds=seconds), text("kit.mend_hangs"))
        return None

    async def tried(
        self, method: str, work: Coroutine[Any, Any, object], advice: str = ""
    ) -> object | None:
        """Return what work gives, or ``True``; what it raises is a finding."""
        task = await self.ended(method, work)
        if task is None:
            return None
        try:
            found = task.result()
        except _REFUSALS as error:
            # Whether it can do that is the model's affair.
            self.skip(method, str(error))
        except ProviderFailed as error:
            self.add(method, error.message, advice or text("kit.mend_failure"))
        except ByteBuddyError as error:
            said = text("kit.raised", kind=type(error).__name__, said=error.message)
            usual = text("kit.mend_entry")
            if isinstance(error, CallTimeout):
                usual = text("kit.mend_hangs")
            elif isinstance(error, StreamInterrupted):
                usual = text("kit.mend_after_done")
            self.add(method, said, advice or usual)
        else:
            return True if found is None else found
        return None

    async def settled(
        self, method: str, before: AbstractSet[asyncio.Task[Any]], advice: str
    ) -> None:
        """Wait until no task is left but those before; one that stays is a finding."""
        clock = asyncio.get_running_loop().time
        until = clock() + _SETTLING
        while left := asyncio.all_tasks() - before - self.known:
            if clock() > until:
                break
            await asyncio.sleep(_SHORT / 10)
        for task in left:
            code = task.get_coro()
            name = getattr(code, "__qualname__", type(code).__name__)
            self.add(method, text("kit.task_left", task=name), advice)
            task.cancel()
        self.known |= left

    async def look(self, model: ForeignModel, spec: ProviderSpec) -> None:
        """Look at what a model tells of itself."""
        entry, opened = self.code.entry, model.watched
        shown = self.code.run(
            lambda: f"{opened!r} {opened}", partial(self.code.call_failed, "repr")
        )
        if self.code.masked(shown) != shown:
            self.add("repr", text("kit.leak", said="repr"), text("kit.mend_leak"))
        if model.name != entry.name:
            said = text("kit.other_name", name=repr(model.name), entry=entry.name)
            self.add("name", said, text("kit.mend_name"))
        if not model.model:
            self.add("model", text("kit.no_id"), text("kit.mend_id"))
        if strange := sorted({*model.roles} - {*entry.roles}):
            said = text("kit.other_roles", roles=", ".join(strange))
            self.add("roles", said, text("kit.mend_roles"))
        methods = {*CALLS, *AWAITED} & {*vars(model)}
        if not methods:
            self.add("model", text("kit.no_method"), text("kit.mend_no_method"))
        for method, roles in _ROLES.items():
            asked = sorted(roles & spec.roles & {*entry.roles})
            if asked and method not in methods:
                said = text("kit.role_alone", method=method, roles=", ".join(asked))
                self.add("roles", said, text("kit.mend_role_alone"))
            # A provider that declares no roles is not warned of.
            if method in methods and spec.roles and not roles & spec.roles:
                said = text("kit.method_alone", roles=", ".join(sorted(roles)))
                self.add(method, said, text("kit.mend_method_alone"))

    def keywords(self, model: ForeignModel, method: str) -> dict[str, object]:
        """Return every keyword of a protocol that a method takes, with a value."""
        protocol = CALLS[method] if method in CALLS else AWAITED[method][0]
        _, *wanted = inspect.signature(getattr(protocol, method)).parameters.values()
        try:
            taken = [*inspect.signature(getattr(model, method)).parameters.values()]
        except (TypeError, ValueError) as error:
            # Of what is written in C, Python may not know it.
            self.skip(method, str(error))
            taken = []
        named = {each.name for each in taken if each.kind is not each.POSITIONAL_ONLY}
        kinds = {each.kind for each in taken}
        # What the protocol names first may be given by position or by name.
        lacking = [
            each.name
            for each in wanted
            if each.name not in named
            and taken
            and not (each.VAR_KEYWORD in kinds and each.kind is each.KEYWORD_ONLY)
        ]
        if lacking:
            names = ", ".join(lacking)
            self.add(method, text("kit.lacks", names=names), text("kit.mend_lacks"))
        values: dict[str, object] = {
            # The same answer twice, from models that sample, too.
            "options": CompletionOptions(temperature=0.0, seed=1),
            "timeout": self.patience,
            # Told events are looked at on their way.
            "on_event": lambda _: None,
            "session": "check_provider",
            "doubts": "return",
        }
        return {
            each.name: values.get(each.name, each.default)
            for each in wanted
            if each.kind is each.KEYWORD_ONLY and each.name not in lacking
        }

    async def call(self, model: ForeignModel, method: str) -> None:
        """Call one method in each way that a host may."""
        how = self.keywords(model, method)
        make = partial(getattr(model, method), *_ARGUMENTS[method], **how)
        told: list[Event] = []
        more = {"on_event": told.append} if "on_event" in how else {}
        replies = [await self.tried(method, answer(make, **more))]
        if replies == [None]:
            return
        self.notes.checked.append(f"{self.code.provider}.{method}")
        ways: list[Callable[..., Coroutine[Any, Any, object]]] = [answer]
        if method in CALLS:
            first = cast("Reply", replies[0])
            if method in _CHANGES:
                self.compare_diff(method, first)
            replies.append(await self.tried(method, answer(make)))
            events = await self.tried(method, read_events(make))
            if events is not None:
                came = cast("list[Event]", events)
                self.compare(method, came, cast("list[Reply]", replies))
                # Of a model that samples it is the reply of the very call.
                if more and isinstance(came[-1], Done):
                    self.compare_told(method, told, {text_of(came), first.text})
            before = asyncio.all_tasks()
            await self.tried(method, read_events(make, 1))
            left_badly = bool(self.code.raised)
            if left_badly:
                said = text("kit.left_badly", said=described(self.code.raised[0]))
                self.add(method, said, text("kit.mend_leaving"))
            await self.settled(method, before, text("kit.mend_tasks"))
            # A block that is left badly would be left so again, and slowly.
            if not left_badly:
                ways.append(read_events)
        for way in ways:
            if "timeout" in how:
                # Without a limit of its own: that would end it as well.
                await self.cancel(method, way(make, timeout=None))
                await self.hurry(method, way, make)
            else:
                await self.cancel(method, way(make))
        if method == "chat":
            chat = partial(getattr(model, method), **how)
            for form in _CONVERSATIONS:
                advice = text("kit.mend_messages")
                await self.tried(method, answer(partial(chat, form)), advice)
            task = await self.ended(method, answer(partial(chat, [])))
            if task is not None and self.code.raised:
                why = described(self.code.raised[0])
                said = text("kit.no_messages", said=why)
                self.add(method, said, text("kit.mend_messages"))

    def compare_told(
        self, method: str, told: Sequence[Event], texts: AbstractSet[str]
    ) -> None:
        """Compare what ``on_event`` was told of an awaited call with its ``texts``."""
        lacking = [] if text_of(told) in texts else ["Text"]
        if not told or not isinstance(told[-1], Done):
            lacking.append("Done")
        if lacking:
            said = text("kit.not_told", events=", ".join(lacking))
            self.add(method, said, text("kit.mend_not_told"))

    def compare_diff(self, method: str, reply: Reply) -> None:
        """Look at the diff of a change: it leads from the text that was given."""
        original, *_ = map(str, _ARGUMENTS[method])
        if not reply.diff:
            leads = reply.text == original
        else:
            placed = apply_patch(original, read_patch(reply.diff))
            leads = placed.text == reply.text
        if not leads:
            self.add(method, text("kit.other_diff"), text("kit.mend_other_diff"))

    def compare(
        self, method: str, events: Sequence[Event], replies: Sequence[Reply]
    ) -> None:
        """Compare the events of a call with the replies of the same call, awaited."""
        last = events[-1]
        if not isinstance(last, Done):
            self.add(method, text("kit.after_done"), text("kit.mend_after_done"))
            return
        if text_of(events) != last.reply.text:
            self.add(method, text("kit.other_text"), text("kit.mend_other_text"))
        said = [
            (it.text, it.reasoning, it.finish_reason, it.diff)
            for it in (last.reply, *replies)
        ]
        if said[1] != said[-1]:
            self.skip(method, text("kit.not_the_same"))
        elif said[0] != said[1]:
            self.add(method, text("kit.other_reply"), text("kit.mend_other_reply"))

    async def hurry(
        self,
        method: str,
        way: Callable[..., Coroutine[Any, Any, object]],
        make: Callable[..., object],
    ) -> None:
        """Call with a limit that is short: it is kept, or ends in an error of ours."""
        clock = asyncio.get_running_loop().time
        why = ""
        for _ in range(_TRIES):
            begun = clock()
            task = await self.ended(method, way(make, timeout=_SHORT))
            if task is None:
                return
            took = clock() - begun
            if self.code.raised:
                why = described(self.code.raised[0])
            elif task.exception() is None and took > _SHORT + _SLACK:
                why = text("kit.answered", took=f"{took:.1f}")
            else:
                return
        said = text("kit.late", seconds=_SHORT, said=why)
        self.add(method, said, text("kit.mend_late"))

    async def cancel(self, method: str, work: Coroutine[Any, Any, object]) -> None:
        """Cancel a call that waits: it has to end as cancelled, with all its tasks."""
        before = asyncio.all_tasks()
        task = asyncio.create_task(work)
        # As far as its first wait; what needs none is over now.
        await asyncio.sleep(0)
        waits = task.cancel()
        await asyncio.wait({task}, timeout=_SETTLING)
        if not task.done():
            self.known.add(task)
            self.add(method, text("kit.uncancelled"), text("kit.mend_cancel"))
        elif waits and not task.cancelled():
            self.add(method, text("kit.uncancelled"), text("kit.mend_cancel"))
        if task.done() and not task.cancelled():
            # Looked at, or Python complains; a failure was told above.
            task.exception()
        await self.settled(method, before, text("kit.mend_tasks"))
