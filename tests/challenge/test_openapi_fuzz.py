"""schemathesis asks a running server all that its OpenAPI description allows, and more, as every role."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.challenge.processes import ServerProcess
from tests.challenge.world import World, answers, write_settings
from thumbnet.challenge.settings import Settings

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


def _world(folder: Path) -> tuple[World, dict[str, str]]:
    """A challenge with the tokens of three roles; the first twenty belong to others, so that no role loses its own."""
    settings: dict[str, Any] = {
        "sign_up": "open",
        "board": "open",
        "public_fraction": 0.5,
        "seed": 3,
        "cooldown_seconds": 0,
    }
    write_settings(folder, **settings)
    world = World(Settings(folder=folder, **settings))
    other = world.join("bert")
    for _ in range(20):
        world.token(other)
    anna = world.join("anna")
    world.send_all(anna, answers(3), answers(4))
    return world, {"nobody": "", "participant": world.token(anna), "admin": world.admin_token()}


@pytest.mark.parametrize(
    ("role", "phases"), [("nobody", "fuzzing"), ("participant", "coverage,fuzzing"), ("admin", "coverage")]
)
def test_schemathesis_finds_nothing(role: str, phases: str, tmp_path: Path) -> None:
    world, tokens = _world(tmp_path / "challenge")
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    program = str(Path(sys.executable).with_name("schemathesis"))
    process = ServerProcess(tmp_path / "challenge")
    try:
        process.wait_until_ready()
        command = [program, "--config-file", str(config), "run", f"{process.url}/api/openapi.json"]
        command += ["--phases", phases, "--max-examples", EXAMPLES, "--max-failures", "10"]
        command += ["-H", f"Authorization: Bearer {tokens[role]}"] if tokens[role] else []
        found = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=tmp_path, check=False)
    finally:
        process.end()
    world.challenge.close()
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:] + process.printed()[-4000:]
    tested = re.search(r"Tested: (\d+)", found.stdout)
    assert tested is not None
    assert int(tested[1]) > 25
