"""Recognise what an assistant says in place of code, or round it."""

from __future__ import annotations

import re
from typing import Final

from bytebuddy_provider_hf.edits.formats.fences import fence_in, is_prose

_LONGEST_LINE: Final = 400
# How assistants begin when they speak for themselves, of what they do and cannot do.
_SPEAKER: Final = (
    r"(?:i'?m|i am|i’m)\s+(?:sorry|afraid|unable|not (?:able|sure|allowed)"
    r"|an? (?:ai|language)|happy|ready|going to|here)\b"
    r"|i\s+(?:can(?:not|'t| not|’t| help)?|could(?: not|n't|n’t)|will|won't|would"
    r"|do not|don't|don’t|did|didn't|need|have|see|think|believe|understand"
    r"|apologi[sz]e"
    r"|changed|made|added|updated|removed|noticed|must|suggest|recommend|assume)\b"
    r"|i(?:'|’)(?:ve|ll|d)\b|let me (?:know|see|check|look|update|change|make|do|first"
    r"|explain|start|read|find|help)\b"
    r"|(?:sorry|apologies|unfortunately|sure|certainly|of course|absolutely|okay|ok"
    r"|alright|got it|understood|done|thanks|thank you)"
    r"(?:[!.,:;]|\s*$|\s+[a-z]+\b[^=(\[{;]*$)"
    r"|as an? (?:ai|language model|assistant|large language)\b"
    r"|(?:could|can|would|will|do|did|are) you\b"
    r"|please\s+(?:provide|share|paste|clarify|specify|let me|give|tell|confirm)\b"
    r"|no\s+(?:changes?|edits?|modifications?|further changes|action|code)\s+"
    r"(?:\w+\s+)?(?:needed|required|necessary|made|to|was|were|is|are)\b"
    r"|no (?:changes|edits)\W*$"
    r"|nothing\s+(?:to (?:do|change|edit)|needs to)\b"
    r"|to (?:make|apply|implement) (?:this|the|that) (?:change|edit)s?\b"
    r"|(?:summary|overview|list) of (?:the |my )?(?:changes|edits)\b|changes made\b"
    r"|(?:the|this|your) (?:code|file|function|text) (?:looks|is|seems) (?:already )?"
    r"(?:good|fine|correct|ok)\b"
    r"|hope (?:this|that) helps|feel free to|here(?:'s| is| are|’s) (?:the|your|an?)\b"
    r"|抱歉|对不起|很遗憾|我(?:无法|不能|没法|会|将|已|需要|可以|认为|建议|没有)"
    r"|作为(?:一个|一名)?(?:AI|人工智能|语言|助手)|请(?:提供|问|您|先提供|告诉我|确认)"
    r"|无(?:需|须)(?:修改|更改|改动)|不需要(?:修改|更改|改动|任何)|没有需要"
    r"|好的[，,。！!]|当然[，,。！!可]|您(?:的|可以|需要|好)|代码(?:已经|没有问题|看起来)"
)
# And how they speak of a task in place of doing it; a text may begin so as well.
_TOPIC: Final = (
    r"|let me\b|let's\b|(?:great|yes|no|none|n/a|hello|hi)(?:[!.,:;]|\s*$|\s+[a-z]+\b"
    r"[^=(\[{;]*$)|we (?:need|can|should|could|have to)\b"
    r"|please\s+(?:let|note|try|see|make|ensure|check)\b"
    r"|(?:which|what|where|how|why|when)\s+(?:\w+\s+){1,30}?\w+\?"
    r"|no\s+(?:changes?|edits?|modifications?|further|action|code)\b"
    r"|nothing\s+(?:to|needs?|was|has)\b|there(?:'s| is| are| was)\s+(?:no|nothing)\b"
    r"|(?:the|this|your|that)\s+(?:\w+\s+){0,3}?(?:code|file|function|class|method"
    r"|snippet|selection|instruction|request|change|changes|implementation|script)"
    r"(?:\s+\w+){0,3}?\s+(?:is|are|was|already|does|do|has|have|looks?|seems?|appears?"
    r"|should|can|cannot|needs?|will|works?|doesn't|contains?|uses?|you)\b"
    r"|(?:it|this|that)\s+(?:is|looks|seems|appears|would|will|should|already)\b"
    r"|to (?:do|make|fix|add|change|achieve|implement|apply|complete) "
    r"(?:this|that|the)\b"
    r"|you(?:'ll| can| need| should| could| may| might| have| must|'re| are| asked)\b"
    r"|(?:here(?:'s| is| are)|hope (?:this|that)|feel free|in (?:this|order)|first,"
    r"|note that|changes(?: made)?:|explanation:|summary:|my (?:knowledge|training))"
    r"|(?:unchanged|same as (?:before|above|the original))\W*$"
    r"|我(?:是|来|不)|请(?:先|你|说明|给)|作为|不必|没有(?:什么|必要|任何)|好的|当然|您|你(?:的|可以"
    r"|需要|好)|这(?:段|个|份|里|是)|该(?:代码|函数|文件|方法)|(?:当前|现有|以上|以下)(?:的)?"
    r"(?:代码|文件|函数)|代码(?:已|没|看|无|不|似)|文件(?:已|没|无|不)|需要(?:更多|先|您|你)"
    r"|由于|根据|为了"
)
_LEAD: Final = r"(?:[*_>#\s-]|\d+\.\s)*"
_SPEAKS: Final = re.compile(f"{_LEAD}(?:{_SPEAKER})", re.IGNORECASE)
_TALK: Final = re.compile(f"{_LEAD}(?:{_SPEAKER}{_TOPIC})", re.IGNORECASE)
_CODE_SIGNS: Final = re.compile(r"[=;{}<>\[\]\\|&]|\)\s*[:{]?\s*$|\w\(\)?|::|->")
# "- Added the parameter", and a line in bold that is a heading.
_ITEM: Final = re.compile(r"[-*] (?:\*\*)?[A-Z][a-z]+ [\w ,.'-]+$|\*\*[^*\n]+\*\*:?$")
_STEP: Final = re.compile(r"\d+\. [A-Z]\w+ \w+")
_INLINE: Final = re.compile(r"`[^`\n]*`|\*\*|\([^()=\n]*\)|\"[^\"\n]*\"|“[^”\n]*”")
_CJK: Final = re.compile(r"[\u3400-\u9fff]")


def is_talk_line(line: str, *, prose: bool = False) -> bool:
    """Return whether a line is what an assistant says of a task.

    In ``prose`` only what one says for itself: a text may speak of code, too.
    """
    if line[:1].isspace():
        return False
    # Its beginning tells; what is said may be one line of a thousand words.
    said = _INLINE.sub("x", line[:_LONGEST_LINE].replace("**", "").strip())
    # In lower case a word alone is code as well: "done" ends a loop of a shell.
    if said.isalpha() and said.islower():
        return False
    pattern = _SPEAKS if prose else _TALK
    return pattern.match(said) is not None and _CODE_SIGNS.search(said) is None


def is_spoken(line: str, *, items: bool = True) -> bool:
    """Return whether a line is a sentence, or what an assistant says; not code.

    Without ``items`` those of a list are none: in YAML they are content.
    """
    if line[:1].isspace() or fence_in(line) is not None:
        return False
    if is_talk_line(line):
        return True
    said = _INLINE.sub("x", line[:_LONGEST_LINE].strip())
    if items and _ITEM.match(said) is not None:
        return True
    if not said or _CODE_SIGNS.search(said) is not None:
        return False
    if _CJK.search(said) and said[-1] in "。：！？，.":
        return True
    return is_prose(said) or _STEP.match(said) is not None
