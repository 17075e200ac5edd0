"""Passwords, tokens and codes: what is stored tells none of them.

Passwords are hashed with argon2id (19 MiB, 2 passes: OWASP's password storage guidance); the server does few at a time
(`web.app`), so that a class signing in at once does not take the machine's memory. Tokens and codes are random and
long, so that one SHA-256 protects them.
"""

import hashlib
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from thumbnet.challenge.refusals import bad_request

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 200
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Verified where there is no account, so that the time of a refusal does not tell whether there is one.
_NOBODYS = _HASHER.hash(secrets.token_urlsafe(16))
_CODE_ALPHABET = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_CODE_LENGTH = 16


def hash_password(password: str) -> str:
    """Return the argon2id hash of `password`.

    Raises:
        RefusalError: it is too short or too long.
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise bad_request(f"password: give {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters")
    return _HASHER.hash(password.encode(errors="surrogatepass"))


def verify_password(password: str, stored: str | None) -> bool:
    """Return whether `password` is that of the hash `stored`, in the same time where there is no such hash."""
    try:
        _HASHER.verify(stored or _NOBODYS, password.encode(errors="surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def new_token() -> str:
    """Return a new token of 256 random bits."""
    return f"tn_{secrets.token_urlsafe(32)}"


def new_code() -> str:
    """Return a new code of 78 random bits for people to type, as 'ABCD-EFGH-JKMN-PQRS'."""
    signs = "".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH))
    return "-".join(signs[start : start + 4] for start in range(0, _CODE_LENGTH, 4))


def digest(secret: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def code_digest(code: str) -> str:
    """Return what is stored of a code; blanks, dashes and case do not count."""
    return digest("".join(sign for sign in code.upper() if sign.isalnum()))
