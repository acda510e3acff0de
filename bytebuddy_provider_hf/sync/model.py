"""Ask a model by calls that wait."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast, final

from bytebuddy_provider_hf.client import opening
from bytebuddy_provider_hf.client.model import HuggingFaceModel
from bytebuddy_provider_hf.errors import UnsupportedRole
from bytebuddy_provider_hf.plugins.foreign_code import safe_name
from bytebuddy_provider_hf.plugins.protocols import Model, ReplyCall
from bytebuddy_provider_hf.sync.events import Events
from bytebuddy_provider_hf.sync.loop_thread import (
    LoopUser,
    answering,
    begin_on_loop,
    described,
)
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.types import Role

P = ParamSpec("P")


def _streaming(
    method: Callable[Concatenate[HuggingFaceModel, P], ReplyCall],
) -> Callable[Concatenate[SyncModel, P], Events]:
    """Return a method that gives the events of ``method``."""

    @wraps(method)
    def call(self: SyncModel, /, *args: P.args, **kwargs: P.kwargs) -> Events:
        loop, ask = self.loop, self._method(method.__name__)

        # Without this object in it: the loop may hold it a little longer.
        async def begin() -> ReplyCall:
            made: ReplyCall = ask(*args, **kwargs)
            return made

        # Made at once: a mistake of the caller's is told on the caller's line.
        return Events(loop, loop.run(begin))

    effect = "Return the events of a call, to be iterated."
    return described(call, method, effect, Events.__name__)


@final
class SyncModel(LoopUser):
    """An opened model whose calls wait: use it in a ``with`` block, or ``close`` it.

    Its methods take what those of the asynchronous model take; those in ``_events``
    return ``Events``. A model of another provider, from a registry, may lack some: that
    is ``UnsupportedRole``; how to generate it takes in ``options``.

    Args:
        core: The asynchronous model. To be closed here, and asked on this loop only.
    """

    @property
    def core(self) -> Model:
        """The asynchronous model, to be named in ``fallbacks`` of another."""
        return cast("Model", self._core)

    @property
    def name(self) -> str:
        """The name of the entry."""
        return self.core.name

    @property
    def model(self) -> str:
        """The id of the model."""
        return self.core.model

    @property
    def roles(self) -> tuple[Role, ...]:
        """What the model may be used for."""
        return self.core.roles

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model can do beyond text: tool_use, image_input."""
        return self.core.capabilities

    chat = answering(HuggingFaceModel.chat)
    chat_events = _streaming(HuggingFaceModel.chat)
    complete = answering(HuggingFaceModel.complete)
    complete_events = _streaming(HuggingFaceModel.complete)
    fill = answering(HuggingFaceModel.fill)
    fill_events = _streaming(HuggingFaceModel.fill)
    edit = answering(HuggingFaceModel.edit)
    edit_events = _streaming(HuggingFaceModel.edit)
    apply = answering(HuggingFaceModel.apply)
    apply_events = _streaming(HuggingFaceModel.apply)
    embed = answering(HuggingFaceModel.embed)
    rerank = answering(HuggingFaceModel.rerank)
    task = answering(HuggingFaceModel.task)
    usage = answering(HuggingFaceModel.usage)

    def __repr__(self) -> str:
        return f"<SyncModel {self.name!r}: {self.model}>"

    def _method(self, name: str) -> Callable[..., Any]:
        if not hasattr(self._core, name):
            raise UnsupportedRole(
                text("plugins.no_method", model=safe_name(self.name), method=name),
                hint=text("plugins.another_model"),
            )
        return super()._method(name)


def opener(make: Callable[P, HuggingFaceModel]) -> Callable[P, SyncModel]:
    """Return a function that opens a model as ``make`` does, for calls that wait."""

    @wraps(make)
    def open_model(*args: P.args, **kwargs: P.kwargs) -> SyncModel:
        return SyncModel(*begin_on_loop(lambda: make(*args, **kwargs)))

    effect = "Open a model whose calls wait."
    return described(open_model, make, effect, SyncModel.__name__)


open_model = opener(opening.open_model)
