"""api-inference-community round a pipe of our own: a process that tells its port.

Run with the port's first word of every path as the task: one process serves all.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

GENERATION = frozenset({"max_new_tokens", "return_full_text", "temperature", "top_k"})
UNUSED = (
    "The following `model_kwargs` are not used by the model: {} (note: typos in the "
    "generate arguments will also show up in this list)"
)

_log = logging.getLogger("pipe")


class Pipe:
    """Answer every task with something of the right shape, the same every time."""

    sampling_rate = 16_000

    def __call__(self, inputs: Any, **parameters: Any) -> Any:  # noqa: ANN401 - any task's
        if inputs == "boom":
            message = "boom"
            raise RuntimeError(message)
        if inputs == "bad":
            message = "bad input"
            raise ValueError(message)
        return ANSWERS[os.environ["TASK"]](inputs, **parameters)


def generated(inputs: str, **parameters: object) -> object:
    unused = sorted(parameters.keys() - GENERATION)
    if unused:
        _log.warning("There was an inference error: %s", UNUSED.format(unused))
        raise ValueError(UNUSED.format(unused))
    full = parameters.get("return_full_text", True)
    return [{"generated_text": (inputs if full else "") + " and so on"}]


def conversed(inputs: Mapping[str, object], **_parameters: object) -> object:
    _log.warning("Setting `pad_token_id` to `eos_token_id`:50256")
    said = f"You said {inputs['text']}"
    past = {"past_user_inputs": [inputs["text"]], "generated_responses": [said]}
    return {"generated_text": said, "conversation": past}


def labelled(_inputs: str, *, top_k: int = 2) -> object:
    labels = [
        {"label": "POSITIVE", "score": 0.75},
        {"label": "NEGATIVE", "score": 0.25},
    ]
    return [labels[:top_k]]


def filled(inputs: str, *, top_k: int = 2) -> object:
    words = [("name", 0.75), ("world", 0.25)]
    return [
        {
            "score": score,
            "token": at,
            "token_str": word,
            "sequence": inputs.replace("[MASK]", word),
        }
        for at, (word, score) in enumerate(words[:top_k])
    ]


def similar(inputs: Mapping[str, Any]) -> object:
    length = len(inputs["source_sentence"])
    return [1 / (1 + abs(length - len(each))) for each in inputs["sentences"]]


def features(inputs: str | list[str], **_parameters: object) -> object:
    texts = [inputs] if isinstance(inputs, str) else inputs
    vectors = [[float(len(text)), 0.5, -0.5] for text in texts]
    return vectors[0] if isinstance(inputs, str) else vectors


def answered(inputs: Mapping[str, str]) -> object:
    found = inputs["context"].split()[0]
    return {"score": 0.9, "start": 0, "end": len(found), "answer": found}


ANSWERS = {
    "text-generation": generated,
    "text2text-generation": generated,
    "conversational": conversed,
    "text-classification": labelled,
    "fill-mask": filled,
    "sentence-similarity": similar,
    "feature-extraction": features,
    "question-answering": answered,
    "summarization": lambda text: [{"summary_text": text[:9]}],
}


def main() -> None:
    """Serve until killed; the first line of output is the address."""
    import uvicorn
    from api_inference_community.routes import pipeline_route, status_ok
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def route(request: Request) -> Response:
        os.environ["TASK"] = request.url.path.split("/")[1]
        return await pipeline_route(request)

    pipe = Pipe()
    anything = "/{rest:path}"
    app = Starlette(
        routes=[
            Route(anything, status_ok, methods=["GET"]),
            Route(anything, route, methods=["POST"]),
        ]
    )
    app.get_pipeline = lambda: pipe  # where that code looks
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sys.stdout.write(f"http://127.0.0.1:{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        server.run(sockets=[listening])


if __name__ == "__main__":
    main()
