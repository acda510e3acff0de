"""The key ``log``: who may say where a log is written, and how."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_world import ENTRY, World

from bytebuddy_provider_hf.config.values import LogOptions

MODELS = f"models:\n{ENTRY}"


def log_of(world: World, text: str) -> LogOptions:
    found = world.read(f"log: {text}\n{MODELS}").log
    assert found is not None
    return found


def test_a_path_alone_is_an_error_log(world: World) -> None:
    """Warnings and errors, four files of 5 MB; where it was written is kept."""
    found = log_of(world, "{path: /x/a.log}")
    assert (found.path, found.level) == ("/x/a.log", "warning")
    assert (found.size, found.keep) == (5, 3)
    assert str(found.source) == f"{world.machine / 'chosen.yaml'}:1:1"


def test_a_path_may_begin_at_home_or_at_its_file(world: World) -> None:
    """Never at the folder where the program happens to be started."""
    assert log_of(world, "{path: ~/logs/a.log}").path == str(world.home / "logs/a.log")
    assert log_of(world, "{path: a.log}").path == str(world.machine / "a.log")
    assert log_of(world, "{path: '${P}/a.log'}").path == str(world.machine / "p/a.log")


@pytest.fixture(autouse=True)
def variable(world: World) -> None:
    world.env["P"] = "p"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x.log", "1:6: log: expected a mapping, found a single value"),
        ("[a]", "1:6: log: expected a mapping, found a list"),
        ("{}", "1:6: log.path: expected the path of a file, found nothing"),
        ("{path: [a]}", "1:13: log.path: expected the path of a file, found a list"),
        ("{path: a/}", "1:13: log.path: expected the path of a file, found a/"),
        ("{path: ~bob/a}", "1:13: log.path: expected the path of a file, found ~bob/a"),
        ("{path: '~'}", "1:13: log.path: expected the path of a file"),
        (
            "{path: a, level: verbose}",
            "1:23: log.level: expected one of error, warning, info, debug",
        ),
        ("{path: a, size: 0}", "1:22: log.size: expected a whole number from 1 to"),
        ("{path: a, size: 5 MB}", "1:22: log.size: expected a whole number from 1"),
        ("{path: a, keep: 0}", "1:22: log.keep: expected a whole number from 1 to 100"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(
    world: World, text: str, told: str
) -> None:
    """File, line and column, and what was expected there."""
    (problem,) = world.problems(f"log: {text}\n{MODELS}")
    assert problem.startswith(f"chosen.yaml:{told}")


def test_an_unknown_key_is_a_warning(world: World) -> None:
    """With the spelling that may be meant."""
    config = world.read(f"log: {{path: a, levle: info}}\n{MODELS}")
    assert config.log is not None
    (warning,) = config.warnings
    assert "do you mean level?" in warning.message


def test_a_variable_that_is_not_set_means_no_log(world: World) -> None:
    """It is said, and stops nothing."""
    config = world.read(f"log: {{path: '${{NOBODY}}/a.log'}}\n{MODELS}")
    assert config.log is None
    assert config.entries
    (warning,) = config.warnings
    assert "log.path: needs the variable NOBODY" in warning.message


@pytest.mark.parametrize("trusted", [False, True])
def test_a_project_s_file_never_says_where_to_write(
    world: World, trusted: bool
) -> None:
    """Trust is about an origin; the key is named as ignored, whatever it holds."""
    if trusted:
        world.store.add(world.project, "https://router.huggingface.co")
    for text in ("{path: ~/.ssh/authorized_keys}", "7"):
        world.write(world.project_file, f"log: {text}\n{MODELS}")
        config = world.load()
        assert config.log is None
        assert config.entries
        (warning,) = config.warnings
        assert warning.place == f"{world.project_file}:1:1"
        assert warning.message.startswith("log: ignored: a project's file")


def test_the_strongest_file_that_has_it_decides(world: World) -> None:
    """The user's before the machine's; a file that is named is the only one."""
    machine = world.write(world.machine / "config.yaml", f"log: {{path: m}}\n{MODELS}")
    config = world.load()
    assert config.log is not None
    assert config.log.path == str(world.machine / "m")
    world.write(world.user_file, f"log: {{path: u}}\n{MODELS}")
    found = world.load().log
    assert found is not None
    assert found.path == str(Path(world.home, ".bytebuddy", "u"))
    named = world.load(machine).log
    assert named is not None
    assert named.path == str(world.machine / "m")
