"""Call models from code that has no event loop: scripts, notebooks, threads.

``open_model`` is that of the package, ``SyncRegistry`` its ``ModelRegistry`` and
``SyncCatalogue`` its ``Catalogue``, with the same calls and the same parameters:
``chat`` waits and returns the reply, ``chat_events`` is iterated for the events. The
calls themselves are the asynchronous ones; they run on one event loop in a thread of
its own, which all models share. It begins with the first of them and ends with the last
one that is closed.

Any thread may call, also several at once, and one in which another event loop runs, as
in a notebook; that loop stands still until the answer has come. Ctrl-C ends the call:
its connection is closed before ``KeyboardInterrupt`` goes on. ``on_event`` is called in
the thread of the loop, where no call of this module can be made.
"""

from __future__ import annotations

from bytebuddy_provider_hf.sync.catalogue import SyncCatalogue
from bytebuddy_provider_hf.sync.events import Events
from bytebuddy_provider_hf.sync.model import SyncModel, open_model
from bytebuddy_provider_hf.sync.registry import SyncRegistry

__all__ = ["Events", "SyncCatalogue", "SyncModel", "SyncRegistry", "open_model"]
