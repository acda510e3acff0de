"""``python -m bytebuddy_provider_hf.cli`` is the command ``bytebuddy-hf``."""

from __future__ import annotations

from bytebuddy_provider_hf.cli.main import main

if __name__ == "__main__":
    main()
