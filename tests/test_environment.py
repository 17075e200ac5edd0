"""The environment: versions and commit, and nothing that names a host, a user or a folder."""

import getpass
import json
import os
import platform
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from thumbnet import environment


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def fake_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose package is the running one, as far as `environment` can see."""
    package = tmp_path / "src" / "thumbnet"
    package.mkdir(parents=True)
    (package / "environment.py").touch()
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.setattr(environment, "__file__", str(package / "environment.py"))
    return tmp_path


def test_a_description_is_json_and_names_versions() -> None:
    about = environment.describe("cpu", 2)
    assert json.loads(json.dumps(about)) == about
    assert list(about) == ["commit", "platform", "versions", "device", "threads"]
    assert about["versions"]["numpy"] == np.__version__
    assert about["versions"]["torch"] == metadata.version("torch")
    assert about["versions"]["python"] == platform.python_version()
    assert about["platform"] == {"system": platform.system(), "machine": platform.machine()}
    assert about["device"]["type"] == "cpu"
    assert about["device"]["cpus"] == environment.usable_cpus() >= 1
    assert about["threads"] == 2


def test_a_description_names_no_host_user_or_folder() -> None:
    about = environment.describe("cpu", 1)
    about["commit"] = None
    text = json.dumps(about)
    for private in (socket.gethostname(), getpass.getuser(), os.sep + "home", str(Path.cwd())):
        assert private not in text


def test_another_device_has_the_name_that_is_given() -> None:
    assert environment.describe("cuda:0", 1, "NVIDIA H100")["device"] == {"type": "cuda", "name": "NVIDIA H100"}
    assert environment.describe("mps", 1)["device"] == {"type": "mps", "name": "unknown"}


def test_the_processor_has_a_name_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert environment.describe("cpu", 1)["device"]["name"]


def test_a_library_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert environment.versions()["torch"] is None


def test_the_commit_is_marked_when_tracked_files_differ(fake_checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.checkout() == fake_checkout
    assert environment.commit() is None
    git(fake_checkout, "init")
    assert environment.commit() is None
    git(fake_checkout, "add", ".")
    git(fake_checkout, "commit", "-m", "one")
    clean = environment.commit()
    assert clean is not None
    assert len(clean) == 40
    (fake_checkout / "untracked").touch()
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    assert environment.commit() == clean
    (fake_checkout / "pyproject.toml").write_text("changed")
    assert environment.commit() == f"{clean}-dirty"


def test_an_installed_copy_has_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "site-packages" / "thumbnet" / "environment.py"))
    assert environment.checkout() is None
    assert environment.commit() is None


def test_no_git_means_no_commit(fake_checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (fake_checkout / ".git").mkdir()
    monkeypatch.setenv("PATH", "")
    assert environment.commit() is None


def test_peak_memory_is_this_processs_own_in_bytes() -> None:
    # The parent's peak is far above that of a bare interpreter, and must not be passed on.
    block = np.ones(100_000_000, dtype=np.uint8)
    assert environment.peak_memory_bytes() >= block.nbytes
    code = (
        "from thumbnet.environment import peak_memory_bytes as peak\n"
        "before = peak(); block = b'x' * 50_000_000; print(before, peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    before, more = map(int, done.stdout.split())
    assert 1_000_000 < before < 100_000_000
    assert 40_000_000 < more < 60_000_000


def test_peak_memory_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert 1_000_000 < environment.peak_memory_bytes() < 100_000_000_000


def test_differences_are_readable_lines() -> None:
    before = environment.describe("cpu", 2)
    after = {**before, "threads": 4, "versions": before["versions"] | {"torch": "9.9"}, "started": "now"}
    torch = before["versions"]["torch"]
    assert environment.differences(before, after) == [
        f"versions.torch: {torch} before, 9.9 now",
        "threads: 2 before, 4 now",
    ]
    assert environment.differences(before, before | {"command": "thumbnet resume"}) == []


def test_what_appears_or_vanishes_is_a_difference() -> None:
    before = {"commit": None, "device": {"type": "cpu", "cpus": 2}}
    after = {"commit": "abc", "device": {"type": "cpu"}}
    assert environment.differences(before, after) == [
        "device.cpus: 2 before, none now",
        "commit: none before, abc now",
    ]
