"""What is known of a kind of server stands in one file, and nobody asks for a kind."""

from __future__ import annotations

import ast
from typing import Final

import pytest
from package_sources import Sources

from bytebuddy_provider_hf.wire.dialects import BY_NAME, SERVERS
from bytebuddy_provider_hf.wire.dialects.hf_inference import HfInference
from bytebuddy_provider_hf.wire.server import Server

DIALECTS: Final = "wire/dialects/"
KINDS: Final = [kind for kind in SERVERS if kind is not Server]
# Who makes a server without a probe, and why.
MAKERS: Final = {
    "client/server_info.py": "an address of the router says what stands there",
    "client/cached_call.py": "an address of the router says what stands there",
    "client/unsent.py": "an address of the router says what stands there",
    "wire/probe.py": "who says nothing is taken for the inference toolkit",
    "wire/tgi.py": "the server that alone has this protocol",
    "wire/llamacpp.py": "the server that alone has this protocol",
}


# "hf-inference" is the id of a provider too, by which the Hub is asked.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not HfInference])
def test_a_server_is_named_in_its_own_file(
    kind: type[Server], sources: Sources
) -> None:
    """By the name that notes have, and by the owner that its list of models says."""
    names = {kind.name, *kind.owners}
    (found,) = {
        path
        for path, nodes in sources.items()
        # The simulators stand for other people's servers.
        if not path.startswith("testing/")
        for node in nodes
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert found.startswith(DIALECTS)


def test_a_kind_is_imported_by_who_makes_one(sources: Sources) -> None:
    """Whoever wants to know what a server does asks the server."""
    names = {kind.__name__ for kind in KINDS}
    found = {
        path
        for path, nodes in sources.items()
        if not path.startswith((DIALECTS, "testing/"))
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        and names & {alias.name for alias in node.names}
    }
    assert found == MAKERS.keys()


def test_no_two_servers_have_a_name_or_an_owner_in_common() -> None:
    """Both tell them apart: in the file of what probes found, and in a probe."""
    assert len(BY_NAME) == len(SERVERS)
    owners = [owner for kind in SERVERS for owner in kind.owners]
    assert len(owners) == len(set(owners))


@pytest.mark.parametrize("kind", SERVERS)
def test_a_prompt_as_it_stands_is_sent_no_option_of_reasoning(
    kind: type[Server],
) -> None:
    """Whatever the server: the reasoning of a raw prompt stands in it."""
    taken = kind().options_for("completions")
    assert not [name for name in taken.names if name.startswith("reasoning")]
