"""Hugging Face's files of weights: from its cache on this machine, else asked for once."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

_ASK_SECONDS = 10.0
"""How long the first answer may take."""


def hub_file(repository: str, filename: str) -> Path:
    """Return the path in Hugging Face's cache of a file of weights, downloaded where it is not there.

    A file in the cache is taken without asking the network. Otherwise the network is asked once, where
    `huggingface_hub` itself would ask for a minute.

    Args:
        repository: its name, perhaps with '@' and a revision behind it.
        filename: what torch.save wrote; where there is the same as safetensors, that is taken.

    Raises:
        OSError: it cannot be downloaded.
    """
    from huggingface_hub import try_to_load_from_cache

    repository, _, stated = repository.partition("@")
    revision = stated or None
    names = (filename.replace("pytorch_model.bin", "model.safetensors"), filename)
    for name in names:
        found = try_to_load_from_cache(repository, name, revision=revision)
        if isinstance(found, str):
            return Path(found)
    with _quiet():
        return _download(repository, names, revision)


def hub_cache() -> str:
    """Return the folder of Hugging Face's cache."""
    from huggingface_hub import constants

    return str(constants.HF_HUB_CACHE)


def _download(repository: str, names: tuple[str, str], revision: str | None) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    for name in names:
        try:
            get_hf_file_metadata(hf_hub_url(repository, name, revision=revision), timeout=_ASK_SECONDS)
            return Path(hf_hub_download(repository, name, revision=revision))
        except LocalEntryNotFoundError:
            raise  # the connection was lost behind the first answer
        except EntryNotFoundError as error:
            missing = error
        except (OSError, MemoryError):
            raise
        except Exception as error:  # those of its HTTP library, which differs from version to version
            raise OSError(str(error) or type(error).__name__) from error
    raise OSError(f"{repository} has no file {names[-1]}") from missing


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what `huggingface_hub` warns of to itself for the block."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
