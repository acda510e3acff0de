"""A step is said of the host that answered: Hugging Face's pages of its own alone."""

from __future__ import annotations

import re
from typing import Final

import pytest
from failures.bodies import ANSWERS, Row
from failures.test_classify import every_class

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.address import HostKind, resolve
from bytebuddy_provider_hf.doctor.explanation import explain_error
from bytebuddy_provider_hf.failures.classify import classify
from bytebuddy_provider_hf.failures.next_steps import next_step
from bytebuddy_provider_hf.texts import LANGUAGES, Language

TARGETS: Final = {
    HostKind.ROUTER: resolve("org/name"),
    HostKind.HUB: resolve("org/name", "https://huggingface.co"),
    HostKind.ENDPOINT: resolve("org/name", "https://x.endpoints.huggingface.cloud"),
    HostKind.LOOPBACK: resolve("org/name", "http://127.0.0.1:8080"),
    HostKind.OTHER: resolve("org/name", "https://api.example.com/v1"),
}
# What means nothing to the users of another company's server, or of their own.
OF_HUGGING_FACE: Final = re.compile(
    r"hugging ?face|hf\.co|`hf |bytebuddy-hf login|\bPRO\b|\bthe Hub\b|inference\."
    r"|licen[cs]e|subscri|1st of the month|Inference Providers|许可|订阅|每月",
    re.IGNORECASE,
)
# What a dedicated endpoint has nothing to do with, although it is Hugging Face's.
OF_THE_ROUTER: Final = re.compile(
    r"settings/billing|huggingface\.co/pro\b|inference-providers|\bPRO\b"
    r"|Inference Providers|router\.huggingface|1st of the month|每月",
)
FORBIDDEN: Final = {
    HostKind.ENDPOINT: OF_THE_ROUTER,
    HostKind.LOOPBACK: OF_HUGGING_FACE,
    HostKind.OTHER: OF_HUGGING_FACE,
}


def steps(error: errors.APIError, lang: Language) -> list[str]:
    """Return every step that people are shown."""
    return [*explain_error(error, lang=lang).next_steps, error.hint or ""]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("host", HostKind, ids=lambda host: host.value)
@pytest.mark.parametrize(
    "kind", every_class(errors.APIError), ids=lambda kind: kind.__name__
)
def test_a_row_names_pages_of_the_host_that_answered(
    kind: type[errors.APIError], host: HostKind, lang: Language
) -> None:
    """For every row and host, knowing all that can be known, and knowing nothing."""
    for known in (True, False):
        error = kind("no", status=400)
        error.host_kind = host.value
        if known:
            _tell_everything(error)
        error.hint = next_step(error)
        assert error.hint
        said = steps(error, lang)
        assert said[:-1], "a class that is explained says what to do"
        forbidden = FORBIDDEN.get(host)
        for step in said if forbidden else ():
            assert not forbidden.search(step), step


def _tell_everything(error: errors.APIError) -> None:
    error.endpoint, error.model, error.found_in = "host:1", "org/name", "SOME_KEY"
    error.retry_after = 7.0
    for base in type(error).__mro__:
        for name, annotation in getattr(base, "__annotations__", {}).items():
            if annotation in ("int | None", "float | None"):
                setattr(error, name, 7)
            elif annotation == "str | None" and not getattr(error, name):
                setattr(error, name, "something")
    if error.host_kind == HostKind.ROUTER.value:
        error.served_by = ("groq",)


@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: f"{row.status} {row.kind}")
def test_an_answer_is_explained_for_the_host_it_came_from(row: Row) -> None:
    """Whatever words came, from wherever: a gateway repeats those of others."""
    for host, forbidden in FORBIDDEN.items():
        error = classify(row.status, row.headers, row.body.encode(), TARGETS[host])
        for lang in LANGUAGES:
            for step in steps(error, lang):
                # Where a redirect leads is what the server said.
                quoted = isinstance(error, errors.Redirected)
                assert quoted or not forbidden.search(step), step
