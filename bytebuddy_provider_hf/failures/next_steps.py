"""The next step for each error answer, with what is known of it filled in.

A step is a row of alternatives: the first whose ``{facts}`` are all known is said.
``[fact] …`` demands a fact without showing it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import HUB
from bytebuddy_provider_hf.failures.error_facts import error_facts, host_kind_facts

NEW_TOKEN: Final = (
    f"{HUB}/settings/tokens/new?ownUserPermissions=inference.serverless.write"
    "&tokenType=fineGrained"
)
BILLING: Final = f"{HUB}/settings/billing"
PRO: Final = f"{HUB}/pro"
TOKENS: Final = f"{HUB}/settings/tokens"
PROVIDERS: Final = f"{HUB}/settings/inference-providers"
GATED_REPOS: Final = f"{HUB}/settings/gated-repos"
ENDPOINTS: Final = "https://endpoints.huggingface.co"
STATUS: Final = "https://status.huggingface.co"

Alternatives: TypeAlias = tuple[str, ...]

_PLACE: Final = re.compile(r"\{(\w+)\}")
_DEMAND: Final = re.compile(r"\[(\w+)\] ")

_LOGIN: Final = f"make a token at {NEW_TOKEN} and run `bytebuddy-hf login`."

_NEAR: Final = (
    "Nobody serves {model} for chat now; served, and spelt much like it: {neighbours}"
)
_NOT_SERVED: Final = (
    "[unserved] Nobody serves {model} for chat now: choose another, or deploy it at "
    f"{ENDPOINTS}"
)
# Where the router's catalogue told who serves the model.
_SERVED: Final = (
    (
        "Serving {model} now: {served_by}. Remove apiBase, or name one with the model: "
        "{model}:{provider}"
    ),
    _NEAR,
    _NOT_SERVED,
)

NEXT_STEPS: Final[Mapping[type[errors.APIError], Alternatives]] = {
    errors.TokenInvalid: (
        (
            "[dedicated] Replace the token in {found_in}: this endpoint wants one of "
            "its owner's account or organization with inference.endpoints.infer.write."
        ),
        f"[huggingface] Replace the token in {{found_in}}: {_LOGIN}",
        "Replace the key in {found_in} with one that {endpoint} accepts.",
        (
            "[dedicated] Use a token of the endpoint's owner or organization with "
            "inference.endpoints.infer.write."
        ),
        f"[huggingface] Check the token: {_LOGIN}",
        "Put the server's own key into apiKey of its entry.",
    ),
    errors.TokenMissing: (
        f"[huggingface] No token was sent: {_LOGIN}",
        "No token was sent: put the server's own key into apiKey of an entry.",
    ),
    errors.QuotaExhausted: (
        (
            f"Buy credits at {BILLING}, or subscribe at {PRO}; the free ones come back "
            "on the 1st of the month. An endpoint of your own needs none."
        ),
    ),
    errors.MissingPermission: (
        (
            "Give the token of {found_in} 'Make calls to Inference Providers', for "
            f"{{owner}} too, or make one that has it: {NEW_TOKEN}"
        ),
        (
            "Give the token of {found_in} 'Make calls to Inference Providers', or make "
            f"one that has it: {NEW_TOKEN}"
        ),
        (
            "Make a token with 'Make calls to Inference Providers' (for {owner}): "
            f"{NEW_TOKEN}"
        ),
        f"Make a token with 'Make calls to Inference Providers': {NEW_TOKEN}",
    ),
    errors.GatedPermission: (
        (
            "Edit the token at "
            f"{TOKENS}: tick 'Read access to contents of all public gated repos'."
        ),
    ),
    errors.GatedModel: (
        "Accept the licence at {page}, signed in with the account of this token.",
        (
            "Accept the licence on the model's page at https://huggingface.co, signed "
            "in with the account of this token."
        ),
    ),
    errors.AccessPending: (
        f"Wait for its authors; {GATED_REPOS} shows where your request stands.",
    ),
    errors.OrganizationPolicy: (
        "Ask an administrator of the organization to approve the token of {found_in}.",
        "Ask an administrator of the organization to approve the token.",
    ),
    errors.TokenRevoked: (
        f"Make another token at {TOKENS}, or ask the organization's administrator.",
    ),
    errors.ProOnly: (
        *_SERVED,
        f"Subscribe to PRO at {PRO}, or choose another model.",
    ),
    errors.ModelDisabled: (
        "Choose another model; {page} says why.",
        "Choose another model.",
    ),
    errors.PermissionDenied: (f"Check at {TOKENS} what the token may do.",),
    errors.ModelNotFound: (
        *_SERVED,
        "Check the id at https://huggingface.co/models: is {model} written so?",
        "Check the model id and apiBase.",
    ),
    errors.WrongServedModel: (
        "Write the name that it serves into the entry's model: {served}",
        (
            "Write the name that it serves into the entry's model: "
            "GET /v1/models at {endpoint} lists it."
        ),
        "Write the name that the server serves into the entry's model.",
    ),
    errors.RouteNotFound: (
        *_SERVED,
        (
            "[router] Check the id: hf-inference answers so for a model nobody "
            "deployed there. Remove apiBase to let the router choose a provider."
        ),
        (
            "Check apiBase: https://HOST/v1 for an OpenAI-style server, https://HOST "
            "for others; and the model id."
        ),
    ),
    errors.ModelNotSupported: (
        (
            "Serving {model} now: {served_by}. Enable one of them at "
            f"{PROVIDERS}, or name one with the model: {{model}}:{{provider}}"
        ),
        _NEAR,
        _NOT_SERVED,
        (
            "Check the id {model}, choose a model that is served, or enable a provider "
            f"at {PROVIDERS}."
        ),
        (
            "Check the id, choose a model that is served, or enable a provider "
            f"at {PROVIDERS}."
        ),
    ),
    errors.RouteNotSupported: (
        *_SERVED,
        (
            "[router] Remove apiBase (or use https://router.huggingface.co/v1): the "
            "router finds a provider and a route that serve the model."
        ),
        "Use another route or role for this model, or start the server with it.",
    ),
    errors.ModelTooLarge: (
        *_SERVED,
        (
            "Use https://router.huggingface.co/v1, or deploy {model} as an endpoint: "
            f"{ENDPOINTS}"
        ),
        (
            "Use https://router.huggingface.co/v1, or deploy the model as an endpoint: "
            f"{ENDPOINTS}"
        ),
    ),
    errors.EndpointPaused: (
        (
            f"Resume it at {ENDPOINTS} (its owner can), or with "
            "`hf endpoints resume NAME`; it does not wake by itself."
        ),
    ),
    errors.InputRefused: (
        "Check what the model's task expects at {page}, and what was sent.",
        "Check what the model's task expects, and what was sent.",
    ),
    errors.BadRequest: ("Check the request against what the server says.",),
    errors.ServiceRetired: (
        *_SERVED,
        "Remove apiBase from the entry to use the router.",
    ),
    errors.RequestTooLarge: (
        "Send less at once: a shorter prompt, fewer or smaller images.",
    ),
    errors.BatchTooLarge: (
        "Send at most {limit} texts in one request.",
        "Send fewer texts in one request.",
    ),
    errors.ContextTooLong: (
        (
            "Ask for at most {fits} tokens (maxTokens): the window has {limit}, "
            "the prompt takes {given}."
        ),
        "Shorten the prompt: it has {given} tokens, the limit is {limit}.",
        "Ask for at most {limit} tokens in all.",
        "Shorten the prompt, or ask for fewer tokens (maxTokens).",
    ),
    errors.ParameterRefused: (
        "Leave out or change {parameters}: the server takes at most {limit}.",
        "Leave out or change {parameters}.",
        "Leave out the parameter that the server names.",
    ),
    errors.StreamingNotSupported: ("Ask for the whole answer: await the call.",),
    errors.BodyRefused: (
        "Check apiBase: the server misses {field}, so it speaks another protocol.",
        "Check apiBase: the server behind it speaks another protocol.",
    ),
    errors.TemplateMissing: (
        (
            "Let it continue a text (`bytebuddy-hf complete`), or choose its instruct "
            "variant."
        ),
    ),
    errors.TemplateFailed: (
        (
            "Let user and assistant take turns, and put the system message first or "
            "leave it out."
        ),
    ),
    errors.ToolsRefused: (
        "Leave the tools out, or start the server with tool calling enabled.",
    ),
    errors.ImagesNotSupported: ("Leave the images out, or choose a vision model.",),
    errors.UnprocessableRequest: (
        "Change the option or shorten the prompt, as the server says.",
    ),
    errors.RateLimited: (
        "Wait {wait}, or send fewer requests (maxConcurrency).",
        "Wait, or send fewer requests at once (maxConcurrency).",
    ),
    errors.AnonymousLimit: (
        f"Send a token, or wait {{wait}}: {_LOGIN}",
        f"Send a token: {_LOGIN}",
    ),
    errors.ModelOverloaded: (
        "Try again in {wait}, or send fewer requests at once (maxConcurrency).",
        "Try again in some seconds, or send fewer requests at once (maxConcurrency).",
    ),
    errors.GenerationFailed: (
        "Try again; if it fails again, ask for fewer tokens or read the server's log.",
    ),
    errors.OutOfMemory: (
        "Ask for fewer tokens or a shorter prompt, or give the endpoint a larger GPU.",
    ),
    errors.OutputRejected: ("Try again, or without tools and response_format.",),
    errors.Redirected: (
        "Check apiBase: the server sends on to {location}",
        "Check apiBase: the server sends on to another address.",
    ),
    errors.UnexpectedStatus: ("Check apiBase: no model answers so.",),
    errors.ModelLoading: (
        (
            "[dedicated] Wait: the request woke it, which takes from half a minute to "
            "several. Raise requestOptions.coldStartTimeout to wait longer."
        ),
        (
            "Wait about {estimate}, and raise requestOptions.coldStartTimeout to wait "
            "longer."
        ),
        "Wait until it is loaded; requestOptions.coldStartTimeout says how long.",
    ),
    errors.ServerOverloaded: (
        "Wait {wait}, or use another provider.",
        "Wait some seconds, or use another provider.",
    ),
    errors.ServerUnhealthy: ("Read the server's log and restart it.",),
    errors.ServerBusy: ("Stream the answer, ask for fewer tokens, or try later.",),
    errors.PipelineFailed: (
        "Check what was sent: the same input will most likely fail again.",
    ),
    errors.GenerationIncomplete: ("Try again; read the server's log if it repeats.",),
    errors.BadGateway: (f"Try again; {STATUS} tells of disturbances.",),
    errors.GatewayTimeout: ("Stream the answer, or ask for fewer tokens.",),
    errors.APIError: ("Check apiBase and what was sent.",),
    errors.ServerError: (
        "Try again in {wait}.",
        f"[huggingface] Try again; {STATUS} tells of disturbances.",
        "Try again, and read the server's log if it repeats.",
    ),
}


def next_step(error: errors.APIError) -> str | None:
    """Return what to do about ``error``: the step of its class or its nearest base."""
    known = error_facts(error)
    for kind in type(error).__mro__:
        step = NEXT_STEPS.get(kind)
        if step is not None and (said := render_step(step, known)) is not None:
            return said
    return None


def not_served_model(error: errors.APIError) -> str | None:
    """Return the Hub's id of the model that an answer says is not served there.

    ``None`` for any other failure, and for servers that are not Hugging Face's shared
    ones: the models of those are nobody's business.
    """
    if error.model is None or not error.about_serving:
        return None
    shared = "huggingface" in host_kind_facts(error.endpoint or "")
    return error.model.partition(":")[0] if shared else None


def set_alternatives(
    error: errors.APIError, served_by: tuple[str, ...], neighbours: tuple[str, ...]
) -> None:
    """Put into an error, and into its hint, who serves its model."""
    error.served_by, error.neighbours = served_by, neighbours
    error.hint = next_step(error)


def render_step(step: Alternatives, known: Mapping[str, str]) -> str | None:
    """Return the first alternative whose facts are all known, filled in."""
    for alternative in step:
        demand = _DEMAND.match(alternative)
        text = alternative[demand.end() :] if demand else alternative
        names = _PLACE.findall(text) + ([demand.group(1)] if demand else [])
        if all(name in known for name in names):
            return _PLACE.sub(lambda place: known[place.group(1)], text)
    return None
