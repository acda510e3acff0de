"""Loggers as they were, after every test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from bytebuddy_provider_hf.cli.verbose import SCREEN
from bytebuddy_provider_hf.logs import install
from bytebuddy_provider_hf.logs.install import NAMES


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Close log files, and see that nothing of them is left."""
    # A test of the command line may have left its context unclosed in this process.
    SCREEN.end()
    yield
    install.close()
    for name in NAMES:
        logger = logging.getLogger(name)
        kinds = {type(each).__module__ for each in logger.handlers}
        assert not any(kind.startswith("bytebuddy") for kind in kinds)
        assert (logger.level, logger.propagate) == (logging.NOTSET, True)
