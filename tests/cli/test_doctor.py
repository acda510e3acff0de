"""``doctor`` shows what it finds, in both languages, and ends with the cause's code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli.process import CANARY, OpenTerminal, Run

from bytebuddy_provider_hf.testing.hub import FakeHub

BROKEN = """\
models:
  - name: hf-llama
    provider: huggingfaceinferenceapi
    model: meta-llama/Llama-2-70b-chat-hf
    apiBase: https://api-inference.huggingface.co
    apiKey: your-huggingface-api-key
    roles: [chat]
"""
LOCAL = """\
models:
  - name: mine
    provider: huggingfaceinferenceapi
    model: org/name
    apiBase: {base}
"""


@pytest.fixture
def config(home: Path) -> Path:
    folder = home / ".bytebuddy"
    folder.mkdir(mode=0o700)
    path = folder / "config.yaml"
    path.write_text(BROKEN)
    return path


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_cause_stands_last_with_its_step(run: Run, config: Path, lang: str) -> None:
    """A person reads the last lines first; the home is written ~."""
    ran = run("doctor", "--offline", "--lang", lang)
    assert (ran.code, ran.err) == (4, "")
    *_, cause, step = ran.out.splitlines()
    assert "~/.bytebuddy/config.yaml:6" in cause
    assert "bytebuddy-hf login" in step
    assert str(config.parent.parent) not in ran.out
    assert "`bytebuddy-hf doctor --fix`" in ran.out


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_block_to_be_copied_keeps_its_lines(
    run: Run, config: Path, lang: str
) -> None:
    """It stands under the sentence, in the JSON too, and its key is masked."""
    config.write_text(
        f"name: it\nprovider: huggingfaceinferenceapi\n"
        f"model: org/name\napiKey: {CANARY}\n"
    )
    shown = run("doctor", "--offline", "--lang", lang).out
    block = "    models:\n      - name: it\n        provider: huggingfaceinferenceapi\n"
    assert shown.count(block) == 2
    told = json.loads(run("doctor", "--lint", "--json", "--offline").out)
    assert block in told["findings"][0]["said"] + "\n"
    assert CANARY not in shown + str(told)


def test_fix_mends_and_tells_it(run: Run, config: Path) -> None:
    """What was mended is no finding the second time."""
    ran = run("doctor", "--offline", "--fix")
    assert ran.out.count("Mended: ") == 2
    assert "api-inference" not in config.read_text()
    again = run("doctor", "--offline", "--fix", HF_TOKEN=CANARY)
    assert (again.code, "Mended" in again.out) == (0, False)
    assert "No problem was found." in again.out


def test_json_is_for_programs(run: Run, config: Path) -> None:
    """Each finding has its id, level and steps; the file stays as it is."""
    before = config.read_bytes()
    ran = run("doctor", "--lint", "--json", "--offline")
    told = json.loads(ran.out)
    assert told["exit"] == ran.code == 4
    ids = [each["id"] for each in told["findings"]]
    assert ids.index("entry.retired") < ids.index("token.placeholder")
    first = next(each for each in told["findings"] if each["level"] == "problem")
    assert set(first) == {"id", "level", "entry", "said", "steps", "error", "fixable"}
    assert config.read_bytes() == before
    assert not (config.parent / "usage.key").exists()


def test_lint_does_not_fix(run: Run, config: Path) -> None:
    """One of both is meant."""
    ran = run("doctor", "--lint", "--fix")
    assert (ran.code, config.read_text()) == (2, BROKEN)


def test_a_program_is_not_asked_and_calls_nothing(
    run: Run, config: Path, hub: FakeHub, base: str
) -> None:
    """A call costs: without a terminal it is made where --calls says so."""
    config.write_text(LOCAL.format(base=base))
    assert run("doctor").code == 0
    assert [each.path for each in hub.requests if "completions" in each.path] == []
    ran = run("doctor", "--calls")
    assert re.search(r"✓ mine answered in \d+\.\d s\.", ran.out), ran.out
    (call,) = [each for each in hub.requests if each.path.endswith("/completions")]
    assert call.value("max_tokens") == 1


def test_a_person_is_asked_before_a_call(
    terminal: OpenTerminal, config: Path, hub: FakeHub, base: str
) -> None:
    """No is the default."""
    config.write_text(LOCAL.format(base=base))
    shown = terminal("doctor")
    shown.read_until("[y/N]: ")
    shown.type("\n")
    assert shown.end() == 0
    assert [each.path for each in hub.requests if "completions" in each.path] == []


def test_a_screen_without_marks_gets_letters(run: Run, config: Path) -> None:
    """What an encoding cannot write is not written as a code."""
    ran = run("doctor", "--offline", PYTHONIOENCODING="ascii")
    assert re.search(r"^x hf-llama: ", ran.out, re.MULTILINE), ran.out
    assert "\\u" not in ran.out


MORE = """\
  - {name: flow, provider: huggingfaceinferenceapi, model: org/name, apiKey: hf_xxx}
"""


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "Not mended: "), ("zh", "未修正：")]
)
def test_what_is_not_mended_is_told_in_the_users_words(
    run: Run, config: Path, lang: str, words: str
) -> None:
    """With the home as ~; and it, not what was mended, is the first problem left."""
    config.write_text(BROKEN + MORE)
    ran = run("doctor", "--offline", "--fix", "--lang", lang)
    (line,) = [each for each in ran.out.splitlines() if each.startswith(words)]
    assert line.count("~/.bytebuddy/config.yaml") == 2
    assert str(config.parent.parent) not in ran.out
    assert ran.code == 4
    *_, cause, step = ran.out.splitlines()
    assert "~/.bytebuddy/config.yaml:8" in cause
    assert "bytebuddy-hf login" in step


def test_after_mending_all_a_second_look_is_asked_for(run: Run, config: Path) -> None:
    """What a placeholder hid is not known: that is no "all is well"."""
    ran = run("doctor", "--offline", "--fix", HF_TOKEN=CANARY)
    assert ran.out.splitlines()[-1].startswith("Run `bytebuddy-hf doctor` again")
    assert ran.code == 4
    assert run("doctor", "--offline", HF_TOKEN=CANARY).code == 0


def test_an_entry_is_named_as_a_word(run: Run, config: Path) -> None:
    """An entry "a" is not named by a sentence that has the letter in it."""
    one = "  - {name: a, provider: huggingfaceinferenceapi, model: org/name, "
    config.write_text(f"models:\n{one}requestOptions: {{caBundlePath: /nope.pem}}}}\n")
    ran = run("doctor", "--offline", HF_TOKEN=CANARY)
    assert "✗ a: caBundlePath /nope.pem cannot be loaded" in ran.out
    ran = run("doctor", "--offline")
    assert "✗ a: Hugging Face's router needs a token" in ran.out
