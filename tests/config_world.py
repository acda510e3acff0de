"""A home, a project and a machine of a test's own, with files to load from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import field, frozen

from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.config.trust import TrustStore
from bytebuddy_provider_hf.config.values import Config, ModelEntry
from bytebuddy_provider_hf.errors import ConfigInvalid

ENTRY = "  - name: m\n    provider: huggingfaceinferenceapi\n    model: org/name\n"


@frozen
class World:
    """Where a test's files live; ``text`` is read as a file the user named."""

    home: Path
    project: Path
    machine: Path
    env: dict[str, str] = field(factory=dict, repr=False)

    @property
    def store(self) -> TrustStore:
        return TrustStore(self.home / ".bytebuddy" / "trust.json")

    @property
    def user_file(self) -> Path:
        return self.home / ".bytebuddy" / "config.yaml"

    @property
    def project_file(self) -> Path:
        return self.project / "config.yaml"

    def write(self, path: Path, text: str | bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        # Whatever the umask of a test: what everybody can write to is not read.
        path.chmod(path.stat().st_mode & ~0o022)
        return path

    def load(self, path: Path | None = None) -> Config:
        return load(
            path,
            cwd=self.project,
            home=self.home,
            env=self.env,
            global_path=self.machine / "config.yaml",
        )

    def read(self, text: str | bytes, env: Mapping[str, str] | None = None) -> Config:
        self.env.update(env or {})
        return self.load(self.write(self.machine / "chosen.yaml", text))

    def entry(
        self, below: str = "", env: Mapping[str, str] | None = None
    ) -> ModelEntry:
        """Return the one entry of a file whose entry has the lines ``below`` too."""
        lines = "".join(f"    {line}\n" for line in below.splitlines())
        return self.read(f"models:\n{ENTRY}{lines}", env).entries[0]

    def problems(
        self, text: str | bytes, env: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return the problems of a file, each without the file's folder."""
        with pytest.raises(ConfigInvalid) as caught:
            self.read(text, env)
        return [p.replace(f"{self.machine}/", "") for p in caught.value.problems]
