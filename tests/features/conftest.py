import pytest

from tests.features.helpers import shrink


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of 3 and chunks of 6 images."""
    shrink(monkeypatch, batch=3, chunk=6)
