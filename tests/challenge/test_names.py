"""Names: taken once, visible, and no one else's."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.challenge.world import World
from thumbnet.challenge.people import names
from thumbnet.challenge.refusals import RefusalError


def test_names_are_taken_once_however_they_are_written(both: World) -> None:
    both.join("anna", team="Die Müller")
    for name, team in (("ANNA", "x"), ("bert", "DIE MÜLLER"), ("bert", "Die Mu\u0308ller"), ("bert", "Die  Müller ")):
        with pytest.raises(RefusalError, match="taken"):
            both.join(name, team=team)
    with pytest.raises(RefusalError, match="team code is unknown"):
        both.join("bert", team_code="AAAA-BBBB-CCCC-DDDD")


@pytest.mark.parametrize("name", ["", "a b", "-a", "=a", "a" * 65, "anna\n", "ann\u0430", "<b>", "a/../b"])
def test_bad_account_names_are_refused(name: str, world: World) -> None:
    with pytest.raises(RefusalError, match="account name"):
        world.join(name)


@pytest.mark.parametrize("team", ["a\u202eb", "a\x00b", "x" * 65, "\ud800", "\u200b"])
def test_bad_team_names_are_refused(team: str, world: World) -> None:
    with pytest.raises(RefusalError, match="team name: give 1 to 64 visible"):
        world.join("anna", team=team)


@given(st.text(max_size=60))
def test_a_checked_name_stays_as_it_is_and_shows_on_one_line(text: str) -> None:
    try:
        clean = names.check_text(text, "team name")
    except RefusalError:
        return
    assert names.check_text(clean, "team name") == clean
    assert clean.isprintable()
    assert clean == unicodedata.normalize("NFC", clean)


def test_pseudonyms_differ_even_when_all_pairs_are_taken() -> None:
    drawn: set[str] = set()
    for _ in range(4000):
        drawn.add(names.draw_pseudonym(drawn))
    assert len(drawn) == 4000


def test_every_account_name_can_name_its_team(world: World) -> None:
    longest = "a" * 64
    assert world.join(longest).name == longest


@pytest.mark.parametrize(
    ("team", "message"),
    [
        ("\u2800\u3164", "visible characters"),
        ("...", "at least one letter or digit"),
        ("\u041ewls", "mixes Latin letters"),
        ("Owl\u03bf", "mixes Latin letters"),
        ("\ufdfa" * 60, "stand for whole words"),
    ],
)
def test_names_that_deceive_are_refused(team: str, message: str, world: World) -> None:
    with pytest.raises(RefusalError, match=message):
        world.join("anna", team=team)
    assert world.join("anna", team="\u0421\u043e\u0432\u044b 7").team_id


@pytest.mark.parametrize("blank", ["\u2800", "\u3164", "\ufe0f", "\U000e0100", "\u034f", "\u115f", "\u180b"])
def test_what_is_not_seen_makes_no_other_name(blank: str, world: World) -> None:
    world.join("anna", team="Owls")
    with pytest.raises(RefusalError, match="team name is taken"):
        world.join("bert", team=f"Ow{blank}ls{blank}")
