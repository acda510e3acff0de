"""Start the command line, or say in one line what it still needs.

``python -m bytebuddy_provider_hf.cli`` is the command ``bytebuddy-hf``.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

NEEDED = ("click", "rich")
# Of ExitCode, which is not imported yet where this is needed.
STOPPED = 130


def main() -> None:
    """Run ``bytebuddy-hf`` with this process's arguments and exit with its code."""
    try:
        missing = [name for name in NEEDED if find_spec(name) is None]
        if missing:
            sys.exit(
                f"bytebuddy-hf needs {' and '.join(missing)}: "
                "pip install 'bytebuddy-provider-hf[cli]'"
            )
        from bytebuddy_provider_hf.cli.root import cli
        from bytebuddy_provider_hf.cli.screen import prepare_streams

        prepare_streams()
        cli(prog_name="bytebuddy-hf")
    except KeyboardInterrupt:  # during the imports; later the root command tells it
        if sys.stderr is not None:
            sys.stderr.write("stopped\n")
        sys.exit(STOPPED)
    except OSError as error:  # --help and --version print before any command runs
        sys.exit(f"error: {error.strerror or error}")


if __name__ == "__main__":
    main()
