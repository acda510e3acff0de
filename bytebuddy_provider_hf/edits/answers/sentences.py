"""Recognise sentences in place of code, or round it."""

from __future__ import annotations

import re
from typing import Final

from bytebuddy_provider_hf.edits.answers.assistant import (
    AGREES,
    CJK,
    LONGEST,
    is_assistant,
    may_be_assistant,
    plain_words,
)
from bytebuddy_provider_hf.edits.formats.fences import fence_in, is_preamble, is_prose
from bytebuddy_provider_hf.edits.languages import Language
from bytebuddy_provider_hf.edits.lines import is_distinctive, lines_of

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
    rf"|(?:{AGREES}|sorry|apologies|unfortunately|okay|ok|alright|done|thanks"
    r"|thank you)"
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
# Words of sentences that are seldom a name in code.
_FUNCTION_WORDS: Final = re.compile(
    r"\b(?:the|you|your|that|it|are|we|would|should|could|please|there|be|to|an|of"
    r"|here|have|has|can|cannot|me|my|i'm|i'll|i've|let's|it's|thanks?)\b",
    re.IGNORECASE,
)
_CODE_SIGN: Final = re.compile(r"[={}\[\]<>_;|\\@$%^&~]|\w\(|::|->|^\W|^\w+[.:(]\w")
_QUOTED: Final = re.compile(r"`[^`\n]*`?")
_BEGINS: Final = re.compile(r"(?:The|This|Your?|I|It|We|To|There|Here|Please)[ ']")
_FEWEST_WORDS: Final = 3
_UNENDED_WORDS: Final = 5
# "No code needed", in a file of code: three bare words that are no statement.
_NONE_NEEDED: Final = re.compile(
    r"(?:no|nothing|none)\b[^=(){}\[\];]*\b(?:needed|required|necessary|missing|added"
    r"|changes?|add|insert|code|here)\b"
)
# "**Summary of changes**"; arguments by name are small, or go on.
_TITLE: Final = re.compile(r"\*\*[A-Z][a-z]+ [^*\n]{2,80}\*\*:?")
_TITLE_BEGUN: Final = re.compile(r"\*(?:\*(?:[A-Z][^*\n]{0,80}\*{0,2}:?)?)?")
_THANKS: Final = re.compile(
    rf"(?:{AGREES}|sorry|i'm sorry|thank you|hello|hi)\b[ ,]*[.!,]\s*$"
)
# How a line begins, in small letters too, that announces a text or says there is none.
_OFFERS: Final = (
    *AGREES.split("|"),
    *("here", "below", "no", "nothing", "none"),
)
_HERE_IS: Final = rf"{AGREES}|here(?:'s| is| are| you)|好的|当然"
_OFFER: Final = re.compile(
    rf"(?:{_HERE_IS}|below is|the following|以下|下面|这是|这里是)"
)
_OFFER_OF_PROSE: Final = re.compile(rf"{_HERE_IS}|以下是|下面是")
_OFFERED: Final = re.compile(
    r"\b(?:missing|completed?|completion|continuation|requested|updated|filled"
    r"|code|text|content|section|paragraph|line|it is|you (?:go|are)|answer)\b"
    r"|缺失|补全|补充|续写|内容|文本|段落|代码"
)


def is_talk_line(line: str, *, prose: bool = False) -> bool:
    """Return whether a line is what an assistant says of a task.

    In ``prose`` only what one says for itself: a text may speak of code, too.
    """
    if line[:1].isspace():
        return False
    # Its beginning tells; what is said may be one line of a thousand words.
    said = _INLINE.sub("x", line[:LONGEST].replace("**", "").strip())
    # In lower case a word alone is code as well: "done" ends a loop of a shell.
    if said.isalpha() and said.islower():
        return False
    pattern = _SPEAKS if prose else _TALK
    return pattern.match(said) is not None and _CODE_SIGNS.search(said) is None


