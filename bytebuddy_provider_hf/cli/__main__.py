"""Start the command line, or say in one line what it still needs.

``python -m bytebuddy_provider_hf.cli`` is the command ``bytebuddy-hf``.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from bytebuddy_provider_hf.cli.language import language_of
from bytebuddy_provider_hf.texts import text

NEEDED = ("click", "rich")
# Where an import is left behind; without plugins it is not imported itself.
IMPORTS = "bytebuddy_provider_hf.plugins.watched_import"
# Of ExitCode, which is not imported yet where this is needed.
STOPPED = 130


def main() -> None:
    """Run ``bytebuddy-hf`` with this process's arguments and exit with its code."""
    try:
        missing = [name for name in NEEDED if find_spec(name) is None]
        if missing:
            packages: str = missing[0]
            if len(missing) > 1:
                packages = text("cli.and", first=missing[0], second=missing[1])
            needs = text("cli.needs", packages=packages)
            sys.exit(needs.render(language_of(os.environ)))
        from bytebuddy_provider_hf.cli.root import cli
        from bytebuddy_provider_hf.cli.screen import leave_at_once, prepare_streams

        prepare_streams()
        try:
            cli(prog_name="bytebuddy-hf")
        except SystemExit as end:
            imports = sys.modules.get(IMPORTS)
            if imports is not None and imports.left_behind:
                # Python would wait for the threads of an import that hangs.
                leave_at_once(end.code)
            raise
    except KeyboardInterrupt:  # during the imports; later the root command tells it
        if sys.stderr is not None:
            stopped = text("cli.stopped").render(language_of(os.environ))
            sys.stderr.write(f"{stopped}\n")
        sys.exit(STOPPED)
    except OSError as error:  # --help and --version print before any command runs
        failed = text("cli.error", said=error.strerror or error)
        sys.exit(failed.render(language_of(os.environ)))


if __name__ == "__main__":
    main()
