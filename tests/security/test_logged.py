"""No secret, prompt or answer comes into a log file or onto the screen with ``-vv``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from security.provoking import CANARY, World, model_at
from security.triggers import TRIGGERS

from bytebuddy_provider_hf import errors
from bytebuddy_provider_hf.cli.verbose import ScreenLog
from bytebuddy_provider_hf.config.values import LogOptions
from bytebuddy_provider_hf.logs.file import RotatingFile
from bytebuddy_provider_hf.logs.install import attach, detach
from bytebuddy_provider_hf.scheduling import retry
from bytebuddy_provider_hf.testing.answers import chat_reply, chat_stream
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest

PROMPT, ANSWER = "PromptCanary4713", "AnswerCanary4714"

pytestmark = pytest.mark.asyncio


@pytest.fixture
def logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[], tuple[str, str]]]:
    """Give what a log file has of everything, and what ``-vv`` shows of it."""
    path = tmp_path / "logs" / "all.log"
    handler, shown = RotatingFile(LogOptions(str(path), level="debug")), ScreenLog()
    attach(handler)
    with click.Context(click.Command("any")) as ctx:
        shown.begin(ctx)
        shown.ask_for_more(2)
        yield lambda: (path.read_text(), capsys.readouterr().err)
    detach(handler)
    handler.close()


@pytest.mark.parametrize("kind", TRIGGERS, ids=lambda kind: kind.__name__)
async def test_no_key_is_logged(
    kind: type[errors.ByteBuddyError],
    tmp_path: Path,
    unused_tcp_port: int,
    logged: Callable[[], tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever fails, and whatever the server says with it."""
    monkeypatch.setattr(retry, "backoff", lambda *_, **__: 0.0)
    world = tmp_path / "world"
    world.mkdir()
    with pytest.raises(kind) as caught:
        await TRIGGERS[kind](World(world, unused_tcp_port))
    logging.getLogger("bytebuddy_provider_hf").warning("it ended: %s", caught.value)
    for text in logged():
        assert "it ended: " in text
        assert CANARY not in text


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("whole", [False, True], ids=["broken off", "whole"])
async def test_no_prompt_and_no_answer_is_logged(
    logged: Callable[[], tuple[str, str]], streamed: bool, whole: bool
) -> None:
    """Neither of a call that went well, nor of one whose answer broke off."""

    async def handler(request: FakeRequest) -> FakeReply:
        reply = chat_stream([ANSWER, "b"]) if streamed else chat_reply(ANSWER)
        cut = None if whole else len(reply.content) - 20
        return FakeReply(200, reply.headers, reply.body, cut=cut)

    async with model_at(handler) as model:
        call = model.chat(PROMPT)
        try:
            if streamed:
                async with call as events:
                    assert ANSWER in repr([event async for event in events])
            else:
                assert ANSWER in (await call).text
        except errors.ByteBuddyError:
            assert not whole
        else:
            assert whole
    for text in logged():
        assert "/v1/chat/completions: 200 after" in text
        assert PROMPT not in text
        assert ANSWER not in text
