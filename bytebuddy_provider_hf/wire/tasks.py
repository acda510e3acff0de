"""The task API: one model, one task, ``inputs`` and ``parameters``, as requests.

hf-inference on the router has ``/models/{id}`` and, where a model serves two tasks,
``/models/{id}/pipeline/{task}`` (huggingface_hub 2.4,
``inference/_providers/hf_inference.py``); the inference toolkit and hf-serve take the
same body at ``/``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from bytebuddy_provider_hf.address import HUB_ID, HostKind, Target
from bytebuddy_provider_hf.errors import InvalidEndpoint, InvalidModelId, InvalidOption
from bytebuddy_provider_hf.texts import text
from bytebuddy_provider_hf.wire.http_request import (
    HttpRequest,
    json_body,
    root_path,
    root_url,
)


class Task(StrEnum):
    """A task, named as the Hub names it."""

    TEXT_GENERATION = "text-generation"
    TEXT2TEXT = "text2text-generation"
    CONVERSATIONAL = "conversational"
    FILL_MASK = "fill-mask"
    SUMMARIZATION = "summarization"
    TRANSLATION = "translation"
    TEXT_CLASSIFICATION = "text-classification"
    TOKEN_CLASSIFICATION = "token-classification"  # noqa: S105 - no password
    QUESTION_ANSWERING = "question-answering"
    ZERO_SHOT = "zero-shot-classification"
    TABLE_QA = "table-question-answering"
    FEATURE_EXTRACTION = "feature-extraction"
    SENTENCE_SIMILARITY = "sentence-similarity"


# Suffixes that choose among providers: of tasks there is one, so they say nothing.
_SUFFIXES: Final = frozenset({"", "hf-inference", "fastest", "cheapest", "preferred"})
_MODELS: Final = "/models"
_HF_INFERENCE: Final = "/hf-inference"
# Sentence-transformers models serve both: the path says which is meant.
_NAMED: Final = frozenset({Task.FEATURE_EXTRACTION, Task.SENTENCE_SIMILARITY})

# What ``inputs`` is made of, where it is an object.
_MEMBERS: Final[Mapping[Task, frozenset[str]]] = {
    Task.CONVERSATIONAL: frozenset({"text"}),
    Task.QUESTION_ANSWERING: frozenset({"question", "context"}),
    Task.TABLE_QA: frozenset({"query", "table"}),
    Task.SENTENCE_SIMILARITY: frozenset({"source_sentence", "sentences"}),
}


def build_task(
    name: Task | str,
    inputs: object,
    parameters: Mapping[str, object],
    target: Target,
    *,
    without: frozenset[str] = frozenset(),
    extra: Mapping[str, object] | None = None,
) -> HttpRequest:
    """Return the call that has ``target``'s model do the task ``name``.

    Members of ``parameters`` that are ``None`` are left out (TGI refuses nulls), and
    those named in ``without``; ``extra`` has the last word in the body. Raises
    ``InvalidOption`` for inputs of the wrong shape, ``InvalidModelId`` for a model
    that could leave its place in the path, ``InvalidEndpoint`` for a provider's route
    that serves no tasks.
    """
    task = check_task(name, inputs, parameters)
    chosen = {key: value for key, value in parameters.items() if value is not None}
    if task is Task.TEXT_GENERATION:
        # By default the prompt comes back too, or not, by model and server.
        chosen = {"return_full_text": False, **chosen}
    chosen = {key: value for key, value in chosen.items() if key not in without}
    body: dict[str, object] = {"inputs": inputs}
    if task is Task.FEATURE_EXTRACTION:
        body.update((key, value) for key, value in chosen.items() if key != "inputs")
    elif chosen:
        body["parameters"] = chosen
    body.update(extra or {})
    return HttpRequest(url=task_url(task, target), body=json_body(body))


def build_pairs(
    query: str,
    documents: Sequence[str],
    target: Target,
    *,
    extra: Mapping[str, object] | None = None,
) -> HttpRequest:
    """Return the call that has a cross-encoder classify each document with the query.

    The form is that of transformers' pipeline for pairs, which Hugging Face documents
    for rerankers on hf-inference (hub-docs pull request 1541). Up to three classes
    are asked for: one or two can be a rank, three cannot.
    """
    pairs = [{"text": query, "text_pair": document} for document in documents]
    body: dict[str, object] = {"inputs": pairs, "parameters": {"top_k": 3}}
    body.update(extra or {})
    return HttpRequest(
        url=task_url(Task.TEXT_CLASSIFICATION, target), body=json_body(body)
    )


def check_task(
    name: Task | str, inputs: object, parameters: Mapping[str, object]
) -> Task:
    """Return the task called ``name``.

    Raises ``InvalidOption`` where there is none, or its inputs have another shape.
    """
    if name not in list(Task):
        raise InvalidOption(
            text("wire.no_task", name=name),
            hint=text("wire.one_of", names=", ".join(Task)),
        )
    task = Task(name)
    members = _MEMBERS.get(task)
    if members is None:
        if not isinstance(inputs, str) and not (inputs and _is_text_list(inputs)):
            raise InvalidOption(text("wire.inputs_are_text", task=task))
    elif not isinstance(inputs, Mapping) or not members <= inputs.keys():
        first, *others = sorted(members)
        named = text("wire.and", first=first, last=others[0]) if others else first
        raise InvalidOption(text("wire.inputs_are_mapping", task=task, named=named))
    elif task is Task.SENTENCE_SIMILARITY and not _is_text_list(inputs["sentences"]):
        raise InvalidOption(text("wire.sentences_are_list", task=task))
    if task is Task.ZERO_SHOT and not parameters.get("candidate_labels"):
        raise InvalidOption(text("wire.no_candidate_labels"))
    return task


def count_of(task: Task, inputs: object) -> int | None:
    """Return how many inputs there are in a list, or ``None`` for one that is not."""
    if task is Task.SENTENCE_SIMILARITY and isinstance(inputs, Mapping):
        inputs = inputs["sentences"]
    return len(inputs) if isinstance(inputs, list | tuple) else None


def serves_tasks(target: Target) -> bool:
    """Whether an address says that models are asked by their task there."""
    path = root_path(target)
    if target.host_kind in (HostKind.ROUTER, HostKind.HUB):
        return not path or _HF_INFERENCE in path
    return _HF_INFERENCE in path or _MODELS in path


def task_url(task: Task, target: Target) -> str:
    """Return where the task is asked for; see :func:`build_task` for what it raises."""
    root = path = root_path(target)
    if target.host_kind in (HostKind.ROUTER, HostKind.HUB):
        # hf-inference alone of all providers serves tasks.
        path = path or _HF_INFERENCE
        if _HF_INFERENCE not in path:
            raise InvalidEndpoint(
                text("wire.serves_no_tasks", origin=target.origin, path=path),
                hint=text("wire.serves_no_tasks_hint"),
            )
    if path.endswith((_HF_INFERENCE, f"{_HF_INFERENCE}{_MODELS}")):
        path = path.removesuffix(_MODELS) + f"{_MODELS}/{_hub_id(target.model)}"
        if task in _NAMED:
            path += f"/pipeline/{task}"
    elif path.endswith(_MODELS):
        path += f"/{_hub_id(target.model)}"
    # Anything else is one model's own address: the toolkit answers at its root.
    elif _MODELS not in path:
        path += "/"
    return root_url(target, path.removeprefix(root))


def _hub_id(model: str) -> str:
    """Return a model's id as it may stand in a path."""
    name, _, suffix = model.partition(":")
    if suffix not in _SUFFIXES:
        raise InvalidModelId(
            text("wire.names_provider", model=model[:200]),
            hint=text("wire.names_provider_hint"),
        )
    # Dots would climb out of the model's place in the path, to another model's.
    if not HUB_ID.fullmatch(name) or ".." in name:
        raise InvalidModelId(
            text("wire.no_hub_id", model=model[:200]),
            hint=text("wire.no_hub_id_hint"),
        )
    return name


def _is_text_list(value: object) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(item, str) for item in value
    )
