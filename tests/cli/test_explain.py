"""``explain`` tells what an answer means; failures speak the reader's language."""

from __future__ import annotations

import json

import pytest
from cli.process import Run, serving

from bytebuddy_provider_hf.cli.language import language_of
from bytebuddy_provider_hf.cli.served import providers, served_by
from bytebuddy_provider_hf.testing.answers import json_reply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.failures import quota_exhausted
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.transport.pool import connect

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
    """The title and the steps are Chinese; the sentence with the names stays."""
    hub.set("any", Behaviour(always=quota_exhausted()))
    arguments = ("chat", "--base", base, "-m", "any", "hi")
    ran = run(*arguments, LANG="zh_CN.UTF-8", LC_ALL="", PYTHONUTF8="1")
    assert ran.code == 4
    assert ran.err.startswith("错误：额度已用完\n")
    assert "depleted your monthly included credits" in ran.err
    assert "https://huggingface.co/settings/billing" in ran.err
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


MODEL = {
    "id": "a/b",
    "providers": [
        {"provider": "groq", "status": "live"},
        {"provider": "novita", "status": "error"},
        {"provider": "together"},
    ],
}


@pytest.mark.parametrize("answer", [MODEL, {"data": [MODEL]}, {"data": MODEL}, [MODEL]])
def test_the_catalogue_names_who_serves_the_model(answer: object) -> None:
    """Only providers that are live, whatever the answer is wrapped in."""

    async def handler(request: FakeRequest) -> FakeReply:
        assert request.path == "/v1/models/a/b"
        assert "authorization" not in request.headers
        return json_reply(answer)

    with serving(handler) as url:
        assert served_by("a/b", connect=connect, origin=url) == ("groq", "together")


@pytest.mark.parametrize(
    ("reply", "served"),
    [
        (json_reply({}, status=404), ()),
        (json_reply({}, status=500), None),
        (json_reply({"data": []}), None),
        (FakeReply(200, {}, b"<html>"), None),
        (FakeReply(dropped=True), None),
        (FakeReply(delay=60), None),
    ],
)
def test_a_silent_catalogue_is_silence(
    reply: FakeReply, served: tuple[str, ...] | None
) -> None:
    """404 says nobody; anything else, or nothing in time, says nothing."""

    async def handler(_request: FakeRequest) -> FakeReply:
        return reply

    with serving(handler) as url:
        found = served_by("a/b", connect=connect, origin=url, patience=0.5)
    assert found == served


def test_without_a_network_nothing_is_known(unused_tcp_port: int) -> None:
    """No error leaves the look-up."""
    origin = f"http://127.0.0.1:{unused_tcp_port}"
    assert served_by("a/b", connect=connect, origin=origin) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"providers":[1,{}]}', b"\xff"])
def test_any_catalogue_is_names_or_nothing(body: bytes) -> None:
    """The reader is total."""
    assert not providers(body)
