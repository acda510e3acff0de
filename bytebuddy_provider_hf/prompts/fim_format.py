"""How a family fills a gap between two pieces of code, as data."""

from __future__ import annotations

from attrs import frozen


@frozen
class FimFormat:
    """One infilling format.

    The prompt is ``prefix``, what stands before the cursor, ``suffix``, what stands
    after it, then ``middle``; with ``suffix_first`` the suffix and its token lead.
    ``stops`` end the middle, ``specials`` are all tokens that act inside a prompt.

    ``head`` and ``label`` lead every prompt. Families trained on repositories have
    more: ``repository``, ``file`` (one for each other file) and ``here`` (the file to
    fill) stand before the prefix's token, ``path`` right after it. In these texts
    ``{repository}``, ``{path}``, ``{text}`` and ``{language}`` are filled in; the order
    is head, repository, files, here, label. ``source`` says where the facts stand.
    """

    name: str
    prefix: str
    suffix: str
    middle: str
    suffix_first: bool = False
    stops: tuple[str, ...] = ()
    specials: tuple[str, ...] = ()
    head: str = ""
    label: str = ""
    repository: str = ""
    file: str = ""
    here: str = ""
    path: str = ""
    source: str = ""
