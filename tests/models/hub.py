"""A cache of Hugging Face's that tests fill, and a hub of Hugging Face's on this machine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from huggingface_hub import constants
from torch import Tensor

from tests.serving import serving

COMMIT = 40 * "a"


def use_hub(monkeypatch: pytest.MonkeyPatch, cache: Path, address: str) -> None:
    """Let `huggingface_hub` use this cache, and the hub at `address`."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")


def repository(name: str) -> str:
    """Return the repository that holds the weights of timm's network `name`."""
    config: Any = timm.get_pretrained_cfg(name)
    return str(config.hf_hub_id)


def put(cache: Path, name: str, state: Mapping[str, Tensor], filename: str = "model.safetensors") -> Path:
    """Put weights of timm's network `name` into the cache as `huggingface_hub` would, and return the file."""
    folder = cache / f"models--{repository(name).replace('/', '--')}"
    file = folder / "snapshots" / COMMIT / filename
    file.parent.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    if filename.endswith(".safetensors"):
        safetensors.torch.save_file(dict(state), file)
    else:
        torch.save(dict(state), file)
    return file


@contextmanager
def hub(files: Mapping[str, bytes], asked: list[str]) -> Iterator[str]:
    """Yield the address of a hub that has `files` by their paths; `asked` collects what it was asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.wfile.write(self.answer())

        def answer(self) -> bytes:
            asked.append(f"{self.command} {self.path}")
            content = files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("X-Repo-Commit", COMMIT)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("ETag", sha256(content or b"").hexdigest())
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            return content or b""

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Handler) as address:
        yield address
