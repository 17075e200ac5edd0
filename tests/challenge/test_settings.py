"""One file, checked as a whole: every bad value is named with its key."""

import re
import tomllib
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from thumbnet.challenge import settings
from thumbnet.challenge.settings import Settings, load
from thumbnet.errors import ChallengeError, StorageError

DOCS = Path(__file__).parents[2] / "docs" / "challenge.md"


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "challenge.toml"
    path.write_text(text)
    return path


def test_a_file_gives_settings_and_options_replace_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, 'title = "Birds"\ncooldown_seconds = 60\ncloses_at = 2026-12-01T12:00:00+01:00\nport = 1\n')
    found = load(path, port=2, host=None)
    assert found == Settings(
        folder=tmp_path,
        title="Birds",
        cooldown_seconds=60,
        closes_at=datetime(2026, 12, 1, 11, tzinfo=UTC),
        port=2,
    )
    assert found.database_url == f"sqlite:///{tmp_path / 'challenge.sqlite3'}"
    monkeypatch.setenv("THUMBNET_DATABASE", "postgresql://me:secret@db/x")
    assert load(path).database_url == "postgresql+psycopg://me:secret@db/x"


def test_two_hours_is_the_cooldown_that_nobody_set(tmp_path: Path) -> None:
    assert load(write(tmp_path, "")).cooldown_seconds == 7200
    assert settings.find(tmp_path) == tmp_path / "challenge.toml"
    assert settings.find(tmp_path / "other") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cooldown = 1", "unknown setting 'cooldown'; did you mean cooldown_seconds"),
        ("cooldown_seconds = -1", "setting cooldown_seconds: -1 is not in 0 to"),
        ("cooldown_seconds = nan", "setting cooldown_seconds: nan is not in"),
        ("cooldown_seconds = true", "setting cooldown_seconds: True is not a number"),
        ('port = "80"', "setting port: '80' is not a whole number"),
        ("port = 80.5", "setting port: 80.5 is not a whole number"),
        ("port = 70000", "setting port: 70000 is not in 0 to 65535"),
        ("title = 1", "setting title: 1 is not a text in quotes"),
        ('title = ""', "setting title: give 1 to 100 characters"),
        ('board = "secret"', "setting board: 'secret' is unknown"),
        ('sign_up = "closed"', "setting sign_up: 'closed' is unknown"),
        ("public_fraction = 0", "setting public_fraction: 0 is not above 0"),
        ("public_fraction = 1.5", "setting public_fraction: 1.5 is not above 0"),
        ("seed = -1", "setting seed: -1 is not in 0"),
        ("closes_at = 2026-12-01T12:00:00", "setting closes_at: 2026-12-01T12:00:00 has no time zone"),
        ('closes_at = "tomorrow"', "setting closes_at: 'tomorrow' is not a time without quotes"),
        ('public_url = "https://a.org/path"', "setting public_url: 'https://a.org/path' is not like"),
        ('public_url = "a.org"', "setting public_url"),
        ('trusted_proxies = ["proxy"]', "setting trusted_proxies: 'proxy' is no address"),
        ("trusted_proxies = [1.5]", "setting trusted_proxies: 1.5 is no address"),
        ("trusted_proxies = [127]", "setting trusted_proxies: 127 is no address"),
        ('trusted_proxies = "127.0.0.1"', "setting trusted_proxies: '127.0.0.1' is not a list"),
        ("team_size = 0", "setting team_size: 0 is not in 1"),
        ("max_bytes = 0", "setting max_bytes: 0 is not in 1"),
        ("folder = 3", "setting folder: 3 is not a folder in quotes"),
        ("title", "not valid TOML"),
    ],
)
def test_a_bad_value_is_named_with_its_key(text: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ChallengeError, match=re.escape(message)) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_what_is_not_from_the_file_is_not_blamed_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, 'port = 1\ndatabase = "postgresql://me@db/x"\n')
    for given in ({"port": 99_999}, {"sign_up": "x"}):
        with pytest.raises(ChallengeError, match=rf"^setting {next(iter(given))}: "):
            load(path, **given)
    monkeypatch.setenv("THUMBNET_DATABASE", "mysql://db/x")
    with pytest.raises(ChallengeError, match=r"^\$THUMBNET_DATABASE: setting database: not like"):
        load(path)
    with pytest.raises(ChallengeError, match=r"^\$THUMBNET_DATABASE: setting database: not like"):
        load(None, folder=tmp_path)


def test_a_password_is_never_repeated(tmp_path: Path) -> None:
    with pytest.raises(ChallengeError, match="setting database") as refused:
        load(write(tmp_path, 'database = "mysql://me:secret@db/x"'))
    assert "secret" not in str(refused.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        load(tmp_path / "none.toml")


def test_the_documented_file_holds_every_setting() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    documented = tomllib.loads(blocks[0].replace("\n# ", "\n"))
    assert documented.keys() == {field.name for field in fields(Settings)} - {"folder"}
    defaults = Settings(folder=Path())
    for key in documented.keys() - {"database", "public_url", "closes_at", "seed", "trusted_proxies", "title"}:
        assert documented[key] == getattr(defaults, key), key
