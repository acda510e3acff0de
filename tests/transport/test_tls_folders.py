"""A folder of authorities, as administrators leave one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from servers.tls import Authority, chat_server

from bytebuddy_provider_hf.client.opening import open_model
from bytebuddy_provider_hf.config.values import RequestOptions
from bytebuddy_provider_hf.errors import InvalidOption, UnknownAuthority

pytestmark = pytest.mark.asyncio


async def asked(url: str, folder: Path) -> str:
    options = RequestOptions(max_attempts=1, ca_bundle_path=(str(folder),))
    model = open_model("m", api_base=url, env={}, request_options=options)
    async with model:
        return (await model.chat("a")).text


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("name", ["company.crt", "company.PEM", "company.cer"])
async def test_files_count_as_people_name_them(
    authority: Authority, tmp_path: Path, name: str
) -> None:
    """OpenSSL alone would pass over what is not named by a hash."""
    folder = tmp_path / "certs"
    folder.mkdir()
    shutil.copy(authority.bundle, folder / name)
    (folder / "README.txt").write_text("Ours.")
    with chat_server(authority.server()) as port:
        assert await asked(f"https://127.0.0.1:{port}/v1", folder) == "fine"


async def test_a_file_that_holds_no_certificate_is_named(
    authority: Authority, tmp_path: Path
) -> None:
    """The file, not the folder: there may be many."""
    folder = tmp_path / "certs"
    folder.mkdir()
    shutil.copy(authority.bundle, folder / "good.pem")
    (folder / "other.pem").write_text("no certificate")
    with pytest.raises(InvalidOption, match=r"certs/other\.pem cannot be loaded"):
        await asked("https://127.0.0.1:9/v1", folder)


async def test_where_there_are_hashes_they_decide(
    authority: Authority, tmp_path: Path
) -> None:
    """A folder that was prepared for OpenSSL is used as OpenSSL does."""
    folder = tmp_path / "certs"
    folder.mkdir()
    shutil.copy(authority.bundle, folder / "unlisted.pem")
    shutil.copy(authority.bundle, folder / "01234567.0")
    with (
        chat_server(authority.server()) as port,
        pytest.raises(UnknownAuthority),
    ):
        await asked(f"https://127.0.0.1:{port}/v1", folder)
