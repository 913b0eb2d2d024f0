"""The guest's answer about sign-ins and accounts: how many failed, how the asked account stands, the way to its domain.

Only the account that was asked about is told of; everybody else's attempts are numbers.
"""

from pydantic import Field

from rdp_remediate.models.base import Document, UtcTime


class SignInFailure(Document):
    """Failed sign-ins (Security 4625) of the asked account that are alike."""

    status: str = Field(description="NTSTATUS as eight digits of hex, such as C000006D; 0: none")
    sub_status: str = "0"
    type: int = Field(description="3 network, which is NLA's stage; 10 a Remote Desktop session; 7 one taken up again")
    address: str = Field(description="the source address as Windows logged it; - or empty: not told")
    count: int
    last: UtcTime


class EntraRefusal(Document):
    """An error that Microsoft Entra ID answered to this computer."""

    code: str = Field(description="the number of AADSTS, such as 53003")
    last: UtcTime


class AskedSignIns(Document):
    """What the asked account tried in the last 24 hours; the newest kinds of failures, and the newest of everything else."""

    failures: list[SignInFailure] = []
    signed_in: UtcTime | None = Field(default=None, description="4624 of type 10 or 7: a desktop was opened")
    authenticated: UtcTime | None = Field(
        default=None, description="4624 of type 3, or 1149: NLA accepted the password"
    )
    locked_out: UtcTime | None = Field(default=None, description="4740")
    denied: UtcTime | None = Field(default=None, description="4825: not entitled to Remote Desktop")
    entra: list[EntraRefusal] = []


class SignInSection(Document):
    """Failed sign-ins (Security 4625) in the last `window_s` seconds, and who they came from."""

    window_s: int
    failed: int
    sources: int = Field(description="distinct source addresses")
    not_guessed: int = Field(
        default=0, description="of the failed: for another reason than a wrong name, a wrong password or a lockout"
    )
    asked: AskedSignIns | None = Field(default=None, description="null: nobody was asked about")


class AskedAccount(Document):
    """The account that was asked about, as this computer knows it. What is left out is as usual."""

    local: bool | None = Field(default=None, description="null: of a domain or of Entra, so not looked for here")
    sid: str | None = None
    disabled: bool = False
    locked: bool = False
    expired: UtcTime | None = Field(default=None, description="since when; null: not expired")
    password_expired: bool = False
    must_change: bool = Field(default=False, description="Windows knows no time at which the password was set")
    limited_hours: bool = Field(default=False, description="looked for only where Windows gave it as the reason")
    limited_workstations: bool = False
    groups: list[str] = Field(
        default=[], description="of Administrators and Remote Desktop Users, with `rights` of all groups: SIDs"
    )
    temporary_profile: UtcTime | None = Field(
        default=None, description="the last temporary profile, where the profile's key was put aside as <SID>.bak"
    )
    rights: dict[str, list[str]] | None = Field(
        default=None,
        description="who holds the four rights of a sign-in: SIDs or names, a right without holders left out; null: not asked",
    )


class AccountsSection(Document):
    """The asked account, and what every account of a domain or of Entra needs."""

    asked: AskedAccount | None = Field(default=None, description="null: nobody was asked about")
    controller_error: int = Field(default=0, description="Windows' error with which no domain controller was found")
    channel_error: int = Field(default=0, description="Windows' error of the secure channel; 0: it stands")
    offset_s: int = Field(
        default=0, description="seconds that this clock is behind the domain controller's; under a minute: 0"
    )
    entra_joined: bool = False
    certificate_store_acl: str | None = Field(
        default=None, description="SDDL of the RDP certificates' registry key where no group of users may read it"
    )
