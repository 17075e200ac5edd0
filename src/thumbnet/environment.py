"""Where something was computed: versions, commit, platform and device, without names of hosts, users or folders."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

_LIBRARIES = ("torch", "torchvision", "timm", "numpy", "pillow", "simplejpeg")
_COMPARED = ("commit", "platform", "versions", "device", "threads")


def describe(device: str, threads: int, device_name: str | None = None) -> dict[str, Any]:
    """Return where this process computes, as JSON data.

    Args:
        device: torch's name of the device, such as 'cpu' or 'cuda:0'.
        threads: how many threads compute.
        device_name: model of the device ('NVIDIA H100'); `None` looks up the processor's for 'cpu'.

    Returns:
        `commit` (text or `None`, see `commit`), `platform` (`system`, `machine`), `versions` (thumbnet, python and
        libraries; `None` where not installed), `device` (`type`, `name` and, for 'cpu', `cpus`: the logical CPUs
        that this process may use) and `threads`.
    """
    kind = device.split(":", maxsplit=1)[0]
    about: dict[str, Any] = {"type": kind, "name": device_name or (_cpu_name() if kind == "cpu" else "unknown")}
    if kind == "cpu":
        about["cpus"] = usable_cpus()
    return {
        "commit": commit(),
        "platform": {"system": platform.system(), "machine": platform.machine()},
        "versions": versions(),
        "device": about,
        "threads": threads,
    }


def versions() -> dict[str, str | None]:
    """Return the versions of thumbnet, Python and the libraries that decide results; `None` where not installed."""
    found: dict[str, str | None] = {"thumbnet": _version("thumbnet"), "python": platform.python_version()}
    return found | {name: _version(name) for name in _LIBRARIES}


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return one readable line for each figure that differs between two descriptions (as `describe` gives them).

    Other keys, such as the time and the command of a session, are not compared.
    """
    old, new = _flat(before), _flat(after)
    keys = list(dict.fromkeys([*old, *new]))
    return [
        f"{key}: {old.get(key, 'none')} before, {new.get(key, 'none')} now"
        for key in keys
        if old.get(key, "none") != new.get(key, "none")
    ]


def checkout() -> Path | None:
    """Return the root of the source checkout that this package lies in, or `None` for an installed copy."""
    package = Path(__file__).resolve().parent
    root = package.parent.parent
    is_checkout = package == root / "src" / "thumbnet" and (root / "pyproject.toml").is_file()
    return root if is_checkout else None


def commit() -> str | None:
    """Return the commit of the package's checkout, with '-dirty' when tracked files differ from it.

    `None` where there is none to tell: an installed copy, no git, or no commit yet.
    """
    root = checkout()
    if root is None or not (root / ".git").exists():
        return None
    head = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    if head is None or changes is None:
        return None
    return f"{head}-dirty" if changes else head


def peak_memory_bytes() -> int:
    """Return the largest resident memory that this process has had, in bytes (0 on Windows, which keeps no count)."""
    if sys.platform == "win32":
        return 0
    import resource

    # On Linux the count of getrusage survives exec, so a child of a large process starts with its parent's peak.
    # The kernel's own count for this address space does not.
    status = Path("/proc/self/status")
    if sys.platform == "linux" and status.exists():
        match = re.search(r"^VmHWM:\s*(\d+) kB$", status.read_text(), re.MULTILINE)
        if match is not None:
            return int(match[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def usable_cpus() -> int:
    """Return how many logical CPUs this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        match = re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        if match is not None:
            return match[1].strip()
    return platform.processor() or platform.machine()


def _git(root: Path, *arguments: str) -> str | None:
    # Inside a git hook these variables name another repository. Optional locks would disturb a git that runs beside.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _flat(description: Mapping[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key in _COMPARED:
        value = description.get(key)
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        elif value is not None:
            flat[key] = value
    return {key: "none" if value is None else value for key, value in flat.items()}
