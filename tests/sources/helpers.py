"""Bad sources that must be refused, and images to put into them."""

import shutil
from pathlib import Path

import pytest

from thumbnet.errors import DataError, ThumbnetError
from thumbnet.sources import pack


def refusal(source: Path, tmp_path: Path, kind: type[ThumbnetError] = DataError) -> str:
    """Pack a bad source, see that nothing is left behind, and return the message."""
    out = tmp_path / "target" / "out"
    with pytest.raises(kind) as caught:
        pack(source, out)
    assert not out.exists()
    assert not out.parent.exists() or list(out.parent.iterdir()) == []
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    return message


def image_in(path: Path, shapes_folder: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(shapes_folder / "test" / "images" / "test_0.JPEG", path)
