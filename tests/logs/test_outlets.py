"""A handler of ours gets what it wants; those of a host get what they had."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from bytebuddy_provider_hf.logs.install import NAMES, attach, detach


class Kept(logging.Handler):
    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@pytest.fixture
def host() -> Iterator[Kept]:
    """Give the handler of a program that shows what reaches the root logger."""
    handler = Kept()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def say_all(name: str) -> None:
    logger = logging.getLogger(f"{name}.engine.deep")
    for level in ("debug", "info", "warning"):
        getattr(logger, level)(level)


@pytest.mark.parametrize("name", NAMES)
def test_a_low_level_of_ours_shows_a_host_no_more_than_before(
    host: Kept, name: str
) -> None:
    """Ours has requests, the program's console has warnings, as without ours."""
    ours = Kept(logging.DEBUG)
    attach(ours)
    say_all(name)
    detach(ours)
    say_all(name)
    assert ours.said == ["debug", "info", "warning"]
    assert host.said == ["warning", "warning"]


def test_a_host_that_wants_all_has_all(host: Kept) -> None:
    """By the root's level, or by the logger's, set before ours or since."""
    logger, root = logging.getLogger(NAMES[0]), logging.getLogger()
    ours = Kept(logging.DEBUG)
    attach(ours)
    for each in (root, logger):
        before = each.level
        each.setLevel(logging.INFO)
        say_all(NAMES[0])
        each.setLevel(before)
    detach(ours)
    logger.setLevel(logging.INFO)
    attach(ours)
    say_all(NAMES[0])
    detach(ours)
    assert logger.level == logging.INFO
    logger.setLevel(logging.NOTSET)
    assert host.said == ["info", "warning"] * 3


def test_two_handlers_each_have_their_level() -> None:
    """The lowest decides what is made; the order of leaving does not matter."""
    low, high = Kept(logging.DEBUG), Kept(logging.WARNING)
    for handler in (low, high):
        attach(handler)
    say_all(NAMES[0])
    detach(low)
    assert not logging.getLogger(NAMES[0]).isEnabledFor(logging.INFO)
    say_all(NAMES[0])
    detach(high)
    assert low.said == ["debug", "info", "warning"]
    assert high.said == ["warning", "warning"]


def test_without_a_host_s_handler_nothing_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Logging's last resort would print warnings where nobody asked for any."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        ours = Kept(logging.DEBUG)
        attach(ours)
        say_all(NAMES[0])
        detach(ours)
        say_all(NAMES[0])
    finally:
        root.handlers = handlers
    assert ours.said
    assert capsys.readouterr() == ("", "")