def is_spoken(line: str, *, items: bool = True) -> bool:
    """Return whether a whole line is a sentence, or what an assistant says; not code.

    Without ``items`` those of a list are none: in YAML they are content.
    """
    if line[:1].isspace() or fence_in(line) is not None:
        return False
    if is_talk_line(line) or is_speech(line):
        return True
    said = _INLINE.sub("x", line[:LONGEST].strip())
    if items and _ITEM.match(said) is not None:
        return True
    if not said or _CODE_SIGNS.search(said) is not None:
        return False
    if CJK.search(said) and said[-1] in "。：！？，.":
        return True
    return is_prose(said) or _STEP.match(said) is not None


def without_talk(said: str, original: str, language: Language | None) -> str:
    """Return a text without the sentences of an assistant before and after it.

    Lines of the original stay, and comments. Where nothing else is left, all stays:
    whether somebody says it is for a check of the whole to tell.
    """
    known = {line.strip() for line in lines_of(original).texts}
    comments = () if language is None else language.comments
    prose = language is None or language.prose
    lines = lines_of(said).texts
    kept = [
        at
        for at, line in enumerate(lines)
        if line.strip()
        and (
            line.strip() in known
            or line.lstrip().startswith(comments)
            or not (is_talk_line(line, prose=prose) or (not prose and is_prose(line)))
        )
    ]
    if not kept:
        return said
    inside = lines[kept[0] : kept[-1] + 1]
    # So it is in a text of which nothing is left in what follows.
    if prose and known:
        same = (each for each in inside if each.strip() in known)
        if not any(map(is_distinctive, same)):
            return said
    return "\n".join(inside) + "\n"


def is_speech(line: str) -> bool:
    """Whether a line is a sentence that nobody would write as code, even within a line.

    An opener alone is none, as in "None if" and "Done". Comments and strings are none:
    they begin with a sign of their own.
    """
    line = line[:LONGEST]
    plain = plain_words(line)
    if _TITLE.fullmatch(line.strip()):
        return True
    if is_assistant(line) or _NONE_NEEDED.match(plain) or _THANKS.match(plain):
        return True
    bare = _bare(line)
    before = _before_code(bare)
    if CJK.match(bare):
        return len(CJK.findall(before)) > _FEWEST_WORDS
    words = bare.split()
    if not bare[:1].isupper() or (len(words[0]) > 1 and words[0].isupper()):
        return False
    telling = sum(1 for _ in _FUNCTION_WORDS.finditer(before))
    if len(before.split()) < _FEWEST_WORDS or not telling:
        return False
    ends = bare.rstrip(" *_\"')]")[-1:]
    if ends and ends in ".:!?。！？：":
        return True
    return len(words) >= _UNENDED_WORDS and telling > 1


def is_offer(line: str, *, prose: bool) -> bool:
    """Whether a line only announces the answer: "Here is the missing part:"."""
    plain = plain_words(line[:LONGEST])
    if not prose and is_preamble(line.strip()):
        return True
    if not plain or plain[-1] not in ":：":
        return False
    if not prose:
        return _OFFER.match(plain) is not None
    return _OFFER_OF_PROSE.match(plain) is not None and bool(_OFFERED.search(plain))


def may_be_speech(line: str) -> bool:
    """Whether a line of code that goes on may become a sentence."""
    if _TITLE_BEGUN.fullmatch(line):
        return True
    bare = _bare(line)
    before = _before_code(bare)
    if len(before) < len(bare) and not (
        len(before.split()) >= _FEWEST_WORDS and _FUNCTION_WORDS.search(before)
    ):
        return False
    plain = plain_words(line)
    begun = not bare or bare[0].isupper() or CJK.match(bare) is not None
    return (
        begun
        or plain.startswith(_OFFERS)
        or any(word.startswith(plain) for word in _OFFERS)
        or may_be_assistant(line)
    )


def _bare(line: str) -> str:
    """Return a line without its emphasis, what it quotes as code replaced."""
    text = line.strip().removeprefix("**").replace("’", "'")
    return _QUOTED.sub("code", text)


def _before_code(bare: str) -> str:
    """Return what stands before the first sign of code.

    In a line that begins as sentences do, names with such signs are only quoted.
    """
    if _BEGINS.match(bare):
        return bare
    sign = _CODE_SIGN.search(bare)
    return bare[: sign.start()] if sign else bare
