"""`thumbnet features`: cached features are listed and removed."""

from pathlib import Path

from tests.cli.calling import Shell
from tests.features.helpers import extract
from tests.helpers import FLIP


def test_features_are_listed_and_removed(tmp_path: Path, shell: Shell) -> None:
    cache = ("--cache", tmp_path)
    assert shell.text("features", *cache) == f"cached: 0, 0.0 MB, in {tmp_path / 'features'}\n"
    extract(tmp_path / "features")
    (found,) = shell.json("features", *cache)
    line, total = shell.text("features", *cache).splitlines()
    assert line.startswith(found["key"])
    assert line.endswith("timm/test_resnet at 32 pixels, train, 20 x 96")
    assert total.startswith("cached: 1, 0.0 MB")
    extract(tmp_path / "features", policy=FLIP, copy=2)
    assert ", copy 3, seed 0, horizontal_flip\n" in shell.text("features", *cache)
    assert shell.text("features", found["key"][:9], *cache).count("\n") == 2
    copies = [one["key"] for one in shell.json("features", *cache) if one["description"]["copy"]]
    assert shell.text("features", "--clear", *copies, *cache).endswith(f"in {tmp_path / 'features'}\n")
    (tmp_path / "features" / found["key"] / "features.json").write_text("")
    assert "damaged" in shell.text("features", *cache)
    assert "no features of key 'zz'" in shell.error("features", "zz", *cache)
    assert shell.text("features", "--clear", *cache).splitlines()[-1].startswith("removed: 1, ")
    assert shell.json("features", *cache) == []
