"""hf-inference: TGI for chats, transformers' pipelines for all other tasks."""

from __future__ import annotations

from bytebuddy_provider_hf.wire.dialects.tgi import Tgi
from bytebuddy_provider_hf.wire.dialects.toolkit import PIPELINE
from bytebuddy_provider_hf.wire.route_options import RouteOptions
from bytebuddy_provider_hf.wire.server import ScoringApi, Server


class HfInference(Tgi):
    """Hugging Face's own provider; it does not tell which TGI stands behind it."""

    name = "hf-inference"
    bare_404_is_model = True
    scoring_api = ScoringApi.TASKS
    may_score = True
    may_serve_tasks = True
    # Of TGI's own routes it has none.
    count_text = Server.count_text
    count_chat = Server.count_chat

    def options_for(self, route: str) -> RouteOptions:
        """Return what one of ``routes`` takes; tasks are a pipeline's."""
        return PIPELINE if route == "tasks" else super().options_for(route)
