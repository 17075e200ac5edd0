"""What keeps a challenge: checking it, backing it up, restoring it, and its grades."""

from thumbnet.challenge.keeping.backup import backup, restore
from thumbnet.challenge.keeping.export import grades
from thumbnet.challenge.keeping.verify import Verified, verify

__all__ = ["Verified", "backup", "grades", "restore", "verify"]
