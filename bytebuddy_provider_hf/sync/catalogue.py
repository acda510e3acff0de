"""Ask the router and the Hub about models by calls that wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import cast, final

from bytebuddy_provider_hf.client.catalogue import LIMIT, Catalogue
from bytebuddy_provider_hf.client.runtime import Runtime
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.sync.loop_thread import LoopUser, answering, begin_on_loop


@final
class SyncCatalogue(LoopUser):
    """Ask the router and the Hub about models, in a ``with`` block.

    What was told is kept on disk with its age, and counts then.

    Args:
        bases: The ``api_base`` of the models in use, ``None`` for the default one:
            where all are private nothing is asked, as with ``HF_HUB_OFFLINE``.
        runtime: Whose connections to use; by default those that all models share.
        env: The variables to use in place of the process's.
        options: How to connect.
        limit: Seconds that a question may take.
    """

    def __init__(
        self,
        *,
        bases: Iterable[str | None] = (),
        runtime: Runtime | None = None,
        env: Mapping[str, str] | None = None,
        options: RequestOptions | None = None,
        limit: float = LIMIT,
    ) -> None:
        make = partial(
            Catalogue,
            bases=bases,
            runtime=runtime,
            env=env,
            options=options,
            limit=limit,
        )
        super().__init__(*begin_on_loop(make))

    @property
    def may_ask(self) -> bool:
        """Whether anybody is asked; else only what was kept counts."""
        return cast("Catalogue", self._core).may_ask

    def __repr__(self) -> str:
        return f"<SyncCatalogue: {'asks' if self.may_ask else 'asks nobody'}>"

    search = answering(Catalogue.search)
    show = answering(Catalogue.show)
    suggest = answering(Catalogue.suggest)
    live_models = answering(Catalogue.live_models)
    served_at = answering(Catalogue.served_at)
