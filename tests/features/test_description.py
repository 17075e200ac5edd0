"""What a key depends on besides images, weights and recipe: versions, the layout of draws, and the code."""

import shutil
from pathlib import Path

import pytest

import thumbnet
from tests.features.helpers import body, images
from thumbnet.features.description import digest_of_code, key_of
from thumbnet.features.extraction import Wanted


@pytest.mark.parametrize("field", ["code", "thumbnet", "torch", "timm", "device", "batch", "chunk", "format_version"])
def test_versions_and_the_layout_of_draws_decide_the_key(field: str) -> None:
    described = body().describe(Wanted("train", 32), images(8)).to_json()
    assert field in described
    assert key_of(described | {field: "other"}) != key_of(described)


def test_the_code_that_computes_features_decides_the_key_and_no_other_code_does(tmp_path: Path) -> None:
    package = Path(thumbnet.__file__).parent
    copy = shutil.copytree(package, tmp_path / "thumbnet", ignore=shutil.ignore_patterns("__pycache__"))
    digest = digest_of_code(copy)
    assert digest == digest_of_code(package) == body().describe(Wanted("train", 32), images(8)).to_json()["code"]
    (copy / "cli" / "features.py").write_text("")
    (copy / "models" / "notes.txt").write_text("no code")
    assert digest_of_code(copy) == digest
    seen = {digest}
    for name in ("augment/policy.py", "data/resident.py", "evaluate.py", "features/extraction.py", "models/resnet.py"):
        with (copy / name).open("a") as file:
            file.write("# changed\n")
        seen.add(digest_of_code(copy))
    (copy / "models" / "new.py").write_text("")
    seen.add(digest_of_code(copy))
    assert len(seen) == 7
