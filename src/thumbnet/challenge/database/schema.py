"""The tables. Times are milliseconds since 1970; digests are SHA-256 in hexadecimal; secrets are stored as digests."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

challenge = Table(
    "challenge",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    # Raised with every write that the board shows. Its row is the lock under which the ledger grows.
    Column("change", BigInteger, nullable=False),
    Column("phase", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    # Drawn at the first start; the folder of the stored files holds it too, so that the two cannot be mixed up.
    Column("identity", String(64), nullable=False),
    Column("public_fraction", Float, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="single"),
)

label_versions = Table(
    "label_versions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("made_at", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("note", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

teams = Table(
    "teams",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("name_key", String(400), nullable=False, unique=True),
    Column("pseudonym", String(60), nullable=False, unique=True),
    Column("code_digest", String(64), unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("next_allowed_at", BigInteger, nullable=False, server_default="0"),
    Column("last_taken_at", BigInteger, nullable=False, server_default="0"),
    Column("invalid_since", BigInteger, nullable=False, server_default="0"),
    Column("invalid_count", Integer, nullable=False, server_default="0"),
    Column("members", Integer, nullable=False, server_default="0"),
    # Whether the roster named it, and so decides who is in it.
    Column("from_roster", Boolean, nullable=False, server_default=false()),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False),
    Column("name_key", String(128), nullable=False, unique=True),
    Column("password_hash", String(200)),
    Column("role", String(16), nullable=False),
    Column("team_id", ForeignKey("teams.id"), index=True),
    Column("person", String(200), nullable=False),
    Column("person_id", String(200), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

invites = Table(
    "invites",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code_digest", String(64), nullable=False, unique=True),
    Column("person", String(200), nullable=False),
    Column("person_id", String(200), nullable=False),
    # What tells the person from others: the id, where the roster gives one, else the name.
    Column("id_key", String(400), unique=True),
    Column("name_key", String(400), nullable=False),
    Column("team_id", ForeignKey("teams.id")),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("account_id", ForeignKey("accounts.id")),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("label", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
)

throttle = Table(
    "throttle",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
)

submissions = Table(
    "submissions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("team_id", ForeignKey("teams.id"), nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    # Of the classes stated, in the order of the images: the same answers in another file are the same submission.
    Column("answers", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    UniqueConstraint("team_id", "answers"),
    Index(None, "digest"),
    Index(None, "answers"),
)

scores = Table(
    "scores",
    metadata,
    Column("submission_id", ForeignKey("submissions.id"), primary_key=True),
    Column("version", ForeignKey("label_versions.number"), primary_key=True),
    Column("public_correct", Integer, nullable=False),
    Column("private_correct", Integer, nullable=False),
    # Whether each image is right, packed to bits in the order of the images.
    Column("right", LargeBinary, nullable=False),
)

ledger = Table(
    "ledger",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    # Of an entry that logs no submission (labels, a turn that an admin gave), nothing.
    Column("submission_id", ForeignKey("submissions.id"), unique=True),
    Column("entry", Text, nullable=False),
    Column("entry_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
