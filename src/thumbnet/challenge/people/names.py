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

    Raises:
        RefusalError: it is empty, longer than `length` characters, or has a character that is not visible.
    """
    clean = " ".join(unicodedata.normalize("NFC", text).split())
    # Control and format characters (a change of writing direction) and what is assigned to nothing could disguise it.
    if not clean or len(clean) > length or any(unicodedata.category(sign) in _UNSEEN for sign in clean):
        raise bad_request(f"{what}: give 1 to {length} visible characters")
    return clean


_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def key(name: str) -> str:
    """Return what two names share that look the same: width, case and composition do not count.

    What no name has, and PostgreSQL cannot hold, goes: NUL and halves of characters.
    """
    name = name.replace("\0", "").encode(errors="replace").decode()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def draw_pseudonym(known: set[str]) -> str:
    """Return a pseudonym that is not in `known`, drawn at random, so that it tells nothing about the team."""
    while True:
        name = f"{secrets.choice(_COLOURS)} {secrets.choice(_ANIMALS)}"
        if name in known:
            name = f"{name} {secrets.randbelow(900) + 100}"
        if name not in known:
            return name
