"""Describe what was asked for: code in its file, and an instruction to change it."""

from __future__ import annotations

import re
from typing import Final

from attrs import Factory, field, frozen

from bytebuddy_provider_hf.edits.answers.selection import Selection, selection_of
from bytebuddy_provider_hf.edits.languages import Language

# Words by which something is wanted to go altogether, and such by which it may go from
# where it is.
_REMOVES: Final = re.compile(
    r"\b(?:remov|delet|drop|get(?:ting)? rid|strip|eras|cut|clean|unused|dedup|shorten"
    r"|reduc|without|clear|minif|simplif|empty|keep only)"
    r"|删|去掉|去除|移除|清理|清空|简化|精简|只保留",
    re.IGNORECASE,
)
_MOVES: Final = re.compile(
    r"\b(?:renam|mov|inlin|merg|combin|replac|fold|extract|split|convert|turn|rewrit"
    r"|refactor|collaps|swap|chang)"
    r"|移动|移到|重命名|改名|内联|合并|替换|拆分|重写|重构|改成|换成|改为|提取",
    re.IGNORECASE,
)
# An instruction that wants most of a file to go.
_ONLY: Final = re.compile(
    r"\b(?:everything|all|others?|only|except|but|unused)\b|其他|其它|其余|所有|全部|只"
    r"|除了",
    re.IGNORECASE,
)
# Lines that an instruction names by what they are.
_KINDS: Final = (
    (
        re.compile(r"imports?|includes?|导入|引入", re.IGNORECASE),
        re.compile(
            r"\s*(?:import|from|#include|use|using|require|const|[\w, ]+,?\)?$)"
        ),
    ),
    (
        re.compile(r"comment|docstring|documentation|注释|文档", re.IGNORECASE),
        re.compile(r"\s*(?:#|//|/\*|\*|--|;|<!--|[\"']{3}|[A-Z][\w ,'`]+)"),
    ),
    (
        re.compile(r"\b(?:print|log|logging|debug)|打印|日志|调试", re.IGNORECASE),
        re.compile(r".{0,80}(?:print|log|debug|console)", re.IGNORECASE),
    ),
)
_LAYOUT: Final = re.compile(
    r"\b(?:tabs?|indent\w*|spaces?|blanks?|whitespace|format\w*|lint\w*|align\w*|empty"
    r" lines?|newlines?|trailing)\b|缩进|空格|空白|空行|制表|格式|对齐",
    re.IGNORECASE,
)


@frozen
class AnswerTask:
    """Code between what stands before and after it, and how it is to be changed."""

    code: str
    prefix: str
    suffix: str
    path: str
    language: Language | None
    instruction: str
    selection: Selection = field(
        init=False,
        default=Factory(
            lambda task: selection_of(task.code, task.prefix, task.suffix),
            takes_self=True,
        ),
    )

    @property
    def file(self) -> str:
        """The code with what stands round it, as far as that counts."""
        return self.in_file(self.code)

    def in_file(self, code: str) -> str:
        """Return other code in the place of this one."""
        whole = self.selection.whole
        return f"{self.prefix}{code}{self.suffix}" if whole else code

    @property
    def is_text(self) -> bool:
        """Whether sentences may be what the file holds."""
        return self.language is None or self.language.prose

    @property
    def removes(self) -> bool:
        """Whether the instruction wants something to go."""
        return _REMOVES.search(self.instruction) is not None

    @property
    def keeps_little(self) -> bool:
        """Whether the instruction wants most of the code to go."""
        return self.removes and _ONLY.search(self.instruction) is not None

    @property
    def is_about_layout(self) -> bool:
        """Whether the instruction is about blanks, tabs or empty lines."""
        return _LAYOUT.search(self.instruction) is not None

    def lets_line_go(self, line: str) -> bool:
        """Whether the instruction wants lines of this kind to go."""
        return self.removes and any(
            named.search(self.instruction) and kind.match(line)
            for named, kind in _KINDS
        )

    def lets_go(self, name: str) -> bool:
        """Whether the instruction names something, and has a word for its going."""
        if not self.removes and _MOVES.search(self.instruction) is None:
            return False
        # Chinese has no blank between a name and the words round it.
        edge = r"[A-Za-z0-9_]" if name.isascii() else "(?!)"
        found = rf"(?<!{edge}){re.escape(name)}(?!{edge})"
        return re.search(found, self.instruction, re.IGNORECASE) is not None
