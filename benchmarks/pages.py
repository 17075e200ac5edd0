"""Write the tables of README.md docs/experiments.md and docs/training.md anew, from records and registries.

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
    docs = ROOT / "docs"
    _write(docs / "training.md", pages.training_page((docs / "training.md").read_text(encoding="utf-8")))
    _write(
        docs / "experiments.md",
        pages.experiments_page((docs / "experiments.md").read_text(encoding="utf-8"), measured),
    )


def _write(path: Path, text: str) -> None:
    with atomic_file(path, "w") as handle:
        handle.write(text)
    print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
