"""The provider page's eleven models, each role, each kind of server.

``page_models.toml`` has a table for each: the request that leaves and the text that
arrives, or the refusal.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from client.page import MODELS, ROLES, ROUTES, meet

from bytebuddy_provider_hf.testing.virtual_time import virtual_time

TABLE = tomllib.loads(
    (Path(__file__).parent / "page_models.toml").read_text(encoding="utf-8")
)
ROWS = [(model, role) for model in MODELS for role in ROLES]


def test_every_model_and_role_has_a_row() -> None:
    """Eleven models, four roles, and for each row all four routes."""
    assert len(ROWS) == 44
    for model, role in ROWS:
        assert set(TABLE[model][role]) == set(ROUTES)


@pytest.mark.parametrize(("model", "role"), ROWS)
@virtual_time
async def test_a_model_of_the_page(model: str, role: str) -> None:
    """What leaves and what arrives is what the table says, by every route."""
    for route in ROUTES:
        expected = TABLE[model][role][route]
        met = await meet(model, role, route)
        if "refused" in expected:
            assert met.refused == expected["refused"], route
            continue
        assert met.refused == "", route
        assert met.path == expected["path"], route
        assert met.asked == expected["asked"], route
        assert list(met.stops) == expected.get("stops", []), route
        assert met.text == expected["text"], route
