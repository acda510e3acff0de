"""A picture becomes a part of a message, known by what its file holds."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from bytebuddy_provider_hf import ImagePart, InvalidOption
from bytebuddy_provider_hf.types import LARGEST_IMAGE

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 8
KINDS = {
    "png": PNG,
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "gif": b"GIF89a\x01\x00",
    "webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
}


@pytest.mark.parametrize(("kind", "data"), KINDS.items(), ids=KINDS)
def test_the_type_is_that_of_the_content(
    kind: str, data: bytes, tmp_path: Path
) -> None:
    """Whatever the file is called; bytes give the same part."""
    file = tmp_path / "picture.txt"
    file.write_bytes(data)
    url = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    assert ImagePart.from_file(file) == ImagePart(url)
    assert ImagePart.from_file(str(file)) == ImagePart.from_bytes(data)


@pytest.mark.parametrize(
    "data",
    [b"", b"<svg/>", PNG[:7], b"RIFF\0\0\0\0WAVEfmt "],
)
def test_what_is_no_known_image_is_refused(data: bytes, tmp_path: Path) -> None:
    """Whatever its name says, and with the name of the file."""
    file = tmp_path / "picture.png"
    file.write_bytes(data)
    with pytest.raises(InvalidOption, match=r"picture\.png holds is no PNG"):
        ImagePart.from_file(file)
    with pytest.raises(InvalidOption, match="no PNG"):
        ImagePart.from_bytes(data)


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A little beyond the limit is enough to refuse it."""
    file = tmp_path / "large.png"
    with file.open("wb") as opened:
        opened.write(PNG)
        opened.truncate(LARGEST_IMAGE + 1)
    with pytest.raises(InvalidOption, match="larger than 20 MiB"):
        ImagePart.from_file(file)
    with file.open("r+b") as opened:
        opened.truncate(LARGEST_IMAGE)
    assert len(repr(ImagePart.from_file(file))) < 200


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    """No file, a folder, a pipe that nobody writes to, a path that is none."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, why in (
        (tmp_path / "none.png", "No such file"),
        (tmp_path, "directory|regular"),
        (pipe, "regular file"),
        ("a\0b", "null"),
        (3, "int"),
    ):
        with pytest.raises(InvalidOption, match=why) as caught:
            ImagePart.from_file(path)  # type: ignore[arg-type]
        assert caught.value.hint


def test_text_is_no_image() -> None:
    """A path goes to ``from_file``."""
    with pytest.raises(InvalidOption, match="not str"):
        ImagePart.from_bytes("picture.png")  # type: ignore[arg-type]
