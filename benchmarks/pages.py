"""Write the tables of README.md (from records/), docs/training.md and docs/experiments.md (from registries) anew.

python benchmarks/pages.py
"""

from pathlib import Path

from thumbnet import records
from thumbnet.files import atomic_file
from thumbnet.workflows import pages

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Write the pages."""
    folder = ROOT / "records"
    measured = records.load_all(folder) if folder.is_dir() else []
    _write(ROOT / "README.md", pages.readme((ROOT / "README.md").read_text(encoding="utf-8"), measured))
    for name, write in (("training", pages.training_page), ("experiments", pages.experiments_page)):
        page = ROOT / "docs" / f"{name}.md"
        _write(page, write(page.read_text(encoding="utf-8")))


def _write(path: Path, text: str) -> None:
    with atomic_file(path, "w") as handle:
        handle.write(text)
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
