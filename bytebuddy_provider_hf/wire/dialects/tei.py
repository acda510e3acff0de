"""text-embeddings-inference: vectors, scores and classes by routes of its own."""

from __future__ import annotations

from collections.abc import Mapping

from bytebuddy_provider_hf.lenient_json import lenient_text
from bytebuddy_provider_hf.wire.server import (
    ScoringApi,
    Server,
    positive_int,
    read_version,
)


class Tei(Server):
    """It names the type of its model in ``/info``; it generates nothing."""

    name = "text-embeddings-inference"
    usual_routes = frozenset({"embed", "rerank", "embeddings"})
    scoring_api = ScoringApi.TEI
    # The default of --max-client-batch-size.
    usual_batch = 32

    @classmethod
    def from_info(cls, found: Mapping[str, object]) -> Server | None:
        """Return the server, if ``/info`` names a type of model."""
        # TGI's /info has no such member.
        if "model_type" not in found:
            return None
        return cls(
            version=read_version(found.get("version")),
            model=lenient_text(found.get("model_id")) or None,
            revision=lenient_text(found.get("model_sha")) or None,
            max_input=positive_int(found.get("max_input_length")),
            max_batch=positive_int(found.get("max_client_batch_size")),
            routes=cls.usual_routes,
        )
