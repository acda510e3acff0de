"""Hold an answer back until it is certain that it is no talk."""

from __future__ import annotations

from typing import Final

from bytebuddy_provider_hf.edits.answers.assistant import LONGEST
from bytebuddy_provider_hf.edits.answers.talk import Verdict
from bytebuddy_provider_hf.prompts.fill_place import Place

# Lines that announce a text; whoever writes more of them has none.
_MOST_ANNOUNCED: Final = 4


class TalkFilter:
    """Pass an answer on unless it begins as talk; of talk nothing is passed on.

    At most 400 characters are held back, most often a word or two. A first line that
    only announces the text goes. With ``strict`` only what nobody can mistake is talk.
    ``talked`` tells that there was any.
    """

    def __init__(self, place: Place, *, strict: bool) -> None:
        self._place = place
        self._strict = strict
        self._held = ""
        self._announced = 0
        self._passes = False
        self.talked = False
        self.done = False

    def feed(self, text: str) -> str:
        """Return what may be shown now."""
        if self._passes:
            return text
        for at, char in enumerate(text):
            if self.talked:
                break
            # Judged where a word ends, so that the pieces make no difference.
            inside = char.isalnum() and self._held[-1:].isalnum()
            self._held += char
            if inside and len(self._held) < LONGEST:
                continue
            if shown := self._take(ended=False):
                return shown + text[at + 1 :]
        return ""

    def close(self) -> str:
        """Return what was held back, the answer having ended."""
        if self._passes or self.done:
            return ""
        while self._held.strip():
            if (shown := self._take(ended=True)) or self.talked:
                return shown
        self.talked = self.talked or self._announced > 0
        return "" if self._announced else self._held

    def _take(self, *, ended: bool) -> str:
        if self.done:
            return ""
        verdict: Verdict = self._place.judge(
            self._held, ended=ended, strict=self._strict
        )
        if verdict == "unsure":
            return ""
        # What announces a text may belong to one in prose.
        sure = self._strict or self._place.prose
        if verdict == "content" or (verdict == "preamble" and sure):
            held, self._held = self._held, ""
            self._passes = True
            if not self._announced:
                return held
            # The blank lines below an announcement are layout; indentation is not.
            blank = len(held) - len(held.lstrip())
            return held[held.rfind("\n", 0, blank) + 1 :]
        if verdict == "preamble" and self._announced < _MOST_ANNOUNCED:
            self._announced += 1
            self._held = self._held.lstrip().partition("\n")[2]
            return ""
        self.talked = self.done = True
        return ""
