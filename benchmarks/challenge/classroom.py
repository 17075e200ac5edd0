"""A challenge as large as Tiny ImageNet's, its class, and files whose score is known."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from sqlalchemy import func, select

from benchmarks.challenge import postgres
from benchmarks.challenge.processes import PASSWORD, write_settings
from thumbnet.challenge import labels
from thumbnet.challenge.database.schema import submissions
from thumbnet.challenge.people import accounts, tokens
from thumbnet.challenge.settings import Settings, load
from thumbnet.challenge.state import Challenge, set_up

DATABASES = ("sqlite", "postgresql")
PUBLIC_FRACTION = 0.5


@dataclass(frozen=True, eq=False)
class File:
    """A submission that is about to be sent.

    Attributes:
        content: the file.
        public_correct: how many of the public images are right.
    """

    content: bytes
    public_correct: int


class Classroom:
    """A challenge that is set up but not served.

    Args:
        folder: where its settings and data go.
        database: the setting of that name; empty for SQLite.
        images: how many images a submission names.
        classes: how many classes there are.
        cooldown: the setting `cooldown_seconds`.
    """

    def __init__(self, folder: Path, database: str, *, images: int, classes: int, cooldown: float) -> None:
        values = {"sign_up": "open", "public_fraction": PUBLIC_FRACTION, "seed": 1, "cooldown_seconds": cooldown}
        path = write_settings(folder, database=database, **values)
        self.settings: Settings = load(path)
        self.folder = folder
        self.challenge = Challenge.open(self.settings)
        chance = np.random.default_rng(0)
        self._truth = chance.permutation(np.arange(images) % classes)
        self._classes = np.array([f"n{number:08d}" for number in range(classes)])
        # In their order, as the challenge keeps them.
        names = sorted(f"test_{number}.JPEG" for number in range(images))
        self._images = np.array(names)
        set_up(self.challenge, labels.make(names, self._classes[self._truth].tolist()))
        self._private: NDArray[np.bool_] = self.challenge.labels(1).private

    def join(self, count: int) -> list[str]:
        """Make `count` accounts, each with a team of its own, and return an API token of each."""
        made = []
        for number in range(count):
            account = accounts.sign_up(
                self.challenge, f"p{number}", PASSWORD, address=f"192.0.{number // 250}.{number % 250}"
            )
            made.append(tokens.make_token(self.challenge, account, "benchmark"))
        return made

    def submissions_of_teams(self) -> Sequence[int]:
        """Return how many submissions each team has that has one."""
        with self.challenge.database.read() as connection:
            counted = select(func.count(submissions.c.id)).group_by(submissions.c.team_id)
            return connection.execute(counted).scalars().all()

    def draw_file(self, chance: np.random.Generator) -> File:
        """Return a submission of which a random share, between a tenth and nine tenths, is right."""
        right = chance.random(len(self._truth)) < chance.uniform(0.1, 0.9)
        others = self._truth + chance.integers(1, len(self._classes), len(self._truth))
        stated = np.where(right, self._truth, others % len(self._classes))
        lines = [f"{image} {name}\n" for image, name in zip(self._images, self._classes[stated], strict=True)]
        return File("".join(lines).encode(), int(np.count_nonzero(right & ~self._private)))


@contextlib.contextmanager
def classroom(
    database: str, *, images: int = 10_000, classes: int = 200, cooldown: float = 7200
) -> Iterator[Classroom]:
    """Yield a new challenge on `database`, 'sqlite' or 'postgresql', and remove it in the end."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="thumbnet-"))) / "challenge"
        url = ""
        if database == "postgresql":
            if postgres.programs() is None:
                raise SystemExit("PostgreSQL is not installed: apt-get install postgresql, or give --databases sqlite")
            url = stack.enter_context(postgres.cluster(durable=True)).new_database()
        made = Classroom(folder, url, images=images, classes=classes, cooldown=cooldown)
        stack.callback(made.challenge.close)
        yield made


def token_headers(token: str) -> dict[str, str]:
    """Return the headers of a submission."""
    return {"Authorization": f"Bearer {token}", "Content-Type": "text/plain"}


def quantiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return the median, 99th percentile and greatest of `seconds`, in milliseconds."""
    values = 1000 * np.asarray(seconds)
    return {
        "p50_ms": float(np.median(values)),
        "p99_ms": float(np.quantile(values, 0.99)),
        "max_ms": float(max(values)),
    }


def say(text: str) -> None:
    """Print a line, without markup."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)
