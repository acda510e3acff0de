"""The key ``log`` of a file: where the log is written, if the user chose the file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from bytebuddy_provider_hf.config.document import MapNode, Pair, Problem
from bytebuddy_provider_hf.config.entry import Context
from bytebuddy_provider_hf.config.expand import expand
from bytebuddy_provider_hf.config.structure import structure_log
from bytebuddy_provider_hf.config.values import LogOptions, Source

_PATH: Final = "log"
# Left as it is written where its variable is not set, so that it is not missing too.
_REQUIRED: Final = frozenset({"path"})
_IGNORED: Final = (
    "ignored: a project's file does not say where to write; the key counts in"
    " ~/.bytebuddy/config.yaml"
)


@frozen
class ReadLog:
    """What a file says of its log, or what is in the way of that."""

    options: LogOptions | None = None
    problems: tuple[Problem, ...] = ()
    notices: tuple[Problem, ...] = ()


def read_log(pair: Pair, context: Context) -> ReadLog:
    """Return what stands at the key ``log``; of a project's file, that it is ignored.

    Without a variable that it names nothing is logged, and a notice says so.
    """
    key, node = pair.key, pair.value
    if context.kind == "project":
        return ReadLog(notices=(Problem(key.line, key.column, _IGNORED, _PATH),))
    if not isinstance(node, MapNode):
        return ReadLog(problems=structure_log(node, path=_PATH).problems)
    expanded = expand(
        node, path=_PATH, variables=context.variables, trusted=False, keep=_REQUIRED
    )
    result = structure_log(expanded.node, path=_PATH)
    problems = (*expanded.problems, *result.problems)
    if problems or not isinstance(result.value, LogOptions):
        return ReadLog(problems=problems)
    if expanded.unset:
        return ReadLog(
            notices=tuple(
                Problem(
                    each.line,
                    each.column,
                    f"needs the variable {each.variable}, which is not set: nothing is"
                    " logged",
                    each.path,
                )
                for each in expanded.unset
            )
        )
    source = Source(context.kind, context.file, key.line, key.column)
    return ReadLog(evolve(result.value, source=source))


def placed(options: LogOptions, home: Path) -> LogOptions:
    """Return ``options`` with an absolute path.

    A relative one counts from the folder of the file that names it, wherever the
    program was started.
    """
    named, file = options.path, options.source.path
    if named.startswith("~"):
        path = home / named[2:]
    else:
        path = (Path.cwd() if file is None else file.parent) / named
    return evolve(options, path=str(path.absolute()))
