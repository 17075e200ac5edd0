"""What the API takes and returns, as OpenAPI describes it. Accuracies are fractions, times ISO 8601 in UTC."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from thumbnet.challenge.people.names import ACCOUNT_PATTERN, TEAM_LENGTH
from thumbnet.challenge.people.secrets import LONGEST_PASSWORD, SHORTEST_PASSWORD

Password = Annotated[str, StringConstraints(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]
Text = Annotated[str, StringConstraints(max_length=200)]
TeamName = Annotated[str, StringConstraints(max_length=TEAM_LENGTH, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


CSV: dict[str, Any] = {"content": {"text/csv": {"schema": {"type": "string"}}}}
"""How a body that is CSV is described."""


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SignUp(_Given):
    """A new participant."""

    name: Annotated[str, StringConstraints(pattern=f"^{ACCOUNT_PATTERN}$")]
    password: Password
    code: Text = Field("", description="Invite code of the roster; needed unless sign-up is open.")
    team: TeamName = Field(
        "", description="Name of a new team; by default that of the roster, else the account's name."
    )
    team_code: Text = Field("", description="Code of a team that is there, from its members.")


class SignIn(_Given):
    """Who wants a session: an account with its password, or an API token."""

    name: Text = ""
    password: Text = ""
    token: Text = Field("", description="An API token, instead of name and password.")


class NewPassword(_Given):
    """Another password."""

    old: Text = Field("", description="The present one, where there is one.")
    new: Password


class NewToken(_Given):
    """An API token to make."""

    password: Text = Field("", description="Of the account, where it has one.")
    label: Annotated[
        str,
        StringConstraints(
            max_length=TEAM_LENGTH, pattern=r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x1f\x7f-\x9f]*$"
        ),
    ]


class Turn(_Given):
    """A team that may submit now."""

    team: TeamName = Field(description="Its name.")


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str = Field(description="A word for programs, such as 'cooldown'.")
    message: str = Field(description="One line for people: what is wrong and what to do.")
    line: int | None = Field(description="The line of the submission that is wrong, the first being 1.")
    retry_after: int | None = Field(description="Seconds after which to try again.")
    next_allowed: str | None = Field(description="When the team may submit again.")


class Error(BaseModel):
    """Every answer with a status of 400 or more."""

    error: ErrorDetail


class Accuracy(BaseModel):
    """Top-1 with its 95% Wilson interval."""

    top1: float | None
    interval: tuple[float, float] | None
    correct: int
    images: int


class About(BaseModel):
    """The challenge."""

    title: str
    phase: Literal["open", "closed", "revealed"]
    now: str
    closes_at: str | None
    images: int
    public_images: int
    classes: int
    cooldown_seconds: float
    max_bytes: int
    sign_up: Literal["invite", "open"]
    team_size: int
    board: Literal["open", "pseudonymous", "hidden"]
    version: int = Field(description="Number of the labels by which the board is scored.")


class Format(BaseModel):
    """What a submission has to name: all images, each with one of the classes."""

    images: list[str]
    classes: list[str]
    max_bytes: int


class AccountInfo(BaseModel):
    """An account."""

    name: str
    role: Literal["participant", "admin"]
    team: str | None


class TokenInfo(BaseModel):
    """An API token, without its secret."""

    id: int
    label: str
    created_at: str


class MadeToken(BaseModel):
    """A new API token; its secret is shown this one time."""

    token: str


class Code(BaseModel):
    """A code to give to others; it is shown this one time."""

    code: str


class TeamInfo(BaseModel):
    """The own team."""

    name: str
    pseudonym: str
    members: list[str]
    next_allowed: str | None = Field(description="When it may submit again; null for now.")
    rank: int | None = Field(description="Its place on the board; null where it has none or the board is hidden.")


class ReceiptEntry(BaseModel):
    """What the ledger says of a submission."""

    sequence: int
    submission: int
    team: int
    received_at: str
    file: str = Field(description="SHA-256 of the file.")
    size: int
    version: int = Field(description="Of the labels by which it was scored first.")
    nonce: str


class ReceiptInfo(BaseModel):
    """A proof that the submission is in the ledger; keep it."""

    entry: ReceiptEntry
    entry_hash: str
    previous: str
    hash: str


class LabelsEntry(BaseModel):
    """What the ledger says of a version of the labels."""

    sequence: int
    version: int
    labels: str = Field(description="SHA-256 of the labels with their division.")
    images: int
    made_at: str
    nonce: str


class LabelsReceipt(BaseModel):
    """A proof that the labels are those of the start, or were corrected where the ledger says so."""

    entry: LabelsEntry
    entry_hash: str
    previous: str
    hash: str


class SubmissionInfo(BaseModel):
    """A submission of the own team."""

    id: int
    received_at: str
    public: Accuracy
    private: Accuracy | None = Field(description="Null until the scores are revealed.")


class Submitted(BaseModel):
    """What became of a submission."""

    submission: SubmissionInfo
    is_new: bool = Field(description="False where the team had sent the same answers before; that costs nothing.")
    next_allowed: str = Field(description="When the team may submit again.")
    receipt: ReceiptInfo


class Row(Accuracy):
    """A team on the board."""

    rank: int
    team: str = Field(description="Its name or pseudonym, as the board's mode has it.")
    like_next: bool = Field(description="Whether chance alone could give the difference to the next row.")
    submissions: int
    received_at: str = Field(description="When its best submission came.")
    public_rank: int
    rank_change: int = Field(description="Places won since the public board.")
    public: Accuracy | None = Field(description="Its public score, where the private one ranks.")


class Board(BaseModel):
    """The scoreboard, best first."""

    mode: Literal["open", "pseudonymous", "hidden"]
    phase: Literal["open", "closed", "revealed"]
    version: int
    scored_on: Literal["all", "public", "private"]
    rows: Sequence[Row]


class FullRow(Row):
    """A team on the board, for admins."""

    pseudonym: str


class FullBoard(Board):
    """The scoreboard with all names, for admins."""

    rows: Sequence[FullRow]


class LinkInfo(BaseModel):
    """A link of the ledger's chain."""

    sequence: int
    entry_hash: str
    hash: str


class InviteInfo(BaseModel):
    """A person of the roster with their new code."""

    name: str
    id: str
    team: str
    code: str


class Invited(BaseModel):
    """New codes, shown this one time."""

    invites: list[InviteInfo]
    left_out: list[str] = Field(description="Who was invited before, and gets no new code.")


class PhaseInfo(BaseModel):
    """The phase of the challenge."""

    phase: Literal["open", "closed", "revealed"]


class TeamsRow(BaseModel):
    """A team, for admins."""

    name: str
    pseudonym: str
    members: list[str]
    next_allowed: str | None
