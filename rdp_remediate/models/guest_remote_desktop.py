"""The section remote_desktop of the guest's answer: what decides Remote Desktop beside the listed registry values."""

from pydantic import Field

from rdp_remediate.models.base import Document


class LimitDrops(Document):
    """Sessions that a time limit has ended in the last seven days (LocalSessionManager event 40)."""

    idle: int = Field(description="reason 3")
    time: int = Field(description="reason 4")


class Licensing(Document):
    """How a Remote Desktop Session Host is licensed (Win32_TerminalServiceSetting)."""

    mode: int = Field(description="LicensingType: 2 per device, 4 per user, 5 not configured")
    grace_days: int = Field(description="GetGracePeriodDays.DaysLeft")
    servers: dict[str, str] = Field(
        description="the license servers that are set, with what TCP port 135 did: open, refused, timeout, unreachable, error, "
        "not_tried"
    )


class RemoteDesktopSection(Document):
    """Only what is not usual is told; an item that could not be read is `remote_desktop.<item>` in `unavailable`."""

    session_host: bool | None = Field(
        default=None,
        description="Win32_TerminalServiceSetting.TerminalServerMode 1: the role RD Session Host is installed",
    )
    file_signature: str | None = Field(
        default=None, description="Get-AuthenticodeSignature of termsrv.dll where it is not Valid"
    )
    display_name: str | None = Field(
        default=None, description="how events name TermService where it is not Remote Desktop Services"
    )
    missing_dependencies: list[str] = Field(
        default=[], description="what TermService depends on and is not installed, four at most"
    )
    account_sid: str | None = Field(
        default=None, description="who TermService's account is where its name is not the default one; none: nobody"
    )
    listener_adapter: str | None = Field(
        default=None, description="state of the adapter that RT\\LanAdapter chooses (Up, Disabled, …), or missing"
    )
    port_services: list[str] = Field(
        default=[], description="services in the process that has the RDP port although it is not TermService's"
    )
    licensing: Licensing | None = Field(default=None, description="only of a host with the role RD Session Host")
    memory: int | None = Field(
        default=None, description="megabytes of the working set of TermService's process, from 1024 on"
    )
    policy_owned: list[str] = Field(
        default=[],
        description="settings of Win32_TerminalServiceSetting and Win32_TSGeneralSetting whose PolicySource is 1: a group policy",
    )
    limit_drops: LimitDrops | None = Field(default=None, description="only where an idle or time limit is set")
