"""English: what each error answer means, and what helps beyond its hint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bytebuddy_provider_hf.doctor.description import ErrorDescription
from bytebuddy_provider_hf.doctor.words.en_here import HERE

_ANSWERS: Final[Mapping[str, ErrorDescription]] = {
    "APIError": ErrorDescription(
        "An error answer", "The server answered with an error."
    ),
    "BadRequest": ErrorDescription(
        "Bad request", "The server understood the request and will not do it."
    ),
    "InputRefused": ErrorDescription(
        "Input refused",
        "What was to be worked on is missing, empty, damaged, or of another kind than "
        "the model's task takes.",
    ),
    "ModelNotSupported": ErrorDescription(
        "Nobody serves this model",
        "No provider that is enabled for this account serves the model: the id may be "
        "wrong, the provider switched off, or the model not deployed anywhere.",
    ),
    "RouteNotSupported": ErrorDescription(
        "Not at this route",
        "The model exists, but this server or provider does not answer for it here: "
        "hf-inference serves no large language models since July 2025, a chat model "
        "has no completions route, and a server started for one task has no other.",
    ),
    "ModelTooLarge": ErrorDescription(
        "Too large for the shared service",
        "The shared service never loads a model of this size. Waiting does not help.",
    ),
    "EndpointPaused": ErrorDescription(
        "The endpoint is paused",
        "Somebody paused this endpoint. Unlike one that sleeps it does not wake when "
        "it is asked.",
    ),
    "AuthenticationFailed": ErrorDescription(
        "The token was not accepted",
        "The server does not know who is asking.",
        (("Check what a token may do: `bytebuddy-hf login` asks the Hub.",),),
    ),
    "TokenInvalid": ErrorDescription(
        "The token was refused",
        "A token was sent, and the server does not know it: mistyped, expired, "
        "deleted, or meant for another service.",
        (("All your tokens are at {tokens}",),),
    ),
    "TokenMissing": ErrorDescription(
        "No token was sent", "This server answers nobody without a token or key."
    ),
    "QuotaExhausted": ErrorDescription(
        "Credits used up",
        "The account's monthly credits for Inference Providers are spent. Trying again "
        "does not help before the 1st of the month or a purchase.",
        (("What was spent, on what: {billing}",),),
    ),
    "PermissionDenied": ErrorDescription(
        "Access refused", "The server knows who is asking and refuses."
    ),
    "MissingPermission": ErrorDescription(
        "The token lacks a permission",
        "The token is good, but it was not given the right to call Inference Providers "
        "(inference.serverless.write) for this account.",
        (("Existing tokens are edited at {tokens}",),),
    ),
    "GatedPermission": ErrorDescription(
        "The token may not read gated models",
        "The account may have access; this fine-grained token was not given the right "
        "to use it.",
    ),
    "GatedModel": ErrorDescription(
        "A gated model",
        "The model's authors want its licence accepted, and the account of this token "
        "has not done so. Some are granted at once, others by hand.",
        (("Where your requests stand: {gated_repos}",),),
    ),
    "AccessPending": ErrorDescription(
        "Access not granted yet",
        "Access to this gated model was asked for; its authors decide by hand.",
    ),
    "OrganizationPolicy": ErrorDescription(
        "The organization must approve the token",
        "The organization wants every token approved before it is used on what "
        "belongs to it.",
    ),
    "TokenRevoked": ErrorDescription(
        "The organization revoked the token",
        "An administrator took this token's access to the organization away. It may "
        "still work elsewhere.",
    ),
    "ProOnly": ErrorDescription(
        "For subscribers only",
        "This model is served to accounts with a PRO subscription, on the old "
        "serverless service.",
    ),
    "ModelDisabled": ErrorDescription(
        "The model was disabled", "Hugging Face switched this repository off for all."
    ),
    "ModelNotFound": ErrorDescription(
        "No such model",
        "The server knows no model of this id: it is misspelt, was renamed, is "
        "private, or is not there.",
    ),
    "WrongServedModel": ErrorDescription(
        "The server serves another model",
        "vLLM and transformers serve answer only to the name they were started with; "
        "on dedicated endpoints that is the repository's id.",
    ),
    "RouteNotFound": ErrorDescription(
        "No such address",
        "Nothing answers at this path: the address is wrong, or the model is not "
        "deployed there.",
    ),
    "ServiceRetired": ErrorDescription(
        "The service is gone",
        "api-inference.huggingface.co was shut down in November 2025; every request "
        "is answered with 410. Its successor is https://router.huggingface.co/v1",
    ),
    "RequestTooLarge": ErrorDescription(
        "Request too large", "The request has more bytes than the server takes."
    ),
    "BatchTooLarge": ErrorDescription(
        "Too many texts at once",
        "The server takes a limited number of texts in one request "
        "(TEI: max_client_batch_size, 32 unless set).",
    ),
    "UnprocessableRequest": ErrorDescription(
        "The request does not fit",
        "The server can read the request, and something in it is outside what it does.",
    ),
    "ContextTooLong": ErrorDescription(
        "More tokens than the window",
        "Prompt and answer share the model's context window, and together, or the "
        "prompt alone, they exceed it.",
    ),
    "ParameterRefused": ErrorDescription(
        "A parameter was refused",
        "An option is unknown to this server or outside the range it takes. Servers "
        "differ: TGI refuses temperature 0 and topP 1, strict providers refuse topK.",
    ),
    "StreamingNotSupported": ErrorDescription(
        "No streaming here", "This model is served by code that gives whole answers."
    ),
    "BodyRefused": ErrorDescription(
        "Another kind of request is expected",
        "The server wants other members in the request: a protocol for chat was "
        "spoken to a server for tasks, or the other way round.",
    ),
    "TemplateMissing": ErrorDescription(
        "No chat template",
        "A base model was asked to chat: it has no template that would turn messages "
        "into text.",
    ),
    "TemplateFailed": ErrorDescription(
        "The chat template refuses the messages",
        "The model's template allows only certain orders and roles, such as user and "
        "assistant in turn.",
    ),
    "ToolsRefused": ErrorDescription(
        "Tools cannot be used so",
        "The server was started without tool calling, or not with this combination.",
    ),
    "ImagesNotSupported": ErrorDescription(
        "Text only", "An image was sent to a model that reads text."
    ),
    "RateLimited": ErrorDescription(
        "Too many requests",
        "More requests than the account, the address or the provider allows in a "
        "stretch of time.",
        (("A PRO subscription raises Hugging Face's limits: {pro}",),),
    ),
    "AnonymousLimit": ErrorDescription(
        "The limit for those without a token",
        "Without a token only very few requests are answered.",
    ),
    "ModelOverloaded": ErrorDescription(
        "The model's queue is full",
        "The server is well and has more to do than it takes at once.",
    ),
    "GenerationFailed": ErrorDescription(
        "Generation failed", "The worker behind the server failed while generating."
    ),
    "OutOfMemory": ErrorDescription(
        "Out of GPU memory",
        "Prompt, answer and the other requests did not fit into the GPU's memory.",
    ),
    "OutputRejected": ErrorDescription(
        "The model's answer was unreadable",
        "The server wanted a tool call or JSON from its model and got something else.",
    ),
    "UnexpectedStatus": ErrorDescription(
        "Not an answer", "The status is not one that carries a model's reply."
    ),
    "Redirected": ErrorDescription(
        "Another address",
        "The server sends on to another place. Redirects are not followed, so that a "
        "token never goes where nobody sent it.",
    ),
    "ServerError": ErrorDescription(
        "The server failed", "Something broke at the server's side."
    ),
    "ModelLoading": ErrorDescription(
        "Not ready yet",
        "The model is being loaded, or the endpoint was asleep and wakes up. The first "
        "request starts it; later ones find it ready.",
    ),
    "ServerOverloaded": ErrorDescription(
        "Overloaded", "The server is up, and its queue is full."
    ),
    "ServerUnhealthy": ErrorDescription(
        "The server is not well", "Its own health check fails: the worker is gone."
    ),
    "ServerBusy": ErrorDescription(
        "Too busy to answer",
        "The model had no time for this request within a minute or two. It is a "
        "time-out that is reported as 500.",
    ),
    "PipelineFailed": ErrorDescription(
        "The model's code failed",
        "The code around the model raised an error at this input; the answer's "
        "warnings say which.",
    ),
    "GenerationIncomplete": ErrorDescription(
        "The answer broke off", "The server lost its worker within the answer."
    ),
    "BadGateway": ErrorDescription(
        "The gateway reached no server",
        "A gateway stands before the model and got nothing usable from it.",
    ),
    "GatewayTimeout": ErrorDescription(
        "The gateway gave up",
        "The answer took longer than the gateway waits. A streamed answer begins at "
        "once and is not cut off so.",
    ),
}

WORDS: Final[Mapping[str, ErrorDescription]] = {**HERE, **_ANSWERS}
