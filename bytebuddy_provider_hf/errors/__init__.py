"""Offer every error that this package raises; docs/failures.md shows the tree.

``base`` has what all have: ``status``, ``retry_after`` (seconds), ``hint`` (the next
step) and a ``str()`` of one redacted line; errors can be pickled and hold no secret.
``setup`` has what is refused before anything is sent, ``connection`` what happens on
the way, ``api`` what a server answers. ``data/failures.toml`` has a row for each class.
"""

from __future__ import annotations

# Stars, so that a new class is written in its module and nowhere else.
from bytebuddy_provider_hf.errors.api import *  # noqa: F403 - see above
from bytebuddy_provider_hf.errors.base import *  # noqa: F403 - see above
from bytebuddy_provider_hf.errors.connection import *  # noqa: F403 - see above
from bytebuddy_provider_hf.errors.setup import *  # noqa: F403 - see above
