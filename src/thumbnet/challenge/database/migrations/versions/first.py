"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SQLITE_GUARD = """
CREATE TRIGGER ledger_no_{what} BEFORE {what} ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END
"""
_SQLITE_ORDER = """
CREATE TRIGGER ledger_in_order BEFORE INSERT ON ledger
WHEN NEW.sequence <> (SELECT COALESCE(MAX(sequence), -1) + 1 FROM ledger)
BEGIN SELECT RAISE(ABORT, 'the ledger grows at its end alone'); END
"""
_POSTGRESQL_GUARD = (
    """
CREATE FUNCTION ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger only grows'; END $$
""",
    """
CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
FOR EACH STATEMENT EXECUTE FUNCTION ledger_only_grows()
""",
    """
CREATE FUNCTION ledger_in_order() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
IF NEW.sequence <> (SELECT COALESCE(MAX(sequence), -1) + 1 FROM ledger) THEN
RAISE EXCEPTION 'the ledger grows at its end alone'; END IF;
RETURN NEW; END $$
""",
    """
CREATE TRIGGER ledger_in_order BEFORE INSERT ON ledger
FOR EACH ROW EXECUTE FUNCTION ledger_in_order()
""",
)


def upgrade() -> None:
    """Make all tables."""
    _challenge()
    _people()
    _secrets()
    _submissions()
    _ledger()


def _challenge() -> None:
    op.create_table(
        "challenge",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("change", sa.BigInteger, nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("public_fraction", sa.Float, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_challenge")),
        sa.CheckConstraint("id = 1", name=op.f("ck_challenge_single")),
    )
    op.create_table(
        "label_versions",
        sa.Column("number", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_label_versions")),
    )


def _people() -> None:
    op.create_table(
        "teams",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("name_key", sa.String(400), nullable=False),
        sa.Column("pseudonym", sa.String(60), nullable=False),
        sa.Column("code_digest", sa.String(64)),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("next_allowed_at", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("last_taken_at", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("invalid_since", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("invalid_count", sa.Integer, nullable=False, server_default="0"),
        sa.Column("members", sa.Integer, nullable=False, server_default="0"),
        sa.Column("from_roster", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("name_key", name=op.f("uq_teams_name_key")),
        sa.UniqueConstraint("pseudonym", name=op.f("uq_teams_pseudonym")),
        sa.UniqueConstraint("code_digest", name=op.f("uq_teams_code_digest")),
    )
    op.create_table(
        "accounts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(128), nullable=False),
        sa.Column("password_hash", sa.String(200)),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("team_id", sa.Integer),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("person_id", sa.String(200), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name_key", name=op.f("uq_accounts_name_key")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_accounts_team_id")),
    )
    op.create_index(op.f("ix_accounts_team_id"), "accounts", ["team_id"])


def _secrets() -> None:
    op.create_table(
        "invites",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("code_digest", sa.String(64), nullable=False),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("person_id", sa.String(200), nullable=False),
        sa.Column("id_key", sa.String(400)),
        sa.Column("name_key", sa.String(400), nullable=False),
        sa.Column("team_id", sa.Integer),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("used_at", sa.BigInteger),
        sa.Column("account_id", sa.Integer),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invites")),
        sa.UniqueConstraint("code_digest", name=op.f("uq_invites_code_digest")),
        sa.UniqueConstraint("id_key", name=op.f("uq_invites_id_key")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_invites_team_id")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_invites_account_id")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_tokens_account_id")),
    )
    op.create_index(op.f("ix_tokens_account_id"), "tokens", ["account_id"])
    op.create_table(
        "throttle",
        sa.Column("key", sa.String(300), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttle")),
    )


def _submissions() -> None:
    op.create_table(
        "submissions",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("team_id", sa.Integer, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("answers", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint("team_id", "answers", name=op.f("uq_submissions_team_id_answers")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_submissions_team_id")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_submissions_account_id")),
    )
    op.create_index(op.f("ix_submissions_digest"), "submissions", ["digest"])
    op.create_index(op.f("ix_submissions_answers"), "submissions", ["answers"])
    op.create_table(
        "scores",
        sa.Column("submission_id", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("public_correct", sa.Integer, nullable=False),
        sa.Column("private_correct", sa.Integer, nullable=False),
        sa.Column("right", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("submission_id", "version", name=op.f("pk_scores")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_scores_submission_id")),
        sa.ForeignKeyConstraint(["version"], ["label_versions.number"], name=op.f("fk_scores_version")),
    )


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("sequence", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("submission_id", sa.Integer),
        sa.Column("entry", sa.Text, nullable=False),
        sa.Column("entry_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_ledger")),
        sa.UniqueConstraint("submission_id", name=op.f("uq_ledger_submission_id")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name=op.f("fk_ledger_submission_id")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for what in ("update", "delete"):
            op.execute(_SQLITE_GUARD.format(what=what))
        op.execute(_SQLITE_ORDER)
    else:
        for statement in _POSTGRESQL_GUARD:
            op.execute(statement)
