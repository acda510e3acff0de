"""A simulated job with an exposed port: its proxy, and a server that comes and goes."""

from __future__ import annotations

import asyncio
import math
from typing import Final, final

from attrs import frozen

from bytebuddy_provider_hf.testing.failures import (
    asleep,
    empty_error,
    html_error,
    string_error,
    text_error,
)
from bytebuddy_provider_hf.testing.script import FakeReply, FakeRequest, Handler

# Which of these the proxy says while a job starts is not documented.
STARTS: Final = {
    "404 text": text_error(404, "Not Found"),
    "404 page": html_error(404, "Not Found"),
    "404 JSON": string_error(404, "Not Found"),
    "404 empty": empty_error(404),
    "502 page": html_error(502, "Bad Gateway"),
    "502 empty": empty_error(502),
    "503 text": text_error(503, "no healthy upstream"),
    "503 JSON": asleep(),
}
OVER: Final = {
    "404 text": text_error(404, "Not Found"),
    "410": empty_error(410),
    "410 JSON": string_error(410, "Gone"),
    "404 said": string_error(404, "Job 6a2b was canceled"),
    "503 said": string_error(503, "the job has completed"),
}


@final
@frozen
class FakeJob:
    """Serve ``server`` from ``ready`` until ``over``, seconds of the loop's clock."""

    server: Handler
    starts: FakeReply
    ends: FakeReply
    ready: float = 0.0
    over: float = math.inf
    key: str = "hf_x"

    async def __call__(self, request: FakeRequest) -> FakeReply:
        """Answer one request."""
        now = asyncio.get_running_loop().time()
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return string_error(401, "Invalid credentials in Authorization header")
        if now >= self.over:
            return self.ends
        return self.starts if now < self.ready else await self.server(request)
