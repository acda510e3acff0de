"""``explain`` tells what an answer means; failures speak the reader's language."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.process import Run

from bytebuddy_provider_hf.cli.explain import _catalogue
from bytebuddy_provider_hf.cli.language import language_of
from bytebuddy_provider_hf.hub.router_models import Serving
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import quota_exhausted
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.memory import MemoryConnect
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

PERMISSION = (
    '{"error":"This authentication method does not have sufficient permissions to '
    'call Inference Providers on behalf of user NAME"}'
)


def test_an_answer_is_told_with_its_next_steps(run: Run) -> None:
    """Class, what the server said, meaning, and numbered steps; exit 0."""
    ran = run("explain", "403", PERMISSION)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("The token lacks a permission (MissingPermission, 403)\n")
    assert "The server said: This authentication method" in ran.out
    assert "  1. Make a token with 'Make calls to Inference Providers'" in ran.out
    assert (
        "settings/tokens/new?ownUserPermissions=inference.serverless.write" in ran.out
    )


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_the_body_may_come_through_a_pipe(run: Run, arguments: tuple[str, ...]) -> None:
    """What curl printed is piped in."""
    ran = run("explain", "403", *arguments, stdin=PERMISSION)
    assert "MissingPermission" in ran.out


def test_json_is_one_object(run: Run) -> None:
    """Programs read the same as people."""
    ran = run("explain", "402", "--json", "--offline")
    told = json.loads(ran.out)
    assert (told["kind"], told["status"]) == ("QuotaExhausted", 402)
    assert told["next_steps"]
    assert "https://huggingface.co/settings/billing" in told["links"]


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("explain", "402", "--lang", "zh"), {}),
        (("--lang", "zh", "explain", "402"), {}),
        (("explain", "402"), {"LC_ALL": "zh_CN.UTF-8"}),
        (("explain", "402"), {"LC_ALL": "", "LANG": "zh_TW.UTF-8"}),
    ],
)
def test_chinese_by_option_or_locale(
    run: Run, arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    """--lang beats the locale, which beats English."""
    ran = run(*arguments, PYTHONUTF8="1", **variables)
    assert ran.out.startswith("额度已用完 (QuotaExhausted, 402)\n")
    assert "下一步：" in ran.out


def test_the_option_beats_the_locale(run: Run) -> None:
    """A Chinese locale with --lang en is English."""
    ran = run("explain", "402", "--lang", "en", LC_ALL="zh_CN.UTF-8")
    assert ran.out.startswith("Credits used up")


@pytest.mark.parametrize(
    ("env", "lang"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "zh", "LANG": "de_DE"}, "zh"),
        ({"LANG": "ZH-hans"}, "zh"),
    ],
)
def test_the_locale_is_read_as_posix_says(env: dict[str, str], lang: str) -> None:
    """LC_ALL, then LC_MESSAGES, then LANG; an empty one does not count."""
    assert language_of(env) == lang


def test_other_commands_fail_in_the_readers_language(
    run: Run, hub: FakeHub, base: str
) -> None:
    """Sentence and step are Chinese; the server's own words stay as they are."""
    hub.set("any", Behaviour(always=quota_exhausted()))
    arguments = ("chat", "--base", base, "-m", "any", "hi")
    ran = run(*arguments, LANG="zh_CN.UTF-8", LC_ALL="", PYTHONUTF8="1")
    assert ran.code == 4
    assert ran.err.startswith("错误：账户的额度已用完（127.0.0.1:")
    assert "depleted your monthly included credits" in ran.err
    assert "127.0.0.1" in ran.err.splitlines()[-1]
    assert run(*arguments).err.startswith("error: The account's credits")


def test_a_header_says_how_long_to_wait(run: Run) -> None:
    """-H gives what the body cannot say."""
    ran = run("explain", "429", "--offline", "-H", "Retry-After: 300")
    assert "Wait 5 minutes" in ran.out
    assert run("explain", "429", "-H", "nonsense").code == 2


def test_a_hostile_body_does_not_draw_on_the_terminal(run: Run) -> None:
    """What the server said is shown without control sequences."""
    ran = run("explain", "400", stdin='{"error":"a\\u001b[31mb\\u202ec"}')
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out


def test_wrong_usage_is_wrong_usage(run: Run) -> None:
    """A status outside HTTP's range, or a model that is none, ends with 2."""
    assert run("explain", "99").code == 2
    assert run("explain", "404", "-m", "../x").code == 2


async def router(request: FakeRequest) -> FakeReply:
    """Answer as the router's catalogue, of one model that two providers serve."""
    assert request.path == "/v1/models/a/b"
    assert "authorization" not in request.headers
    live = [{"provider": "groq", "status": "live"}, {"provider": "together"}]
    return json_reply({"id": "a/b", "providers": live})


def test_the_router_is_asked_who_serves_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a token, over connections that are closed again."""
    connect = MemoryConnect(router)
    monkeypatch.setattr(
        "bytebuddy_provider_hf.transport.pool.open_http_client", connect
    )
    assert _catalogue("a/b") == Serving(("groq", "together"))
    assert (connect.sent, connect.open) == (1, 0)


def test_a_proxy_that_cannot_be_used_is_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The answer that was pasted is explained all the same."""
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://")
    assert _catalogue("a/b") is None


