"""Folders of cached features: refused when they are not what they say, written by one process at a time."""

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import platformdirs
import pytest
from filelock import FileLock

from tests.features.helpers import body, extract, extract_until, images
from tests.stopping import processes
from thumbnet.errors import DataError, StorageError
from thumbnet.features import extraction
from thumbnet.features.cache import features_folder, remove_features, stored_features
from thumbnet.features.extraction import Wanted
from thumbnet.files import lock_beside, write_json
from thumbnet.watch import silent

pytestmark = pytest.mark.usefixtures("small_chunks")


def place_of(cache: Path) -> Path:
    (found,) = (place for place in cache.iterdir() if place.is_dir())
    return found


def flip_a_bit(file: Path, position: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def rewrite(name: str, change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    return lambda place: write_json(place / name, change(json.loads((place / name).read_text())))


def other_header(place: Path) -> None:
    np.save(place / "features.npy", np.load(place / "features.npy").reshape(40, 48))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit of the features": (lambda place: flip_a_bit(place / "features.npy", 1000), "features.npy is damaged"),
    "the last bit": (lambda place: flip_a_bit(place / "features.npy", -1), "features.npy is damaged"),
    "the header": (lambda place: flip_a_bit(place / "features.npy", 20), "header"),
    "another shape": (other_header, "header"),
    "cut off": (lambda place: (place / "features.npy").write_bytes(b"\x93NUMPY"), "has 6 bytes instead of"),
    "too long": (lambda place: os.truncate(place / "features.npy", 10**6), "has 1,000,000 bytes instead of"),
    "no features": (lambda place: (place / "features.npy").unlink(), "features.npy is missing"),
    "no description": (lambda place: (place / "features.json").unlink(), "features.json is missing"),
    "a description that is no JSON": (lambda place: (place / "features.json").write_text("{"), "missing or damaged"),
    "other weights": (rewrite("features.json", lambda found: found | {"weights": "0"}), "describes other features"),
    "other data": (rewrite("features.json", lambda found: found | {"data": "0"}), "describes other features"),
    "checksums that are no JSON": (lambda place: (place / "complete.json").write_text(""), "complete.json is damaged"),
    "no checksums": (rewrite("complete.json", lambda _: {}), "complete.json is damaged"),
    "checksums that are text": (rewrite("complete.json", lambda _: {"crc32": ["1"]}), "complete.json is damaged"),
    "too few checksums": (rewrite("complete.json", lambda _: {"crc32": [1]}), "lists 1 chunks instead of 4"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_features_are_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    extract(tmp_path)
    place = place_of(tmp_path)
    damage, expected = DAMAGE[kind]
    damage(place)
    before = {file.name: file.read_bytes() for file in place.iterdir()}
    with pytest.raises(DataError, match=expected) as refused:
        extract(tmp_path)
    assert str(refused.value).startswith(f"{place}: cached features that cannot be used (")
    assert str(refused.value).endswith("; delete this folder, then go on")
    assert {file.name: file.read_bytes() for file in place.iterdir()} == before
    shutil.rmtree(place)
    assert extract(tmp_path).shape == (20, 96)


def unfinished(cache: Path) -> Path:
    """Leave an extraction with two of four chunks."""

    def stop(text: str, done: int, total: int) -> None:
        del text, total
        if done > 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extraction.extract(body(), images(20), Wanted("train", 32), cache, stop)
    return place_of(cache)


UNFINISHED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit of a finished chunk": (lambda place: flip_a_bit(place / "features.npy", 1000), "features.npy is damaged"),
    "a chunk is missing": (lambda place: (place / "features.npy").write_bytes(b""), "header"),
    "no features": (lambda place: (place / "features.npy").unlink(), "progress.json does not fit features.npy"),
    "too many chunks": (rewrite("progress.json", lambda _: {"crc32": [1] * 5}), "does not fit"),
    "no description": (lambda place: (place / "features.json").unlink(), "features.json is missing"),
    "other features": (rewrite("features.json", lambda found: found | {"copy": 7}), "describes other features"),
    "progress that is no JSON": (lambda place: (place / "progress.json").write_text("?"), "progress.json is damaged"),
}


@pytest.mark.parametrize("kind", UNFINISHED)
def test_an_unfinished_extraction_that_is_damaged_is_refused(tmp_path: Path, kind: str) -> None:
    place = unfinished(tmp_path)
    damage, expected = UNFINISHED[kind]
    damage(place)
    with pytest.raises(DataError, match=expected):
        extract(tmp_path)


def test_what_a_kill_leaves_beside_whole_chunks_is_no_damage(tmp_path: Path) -> None:
    expected = extract(tmp_path / "undisturbed")
    place = unfinished(tmp_path / "killed")
    with (place / "features.npy").open("ab") as handle:
        handle.write(b"half a chunk")
    (place / ".progress.json.abc.tmp").write_text("{")
    np.testing.assert_array_equal(extract(tmp_path / "killed"), expected)
    assert sorted(file.name for file in place.iterdir()) == ["complete.json", "features.json", "features.npy"]
    write_json(place / "progress.json", {"crc32": [1]})  # left by a kill between the last two steps
    np.testing.assert_array_equal(extract(tmp_path / "killed"), expected)


def test_a_second_writer_waits_for_the_first(tmp_path: Path) -> None:
    expected = extract(tmp_path / "alone")
    cache = tmp_path / "shared"
    place = unfinished(cache)
    told, found = threading.Event(), []
    texts = set()

    def watch(text: str, done: int, total: int) -> None:
        del done, total
        texts.add(text)
        told.set()

    def second() -> None:
        found.append(extraction.extract(body(), images(20), Wanted("train", 32), cache, watch))

    with FileLock(lock_beside(place)):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(20)
        assert texts == {"waiting for another process that computes the same features"}
        assert not (place / "complete.json").exists()
    thread.join(20)
    np.testing.assert_array_equal(found[0], expected)


def test_two_processes_make_the_same_features_once(tmp_path: Path) -> None:
    arguments = (tmp_path / "two", (), 99, 3, 6)
    both = [processes().Process(target=extract_until, args=arguments) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
        assert process.exitcode == 0
    np.testing.assert_array_equal(extract(tmp_path / "two"), extract(tmp_path / "one"))


def test_the_file_is_never_changed_through_its_features(tmp_path: Path) -> None:
    found = extract(tmp_path)
    before = (place_of(tmp_path) / "features.npy").read_bytes()
    found[:] = 0
    assert (place_of(tmp_path) / "features.npy").read_bytes() == before
    np.testing.assert_array_equal(np.load(place_of(tmp_path) / "features.npy"), extract(tmp_path))


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="check the path"):
        extract(tmp_path / "file" / "cache")


def test_the_place_of_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THUMBNET_CACHE", str(tmp_path))
    assert features_folder(None) == tmp_path / "features"
    assert features_folder(tmp_path / "given") == tmp_path / "given" / "features"
    monkeypatch.delenv("THUMBNET_CACHE")
    assert features_folder(None) == Path(platformdirs.user_cache_dir("thumbnet")) / "features"


def test_listing_and_removing(tmp_path: Path) -> None:
    assert stored_features(tmp_path / "absent") == []
    assert remove_features(tmp_path / "absent") == []
    place = unfinished(tmp_path)
    extraction.extract(body(), images(20), Wanted("val", 32), tmp_path, silent)
    (tmp_path / "of somebody else").mkdir()
    stored = {one.key: one for one in stored_features(tmp_path)}
    assert len(stored) == 2
    assert not stored.pop(place.name).complete
    (whole,) = stored.values()
    assert whole.complete
    assert whole.bytes == sum(file.stat().st_size for file in (tmp_path / whole.key).iterdir())
    assert whole.description is not None
    assert (whole.description["split"], whole.description["shape"]) == ("val", [20, 96])
    with pytest.raises(DataError, match="no features of key 'zz'"):
        remove_features(tmp_path, ["zz"])
    assert [one.key for one in remove_features(tmp_path, [whole.key[:12]])] == [whole.key]
    extraction.extract(body(), images(20), Wanted("val", 32), tmp_path, silent)
    with FileLock(lock_beside(place)):
        with pytest.raises(StorageError, match=r"another process is writing these .*; the other 1 are removed"):
            remove_features(tmp_path)
        assert [one.key for one in stored_features(tmp_path)] == [place.name]
    (tmp_path / f".{whole.key}.removed").mkdir()  # left by a process that was killed while it removed
    assert [one.key for one in remove_features(tmp_path)] == [place.name]
    assert [left.name for left in tmp_path.iterdir()] == ["of somebody else"]
