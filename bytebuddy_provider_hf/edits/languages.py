"""Name the language of a file or of a fenced block, and what its code looks like."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from attrs import field, frozen

# How blocks are told: by brackets, by indentation, by tags, or not at all.
Blocks: TypeAlias = Literal["brackets", "indentation", "tags", "none"]


@frozen
class Language:
    """A language: its ``names`` in a fence's info string, and its file extensions.

    ``comments`` are the signs that open a comment to the end of its line. In ``prose``
    sentences are the content, as in Markdown.
    """

    names: tuple[str, ...]
    extensions: tuple[str, ...]
    blocks: Blocks = "brackets"
    comments: tuple[str, ...] = field(default=("//",))
    prose: bool = False

    @property
    def name(self) -> str:
        """The language's usual name."""
        return self.names[0]


_HASH: Final = ("#",)
# One row a language; a file or block of none of them is judged by the common rules.
LANGUAGES: Final = (
    Language(
        ("python", "py", "python3", "py3", "pyi"),
        ("py", "pyi", "pyw"),
        "indentation",
        _HASH,
    ),
    Language(
        ("markdown", "md", "mdx"), ("md", "mdx", "markdown"), "none", (), prose=True
    ),
    Language(
        ("restructuredtext", "rst", "rest"), ("rst",), "none", ("..",), prose=True
    ),
    Language(
        ("text", "txt", "plain", "plaintext"), ("txt", "text"), "none", (), prose=True
    ),
    Language(("yaml", "yml"), ("yaml", "yml"), "indentation", _HASH),
    Language(("toml",), ("toml",), "none", _HASH),
    Language(("ini", "cfg", "conf"), ("ini", "cfg", "conf"), "none", ("#", ";")),
    Language(("json", "jsonc", "json5"), ("json", "jsonc"), "brackets", ("//",)),
    Language(
        ("bash", "sh", "shell", "zsh", "console", "shellsession", "terminal"),
        ("sh", "bash", "zsh"),
        "none",
        _HASH,
    ),
    Language(("powershell", "ps1", "pwsh"), ("ps1", "psm1"), "brackets", _HASH),
    Language(("makefile", "make", "mk"), ("mk",), "indentation", _HASH),
    Language(("dockerfile", "docker"), (), "none", _HASH),
    Language(
        ("javascript", "js", "jsx", "node", "mjs", "cjs"), ("js", "jsx", "mjs", "cjs")
    ),
    Language(("typescript", "ts", "tsx"), ("ts", "tsx", "mts", "cts")),
    Language(("java",), ("java",)),
    Language(("kotlin", "kt"), ("kt", "kts")),
    Language(("swift",), ("swift",)),
    Language(("go", "golang"), ("go",)),
    Language(("rust", "rs"), ("rs",)),
    Language(("c", "h"), ("c", "h")),
    Language(
        ("cpp", "c++", "cxx", "cc", "hpp"), ("cpp", "cxx", "cc", "hpp", "hh", "hxx")
    ),
    Language(("csharp", "cs", "c#"), ("cs",)),
    Language(("php",), ("php",), "brackets", ("//", "#")),
    Language(("ruby", "rb"), ("rb",), "none", _HASH),
    Language(("lua",), ("lua",), "none", ("--",)),
    Language(("sql", "mysql", "postgresql", "sqlite"), ("sql",), "none", ("--",)),
    Language(("haskell", "hs"), ("hs",), "indentation", ("--",)),
    Language(("html", "xhtml", "vue", "svelte"), ("html", "htm", "vue"), "tags", ()),
    Language(("xml", "svg"), ("xml", "svg"), "tags", ()),
    Language(("css", "scss", "less", "sass"), ("css", "scss", "less"), "brackets"),
    Language(("perl", "pl"), ("pl", "pm"), "brackets", _HASH),
    Language(("r",), ("r",), "brackets", _HASH),
    Language(("scala",), ("scala",)),
    Language(("dart",), ("dart",)),
    Language(("elixir", "ex"), ("ex", "exs"), "none", _HASH),
)
_BY_NAME: Final = {name: each for each in LANGUAGES for name in each.names}
_BY_EXTENSION: Final = {ext: each for each in LANGUAGES for ext in each.extensions}
# Files that are told by their whole name.
_BY_FILE: Final = {
    "makefile": "makefile",
    "gnumakefile": "makefile",
    "dockerfile": "dockerfile",
    "readme": "text",
    "license": "text",
    ".bashrc": "bash",
    ".zshrc": "bash",
    ".env": "ini",
}


def language_named(name: str) -> Language | None:
    """Return the language that a fence or a caller names, if it is known."""
    return _BY_NAME.get(name.strip().lower())


def language_of(path: str, language: str = "") -> Language | None:
    """Return the language of a file: as it is named, else by the file's name."""
    if (named := language_named(language)) is not None:
        return named
    file = path.replace("\\", "/").rpartition("/")[2].lower()
    if file in _BY_FILE:
        return _BY_NAME[_BY_FILE[file]]
    stem, _, extension = file.rpartition(".")
    return _BY_EXTENSION.get(extension) if stem else None