@pytest.mark.parametrize(
    ("what", "kinds"),
    [
        ("503", ["ModelLoading", "ServerUnhealthy", "ServerOverloaded", "ServerError"]),
        ("Service Unavailable", ["ModelLoading", "ServerUnhealthy"]),
        ("503 Service Unavailable", ["ModelLoading"]),
        ("404", ["ModelNotFound", "RouteNotFound"]),
        ("429 Too Many Requests", ["RateLimited", "ModelOverloaded"]),
    ],
)
def test_a_status_alone_names_its_meanings(
    run: Run, what: str, kinds: list[str]
) -> None:
    """The likeliest first, each with one step, and how to learn which it is."""
    ran = run("explain", what)
    assert ran.code == 0
    places = [ran.out.index(f"({kind}, ") for kind in kinds]
    assert places == sorted(places)
    assert ran.out.count("  → ") >= len(kinds)
    assert "BODY`" in ran.out.splitlines()[-1]
    told = json.loads(run("explain", what, "--json").out)
    assert [each["kind"] for each in told["meanings"]][: len(kinds)] == kinds


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Model Not Found", "ModelNotFound"),
        ("ModelNotFound", "ModelNotFound"),
        ("没有此模型", "ModelNotFound"),
        ("model is loading", "ModelLoading"),
        ("CUDA out of memory", "OutOfMemory"),
        ("You exceeded your monthly included credits", "QuotaExhausted"),
        ("context_length_exceeded", "ContextTooLong"),
        ("UnsetVariable", "UnsetVariable"),
        ("the tokens was refused", "TokenInvalid"),
    ],
)
def test_words_are_understood(run: Run, words: str, kind: str, lang: str) -> None:
    """The name of an error, its title, nearly its title, and what servers say."""
    ran = run("explain", words, "--lang", lang)
    assert (ran.code, f"({kind})" in ran.out) == (0, True), ran.out + ran.err
    assert json.loads(run("explain", words, "--json").out)["kind"] == kind


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("Model", "Not", "Found"), "ModelNotFound"),
        (("503", "Model", "is", "overloaded"), "ServerOverloaded"),
    ],
)
def test_words_need_no_quotes(run: Run, arguments: tuple[str, ...], kind: str) -> None:
    """Pasted as they were read, they are what was said."""
    ran = run("explain", *arguments, "--json")
    assert json.loads(ran.out)["kind"] == kind


@pytest.mark.parametrize(
    ("line", "kind", "status", "said"),
    [
        (
            "error: The token was refused (router.huggingface.co, 401): No such user.",
            "TokenInvalid",
            401,
            "No such user.",
        ),
        (
            "错误：模型仍在加载（h.co，503）：Model x is currently loading",
            "ModelLoading",
            503,
            "Model x is currently loading",
        ),
        (
            "401 Client Error: Unauthorized for url: https://router.huggingface.co/v1",
            "TokenInvalid",
            401,
            "Client Error: Unauthorized",
        ),
        ("HTTP 402: You have exceeded your credits", "QuotaExhausted", 402, "You have"),
        ("HTTP/1.1 429 Too Many Requests", "RateLimited", 429, "Too Many Requests"),
        ("status code 404", "RouteNotFound", 404, ""),
        (
            "QuotaExhausted: no credits (router.huggingface.co, 402)",
            "QuotaExhausted",
            402,
            "",
        ),
    ],
)
def test_a_line_that_is_pasted_whole_is_understood(
    run: Run, line: str, kind: str, status: int, said: str
) -> None:
    """Of ours, in both languages, of requests, and as logs write them."""
    told = json.loads(run("explain", line, "--offline", "--json").out)
    assert (told["kind"], told["status"]) == (kind, status)
    assert said in told["said"]
    assert "http" not in told["said"]
    assert run("explain", *line.split(), "--offline").code == 0


@pytest.mark.parametrize("base", ["", "    apiBase: https://models.example/v1\n"])
def test_an_entry_stands_for_its_model(run: Run, home: Path, base: str) -> None:
    """Its name is no id that anybody could look up."""
    folder = home / ".bytebuddy"
    folder.mkdir(mode=0o700)
    (folder / "config.yaml").write_text(
        "models:\n  - name: mine\n    provider: huggingfaceinferenceapi\n"
        f"    model: org/name\n{base}"
    )
    ran = run("explain", "404", "No such model", "-m", "mine", "--offline")
    assert ran.code == 0
    assert "mine" not in ran.out
    assert ("models suggest org/name" in ran.out) is (not base)


def test_words_that_nothing_says_are_refused_with_what_to_give(run: Run) -> None:
    """Nothing is guessed: the status and the body would tell."""
    ran = run("explain", "flurble")
    assert (ran.code, ran.out) == (2, "")
    assert "explain 503 BODY" in ran.err
