"""schemathesis asks a running server all that its OpenAPI description allows, and more, as every role."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from benchmarks.challenge.processes import ServerProcess, write_settings

from tests.challenge.world import World, answers, server
from thumbnet.challenge.settings import load

EXAMPLES = "4"
"""Random requests for each operation, beside hundreds that `coverage` makes of each limit in the schema."""

CONFIG = """
seed = 1
color = false

# A text that is no submission and no roster of this challenge is refused, which a schema of texts cannot say.
[[operations]]
include-path = "/api/submissions"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = "/api/admin/roster"
checks.positive_data_acceptance.enabled = false
"""


PUBLIC = r"^/api/(challenge|format|sign-(up|in|out)|board.*|ledger.*)$"
"""Paths of what answers everyone; that the others answer 401 without a token, schemathesis checks as it asks them."""

OPERATIONS = {"nobody": 11, "participant": 22, "admin": 8}
"""How many operations each role is to ask."""

ARGUMENTS = {
    "nobody": ["--include-path-regex", PUBLIC, "--phases", "fuzzing"],
    "participant": ["--exclude-path-regex", "^/api/admin", "--phases", "coverage,fuzzing"],
    "admin": ["--include-path-regex", "^/api/admin", "--phases", "coverage"],
}


@dataclass(frozen=True)
class Asked:
    """A running server, and the tokens of three roles."""

    process: ServerProcess
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A challenge; its first twenty tokens belong to others, so that no role loses its own."""
    folder = tmp_path_factory.mktemp("fuzz") / "challenge"
    settings = write_settings(folder, sign_up="open", board="open", public_fraction=0.5, seed=3, cooldown_seconds=0)
    world = World(load(settings))
    other = world.join("bert")
    for _ in range(20):
        world.token(other)
    anna = world.join("anna")
    world.send_all(anna, answers(3), answers(4))
    tokens = {"nobody": "", "participant": world.token(anna), "admin": world.admin_token()}
    with server(folder) as process:
        yield Asked(process, tokens)
    world.challenge.close()


def test_every_operation_is_asked_by_a_role(asked: Asked) -> None:
    described = httpx2.get(f"{asked.process.url}/api/openapi.json").json()["paths"]
    assert sum(len(methods) for methods in described.values()) == OPERATIONS["participant"] + OPERATIONS["admin"]
    free = [method for path in described.values() for method in path.values() if "security" not in method]
    assert len(free) == OPERATIONS["nobody"]


@pytest.mark.parametrize("role", ["nobody", "participant", "admin"])
def test_schemathesis_finds_nothing(role: str, asked: Asked, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "--config-file", str(config), "run", f"{asked.process.url}/api/openapi.json"]
    command += [*ARGUMENTS[role], "--max-examples", EXAMPLES, "--max-failures", "10"]
    command += ["-H", f"Authorization: Bearer {asked.tokens[role]}"] if asked.tokens[role] else []
    found = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=tmp_path, check=False)
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:] + asked.process.printed()[-4000:]
    tested = re.search(r"Tested: (\d+)", found.stdout)
    assert tested is not None
    assert int(tested[1]) == OPERATIONS[role]
