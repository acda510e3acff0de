"""Bytes of any kind: a configuration or a ``ConfigError``, and soon."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rounds import rounds

from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.errors import ConfigError

SEED = b"""\
name: x
requestOptions: {timeout: 5, headers: {A: "${B}"}}
models:
  - name: "hf-llama"
    provider: 'p'
    model: "org/name"  # words
    apiKey: "${HF_API_KEY:-x}"
    roles: ["chat", embed]
    apiBase: https://host.example:1/v1
    defaultCompletionOptions:
      temperature: 0.7
      stop: |
        text
    env: {a: 1, b: true}
  - {name: b, provider: p, model: ${{ secrets.M }}}
"""
TOKENS = [
    b"\n",
    b"  ",
    b"\t",
    b"- ",
    b": ",
    b"? ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"&a ",
    b"*a",
    b"!!x ",
    b"|",
    b">",
    b'"',
    b"'",
    b"#",
    b"%",
    b"---\n",
    b"...\n",
    b"${",
    b"}",
    b"$$",
    b"\\",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"null",
    b"1e999",
    b"<<",
    b"models:",
    b"provider: x\n",
    b"9" * 400,
    b"\\U99999999",
    b'"\\xZZ"',
    b"@",
    b"`",
    b"[" * 30,
    b",",
]

edits = st.lists(
    st.tuples(
        st.integers(0, len(SEED)),
        st.integers(0, 8),
        st.sampled_from(TOKENS) | st.binary(max_size=4),
    ),
    max_size=8,
)


def mutated(changes: list[tuple[int, int, bytes]]) -> bytes:
    raw = SEED
    for at, cut, put in changes:
        raw = raw[:at] + put + raw[at + cut :]
    return raw


def check(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for name in ("chosen.yaml", "config.yaml"):
            (home / name).write_bytes(raw)
        for path in (home / "chosen.yaml", None):
            begin = time.process_time()
            try:
                config = load(
                    path, cwd=home, home=home, env={"B": "1"}, global_path=home / "no"
                )
            except ConfigError as error:
                str(error)
            else:
                assert all(entry.name and entry.provider for entry in config.entries)
            assert time.process_time() - begin < 1


@pytest.mark.measured
@settings(
    max_examples=rounds(200, long=5_000),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(edits)
@example([])
def test_a_mutated_file_loads_or_says_why_not(
    changes: list[tuple[int, int, bytes]],
) -> None:
    """Nothing but ``ConfigError`` comes out, in under a second."""
    check(mutated(changes))


@pytest.mark.measured
@settings(max_examples=rounds(150, long=5_000), deadline=None)
@given(
    st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join)
    | st.binary(max_size=80)
)
def test_any_bytes_load_or_say_why_not(raw: bytes) -> None:
    """So for text made of nothing but YAML's own signs."""
    check(raw)


def test_of_thousands_of_unknown_keys_a_hundred_are_compared(tmp_path: Path) -> None:
    """Each comparison takes a while; all keys are told of."""
    path = tmp_path / "config.yaml"
    # Other spellings of one key.
    keys = [f"models{'_' * (at % 40)}{'-' * (at // 40)}" for at in range(1, 1_001)]
    path.write_text("".join(f"{key}: 1\n" for key in keys) + "models: []\n")
    config = load(path, cwd=tmp_path, home=tmp_path, env={}, global_path=path)
    said = [warning.message for warning in config.warnings]
    assert len(said) == 1_000
    assert sum("do you mean models" in each for each in said) == 100
