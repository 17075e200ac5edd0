"""Names of accounts and teams, and the pseudonyms under which teams stand on the board."""

import re
import secrets
import unicodedata

from thumbnet.challenge.refusals import bad_request

ACCOUNT_PATTERN = "[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}"
TEAM_LENGTH = 64
_ACCOUNT = re.compile(ACCOUNT_PATTERN)
_COLOURS_TEXT = """
amber azure black blue bronze brown copper coral crimson cyan gold green grey indigo ivory jade lemon lilac
lime mint olive orange pearl pink plum purple red ruby rust silver teal violet white yellow
"""
_ANIMALS_TEXT = """
ant badger bat bear beaver bee bison boar camel cat crab crane crow deer dolphin dove duck eagle eel elk
falcon ferret finch fox frog gecko goat goose hare hawk hedgehog heron horse ibex jay kiwi koala lark lion
lizard llama lynx magpie mole moose moth mouse newt octopus orca otter owl panda pigeon puffin quail rabbit
raven robin salmon seal shrew sloth snail sparrow squid stork swan tiger toad trout turtle walrus wasp weasel
whale wolf wombat wren yak zebra
"""
_COLOURS, _ANIMALS = _COLOURS_TEXT.split(), _ANIMALS_TEXT.split()


def check_account_name(name: str) -> str:
    """Return `name` where an account may bear it.

    Raises:
        RefusalError: it is empty, too long or has other characters than letters, digits and . _ @ + -
    """
    if not _ACCOUNT.fullmatch(name):
        raise bad_request(
            "account name: give 1 to 64 letters (a to z), digits or . _ @ + -, the first a letter or a digit"
        )
    return name


def check_text(text: str, what: str, length: int = TEAM_LENGTH) -> str:
    """Return `text` in Unicode's composed form, with single blanks, where it can be shown on one line.

    Characters that are drawn as nothing are left out.

    Raises:
        RefusalError: it is empty, longer than `length` characters, or has a character that is not visible.
    """
    composed = unicodedata.normalize("NFC", "".join(sign for sign in text if not _is_blank(sign)))
    clean = " ".join(composed.split())
    # Control and format characters (a change of writing direction) and what is assigned to nothing could disguise it.
    if not clean or len(clean) > length or any(unicodedata.category(sign) in _UNSEEN for sign in clean):
        raise bad_request(f"{what}: give 1 to {length} visible characters")
    if len(key(clean)) > _LONGEST_KEY:
        raise bad_request(f"{what}: some of its characters stand for whole words; write it with plain letters")
    return clean


def check_name(text: str, what: str, length: int = TEAM_LENGTH) -> str:
    """Return `text` as `check_text` does, where it can also be told from other names by eye.

    Raises:
        RefusalError: what `check_text` refuses, no letter or digit, or Latin letters among Greek or Cyrillic ones.
    """
    clean = check_text(text, what, length)
    if not any(unicodedata.category(sign)[0] in "LN" for sign in clean):
        raise bad_request(f"{what}: give it at least one letter or digit")
    scripts = {unicodedata.name(sign, "").partition(" ")[0] for sign in unicodedata.normalize("NFKC", clean)}
    if "LATIN" in scripts and scripts & {"GREEK", "CYRILLIC"}:
        raise bad_request(f"{what}: it mixes Latin letters with Greek or Cyrillic ones that look alike; use one kind")
    return clean


_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_LONGEST_KEY = 400
"""What the database's columns take: some single characters stand for a whole phrase, and grow in a key."""


def _is_blank(sign: str) -> bool:
    """Return whether `sign` is drawn as nothing, though it counts as a letter or a mark.

    Those of Default_Ignorable_Code_Point (Unicode's DerivedCoreProperties) that are not control or format characters,
    and the empty pattern of Braille.
    """
    code = ord(sign)
    return any(first <= code <= last for first, last in _BLANKS)


_BLANKS = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xE0100, 0xE01EF),
)


def key(name: str) -> str:
    """Return what two names share that look the same: width, case and composition do not count.

    What no name has, and PostgreSQL cannot hold, goes: NUL and halves of characters.
    """
    name = "".join(sign for sign in name if sign != "\0" and not _is_blank(sign)).encode(errors="replace").decode()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def draw_pseudonym(known: set[str]) -> str:
    """Return a pseudonym that is not in `known`, drawn at random, so that it tells nothing about the team."""
    while True:
        name = f"{secrets.choice(_COLOURS)} {secrets.choice(_ANIMALS)}"
        if name in known:
            name = f"{name} {secrets.randbelow(900) + 100}"
        if name not in known:
            return name
