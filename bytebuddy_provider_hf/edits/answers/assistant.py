"""Recognise an assistant that speaks about its task, in English and Chinese."""

from __future__ import annotations

import re
from typing import Final

CJK: Final = re.compile("[\u4e00-\u9fff]")
# Characters that are enough to judge any answer by.
LONGEST: Final = 400
# Words by which assistants agree before they answer, in small letters.
AGREES: Final = "sure|certainly|of course|absolutely|got it|no problem|understood"
# The words that tell an assistant begin its first sentence.
_OPENING: Final = 60

# An assistant that speaks about its task: how a line begins, and what follows in it.
_TASK: Final = (
    r"\b(?:help|assist|fulfil\w*|comply|provide|complete|fill|request|generate|continue"
    r"|determine|context|enough|understand|write|do (?:that|this)|with th(?:at|is)"
    r"|make th(?:at|is)|modify|change|edit)\b"
)
_UNABLE: Final = (
    r"i (?:can't|cannot|can not|could not|couldn't|won't|am unable to|am not able to)"
    r"|i'm (?:unable|not able) to"
)
_SAID: Final = tuple(
    (re.compile(opener), re.compile(rest))
    for opener, rest in (
        (
            r"as an? (?:ai\b|artificial|(?:large )?language model)",
            r"\b(?:i|i'm|assistant|language model)\b",
        ),
        (
            (
                r"(?:i'm|i am)(?: really| very| so)? sorry|sorry\b|(?:my )?apologies"
                r"|i apologi[sz]e|unfortunately|i'm afraid|i am afraid"
            ),
            (
                rf"\b(?:{_UNABLE}|i (?:don't|do not|need|would need)|i'(?:d|ll) need)\b"
                rf".*{_TASK}"
            ),
        ),
        (
            (
                rf"(?:{_UNABLE}) (?:help|assist|fulfil|comply|provide|complete|fill"
                r"|generate|determine|continue)"
            ),
            r"\b(?:you|your|that|this|request|code|text|file)\b",
        ),
        (
            (
                r"(?:could|can|would) you (?:please |kindly )?(?:provide|share|clarify"
                r"|specify|give|tell|explain|paste|show|let me know)"
            ),
            (
                r"\b(?:context|details?|information|content|clarif\w*|code|file|text"
                r"|function|what|which)\b"
            ),
        ),
        (
            r"which (?:of|function|file|one|part|line)",
            r"\b(?:do you (?:mean|want)|would you like|should i)\b",
        ),
        (
            (
                r"i(?:'ll| will|'m going to| am going to) (?:first |now )?(?:read"
                r"|rename"
                r"|update|add|insert|complete|fill|write|implement|change|modify)"
            ),
            r"\b(?:file|function|code|callers|text|section|cursor|placeholder)\b",
        ),
        (
            (
                r"to (?:make|implement|complete|apply|fill)(?: in)? (?:this"
                r"|your) (?:change"
                r"|edit|gap|code|function|request|section|text)"
            ),
            "",
        ),
        (
            (
                r"(?:done[!.] )?i(?:'ve| have) (?:now |just )?(?:updated|added"
                r"|completed"
                r"|filled|made|inserted|changed|modified|renamed|implemented|fixed)"
            ),
            r"as (?:you )?(?:requested|asked)|\bfor you\b|you asked|^done\b",
        ),
        (
            (
                rf"(?:{AGREES})[,!.] i(?:'d| can|'ll| will"
                r"| would"
                r"|'m| am)\b"
            ),
            "",
        ),
        (
            (
                r"the (?:file|code|function|text|section) (?:that )?you(?:'ve| have)?"
                r" (?:mentioned|provided|shared|sent|referr)"
            ),
            "",
        ),
        (r"let me (?:think|analy[sz]e)\b", ""),
        (
            r"please (?:provide|share|paste|clarify|specify|give|tell|let me know)",
            r"\b(?:me|i|i'll|you(?:'d| would) like|you want)\b",
        ),
        (
            (
                r"(?:the|this|your) (?:[\w`]+ )?(?:code"
                r"|file|text|function|document|section|content|snippet|class|method"
                r"|paragraph|sentence)s? (?:is|are|seems?|looks?|appears?|already)\b"
            ),
            (
                r"\b(?:(?:is|are|be|seems?|looks?|appears?) already (?:complete"
                r"|finished)"
                r"|nothing (?:is |else |more )?(?:needs?|missing|to (?:add|insert"
                r"|fill))"
                r"|no (?:\w+ ){0,3}(?:needed|required|necessary|missing)\b"
                r"|complete as (?:it )?is|looks? (?:good|fine|correct|complete))"
            ),
        ),
        (
            (
                r"(?:there is |there's |there are )?(?:nothing|no (?:additional "
                r"|further "
                r"|more |other )?(?:code|text|changes?|content|lines?|completion"
                r"|edits?))\b"
            ),
            (
                r"\b(?:to (?:add|insert|fill|complete)|be (?:added|inserted|filled"
                r"|completed)|(?:is|are) missing|missing here|at the cursor|placeholder"
                r"|(?:needed|required|necessary) here)\b"
            ),
        ),
        (
            r"it (?:seems|looks like|appears)",
            (
                r"\b(?:cut off|incomplete|forgot to|(?:didn't|did not) (?:provide"
                r"|include)"
                r"|haven't|not provided|placeholder|(?:would like|want) me)\b"
            ),
        ),
        (
            r"(?:i|we)(?:'d|'ll| would| will)? need|to (?:better )?(?:help|assist) you",
            r"\bmore (?:context|information|details?)\b|\bi\b.*\bneed\b",
        ),
        (
            (
                r"what would you like me|(?:(?:hello|hi)[!,.] )?how (?:can|may) i"
                r" (?:help|assist)"
            ),
            "",
        ),
        (
            (
                r"(?:no (?:additional |further |more )?(?:code|changes?|text|completion"
                r"|content|edits?)(?: (?:is|are))? (?:needed|required|necessary)"
                r"|nothing"
                r"(?: (?:is|needs to be|to))? (?:needed|missing|add|added|insert"
                r"|inserted))"
                r"(?: here)?[.!]?$"
            ),
            "",
        ),
        (r"(?:okay|ok|alright|so),? (?:so )?(?:the user|let me|let's|we need)\b", ""),
        (r"the user (?:wants|asks|asked|is asking)", r"\b(?:me|code|fill|complete)\b"),
    )
)
_OPENERS: Final = re.compile("|".join(opener.pattern for opener, _ in _SAID))
_FIRST_WORDS: Final = frozenset(
    (
        "as",
        "i'm",
        "i",
        "sorry",
        "my",
        "apologies",
        "unfortunately",
        "could",
        "can",
        "would",
        "please",
        "the",
        "this",
        "your",
        "there",
        "there's",
        "nothing",
        "no",
        "it",
        "we",
        "to",
        "what",
        "how",
        "okay",
        "ok",
        "alright",
        "so",
        "hello",
        "hi",
        "which",
        "i'll",
        "i've",
        "done",
        "let",
        *(agreed.partition(" ")[0] for agreed in AGREES.split("|")),
    )
)
_SAID_CJK: Final = tuple(
    (re.compile(opener), re.compile(rest))
    for opener, rest in (
        ("(?:很|非常|十分)?抱歉|对不起|不好意思", "无法|不能|没有办法|没法"),
        ("作为(?:一个|一名|一款)?(?:ai|人工智能|大?语言模型)", ""),
        ("请问", "您希望|你希望|您想|你想|能否|哪个|上下文"),
        (
            "(?:好的[，,。！]?)?我(?:已经?|会|将|可以)",
            "您的要求|你的要求|为您|为你|帮您|帮你|按照要求|根据要求",
        ),
        ("(?:这段|该|您的|你的)?代码已经?", "无需|不需要|完整|符合|没有问题"),
        ("(?:您|你)好[！，,!]?.*(?:帮您|帮你|帮助|协助)", ""),
        (
            "我(?:无法|不能|没办法)",
            "帮|协助|提供|完成|回答|补全|填|确定|生成",
        ),
        (
            (
                "(?:请|请您|请你|能否|能不能|您能|你能|您可以|你可以|可以|麻烦您?)"
                "(?:先|再)?(?:提供|说明|告诉|给出|补充)"
            ),
            "上下文|代码|告诉我|更多",
        ),
        (
            (
                "(?:这段|这个|该|此|您的|你的|当前|上述|提供的)?"
                "(?:代码|文件|函数|文本|内容)(?:已经?|看起来已经?)(?:是)?完整"
            ),
            "",
        ),
        (
            (
                "(?:这里|此处|光标处)?(?:并)?(?:无需|无须|不需要|没有需要|没有什么需要|不用)"
                "(?:再|任何|额外|继续)*(?:添加|补充|补全|填充|插入|填写)"
            ),
            "",
        ),
    )
)


def is_assistant(line: str) -> bool:
    """Whether a line is clearly an assistant that speaks about its task."""
    plain = plain_words(line[:LONGEST])
    if CJK.match(plain):
        pairs = _SAID_CJK
    # One pattern for all openers saves a quarter of the time on lines of code.
    elif _OPENERS.match(plain) is None:
        return False
    else:
        pairs = _SAID
    return any(opener.match(plain) and rest.search(plain) for opener, rest in pairs)


def may_be_assistant(line: str) -> bool:
    """Whether a line that goes on may become one of an assistant."""
    plain = plain_words(line)
    if not plain:
        return True
    if CJK.match(plain):
        pairs = _SAID_CJK
    else:
        word = re.split(r"[ ,.!]", plain, maxsplit=1)[0]
        if word == plain:
            return any(known.startswith(word) for known in _FIRST_WORDS)
        if word not in _FIRST_WORDS:
            return False
        pairs = _SAID
    return len(plain) < _OPENING or any(opener.match(plain) for opener, _ in pairs)


def plain_words(line: str) -> str:
    """Return a line in small letters, without its emphasis."""
    return line.strip().strip("*_ ").lower().replace("’", "'")
