"""The role autocomplete, as an opened entry offers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bytebuddy_provider_hf.client.call_options import merge_options
from bytebuddy_provider_hf.client.model_base import ModelBase, check_texts
from bytebuddy_provider_hf.client.pending_reply import PendingReply
from bytebuddy_provider_hf.client.roles.fill import FillRequest, fill_planner
from bytebuddy_provider_hf.config.values import AutocompleteOptions
from bytebuddy_provider_hf.plugins.protocols import OnEvent
from bytebuddy_provider_hf.prompts.fill_context import FillContext
from bytebuddy_provider_hf.types import CompletionOptions, ReasoningEffort

_NO_LIMITS: Final = AutocompleteOptions()


class FillRole(ModelBase):
    """What an opened entry offers at a cursor."""

    def fill(
        self,
        prefix: str,
        suffix: str = "",
        *,
        path: str = "",
        language: str = "",
        repository: str = "",
        files: Sequence[tuple[str, str]] = (),
        multiline: bool = True,
        options: CompletionOptions | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        stop: Sequence[str] | None = None,
        seed: int | None = None,
        reasoning_effort: ReasoningEffort | None = None,
        timeout: float | None = None,
        wait: bool = True,
        on_event: OnEvent | None = None,
    ) -> PendingReply:
        """Return what belongs between ``prefix`` and ``suffix``: a call as of ``chat``.

        The model is asked in the way it was trained on: by its infilling tokens, by
        llama.cpp's own route, by instruction, or, where it knows none, by continuing
        the prefix; ``reply.notes`` says so. ``files`` are (path, text) of the same
        repository, the most useful last. Without ``multiline`` the answer ends with
        its line. Raises ``UnsupportedRole`` when awaited or iterated.
        """
        check_texts(
            "fill",
            prefix=prefix,
            suffix=suffix,
            path=path,
            language=language,
            repository=repository,
        )
        for name, text in files:
            check_texts("fill", path=name, file=text)
        asked = {
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stop": stop,
            "seed": seed,
            "reasoning_effort": reasoning_effort,
        }
        request = FillRequest(
            FillContext(prefix, suffix, path, language, repository, tuple(files)),
            merge_options(self._entry.default_completion_options, options, asked),
            multiline=multiline,
            template=self._templates.autocomplete,
            limits=self._entry.autocomplete_options or _NO_LIMITS,
            extra=self._endpoint.extra,
        )
        question = fill_planner(request, self._talker_for(options))
        return self._call(question, timeout, wait=wait, on_event=on_event)
