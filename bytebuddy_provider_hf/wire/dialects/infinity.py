"""infinity: vectors, scores and classes of several models, by OpenAI's forms.

libs/infinity_emb/infinity_emb of https://github.com/michaelfeil/infinity:
infinity_server.py and fastapi_schemas/pymodels.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from bytebuddy_provider_hf.wire.server import Server


class Infinity(Server):
    """It says ``owned_by: infinity`` in its list of models, and what each can do.

    Its routes stand at the root, unless it was started with ``--url-prefix``.
    """

    name = "infinity"
    owners = frozenset({"infinity"})
    usual_routes = frozenset({"embeddings", "rerank", "classify"})
    # It could send base64, but not where it was started with binary vectors, which
    # its list of models does not tell: such a call fails with a 500.
    embeds_base64 = False

    @classmethod
    def abilities_listed(cls, model: Mapping[str, object]) -> tuple[str, ...]:
        """Return its ``capabilities``: embed, rerank, classify, and others."""
        listed = model.get("capabilities")
        if not isinstance(listed, list):
            return ()
        # A set on its side: the order changes from answer to answer.
        return tuple(sorted(each for each in listed if isinstance(each, str)))
