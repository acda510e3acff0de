"""The rules for the errors that leave with what a server said in them."""

from __future__ import annotations

import json

import pytest

from bytebuddy_provider_hf.address import resolve
from bytebuddy_provider_hf.client.endpoint import endpoint_for
from bytebuddy_provider_hf.client.response_errors import masked
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import APIError, MalformedResponse, StreamFailed
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.texts import render, text
from bytebuddy_provider_hf.transport.credentials import Credential
from bytebuddy_provider_hf.wire.openai_reply import OpenAIStream

KEY = "canary-0123456789abcdef"


@pytest.mark.parametrize("before", [0, 400, 470, 490, 1_950, 1_970, 1_980, 1_990])
def test_no_part_of_a_key_leaves_with_an_error_event(before: int) -> None:
    """Also where its text is cut in the middle of the key."""
    endpoint = endpoint_for(
        resolve("m", "http://127.0.0.1:1"),
        Credential(Secret(KEY), "the tests"),
        RequestOptions(),
        env={},
    )
    said = "x" * before + f" {KEY} is refused"
    event = b"data: " + json.dumps({"error": {"message": said}}).encode() + b"\n\n"
    with pytest.raises(StreamFailed) as caught:
        OpenAIStream(model="m").feed(event)
    error = masked(caught.value, endpoint)
    cause = error.__cause__
    assert isinstance(error, StreamFailed)
    assert isinstance(cause, APIError)
    assert cause.found_in == "the tests"
    for told in (str(error), error.event, repr(error.args), str(cause), cause.body):
        assert "canary" not in told


def test_an_error_without_a_secret_keeps_its_other_language() -> None:
    """Nothing was masked in it, so it is not only its English sentence."""
    endpoint = endpoint_for(
        resolve("m", "http://127.0.0.1:1"),
        Credential(Secret(KEY), "the tests"),
        RequestOptions(),
        env={},
    )
    error = masked(
        MalformedResponse(text("wire.stream_not_json", said="<p>")), endpoint
    )
    assert error.message == "The stream holds what is not JSON: <p>."
    assert render(error.message, "zh") == "流中有不是 JSON 的内容：<p>。"
    hidden = masked(MalformedResponse(text("wire.stream_not_json", said=KEY)), endpoint)
    assert "canary" not in render(hidden.message, "zh")
    assert "canary" not in repr(hidden.args)
