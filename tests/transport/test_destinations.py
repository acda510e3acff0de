"""What of request_options.headers may leave, and that it leaves once."""

from __future__ import annotations

import pytest

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.secret import Secret
from bytebuddy_provider_hf.testing.answers import chat_reply, chat_stream
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest
from bytebuddy_provider_hf.testing.serve import serve
from bytebuddy_provider_hf.transport.http_client import destination_for

ORIGIN = "https://h.example"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x", "a\r\nX-Evil: 1"),
        ("x", "a\nb"),
        ("x", "a\x00b"),
        ("x", "中"),
        ("x", "\ud800"),
        ("x\r\nX-Evil", "a"),
        ("x y", "a"),
        ("x:", "a"),
        ("", "a"),
        ("ｘ", "a"),
    ],
)
def test_a_header_that_would_break_a_request_is_named(name: str, value: str) -> None:
    """A host's own code is not checked by the file's rules; the value is not shown."""
    options = RequestOptions(headers={name: Secret(value)})
    with pytest.raises(InvalidOption, match=r"request_options\.headers") as caught:
        destination_for(ORIGIN, None, options, env={})
    assert "X-Evil: 1" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["Content-Length", "transfer-encoding", "Connection", "Upgrade", "TE"]
)
def test_how_a_request_is_framed_is_not_for_a_file_to_say(name: str) -> None:
    """Two lengths for one body are two requests to somebody (RFC 9112, 11.2)."""
    options = RequestOptions(headers={name: Secret("1")})
    with pytest.raises(InvalidOption, match="framed"):
        destination_for(ORIGIN, None, options, env={})


def test_ordinary_headers_may_leave() -> None:
    """Latin-1 and tabs in a value, any sign that RFC 9110 allows in a name."""
    headers = {"X-HF-Bill-To": "my-org", "x_y.z~1": "naïve\tvalue", "Host": "h"}
    options = RequestOptions(headers={k: Secret(v) for k, v in headers.items()})
    assert destination_for(ORIGIN, None, options, env={}).options is options


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
@pytest.mark.asyncio
async def test_a_configured_header_takes_the_place_of_ours(proxied: bool) -> None:
    """No header is sent twice: which of the two counts differs from server to server.

    Servers join what they get twice with a comma.
    """
    seen: list[FakeRequest] = []

    async def handler(request: FakeRequest) -> FakeReply:
        seen.append(request)
        return chat_stream(["a"]) if request.value("stream") else chat_reply("a")

    wanted = {"User-Agent": "mine", "content-type": "application/json; a=b"}
    headers = {**wanted, "accept": "application/json"}
    async with serve(handler) as url:
        options = RequestOptions(
            headers={name: Secret(value) for name, value in headers.items()},
            proxy=url if proxied else None,
        )
        async with open_model(
            "m", api_base=f"{url}/v1", request_options=options, env={}
        ) as model:
            await model.chat("a")
            async with model.chat("a") as events:
                assert [event async for event in events]
    accepts = ["application/json", "text/event-stream"]
    for request, accept in zip(seen, accepts, strict=True):
        assert request.headers["user-agent"] == "mine"
        assert request.headers["content-type"] == "application/json; a=b"
        assert request.headers["accept"] == accept
