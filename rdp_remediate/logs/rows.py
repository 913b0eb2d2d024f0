"""What a row of each query holds: Azure's column names, with blanks and dashes as null."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from rdp_remediate.models.base import Document, UtcTime


def _text(value: object) -> object:
    """Windows writes what it does not know as "-" or "", and pads some names with a blank."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    return None if text in ("", "-") else text


Text = Annotated[str | None, BeforeValidator(_text)]


class SignInRow(Document):
    """One failed sign-in (event 4625) of table SecurityEvent.

    RDP with NLA fails as logon type 3, without as 10; then the address may be 0.0.0.0. The reason stands in SubStatus,
    or in Status when SubStatus is 0x0. https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityevent
    """

    time_generated: UtcTime = Field(alias="TimeGenerated")
    computer: Text = Field(alias="Computer")
    logon_type: int = Field(alias="LogonType")
    target_user_name: Text = Field(alias="TargetUserName")
    target_domain_name: Text = Field(alias="TargetDomainName")
    ip_address: Text = Field(alias="IpAddress")
    workstation_name: Text = Field(alias="WorkstationName")
    logon_process_name: Text = Field(alias="LogonProcessName")
    status: Text = Field(alias="Status")
    sub_status: Text = Field(alias="SubStatus")


class ReasonRow(Document):
    """Failed sign-ins of a week that have one reason, of table SecurityEvent."""

    reason: Text = Field(alias="Reason", description="NTSTATUS as Windows logs it, such as 0xc000006a")
    logon_type: int = Field(alias="LogonType")
    failures: int = Field(alias="Failures")
    sources: int = Field(alias="Sources")
    accounts: int = Field(alias="Accounts")
    first_at: UtcTime = Field(alias="FirstAt")
    last_at: UtcTime = Field(alias="LastAt")


class SignedInRow(Document):
    """One desktop that was opened (4624 of type 10) or taken up again (7), of table SecurityEvent."""

    time_generated: UtcTime = Field(alias="TimeGenerated")
    computer: Text = Field(alias="Computer")
    logon_type: int = Field(alias="LogonType")
    target_user_name: Text = Field(alias="TargetUserName")
    target_domain_name: Text = Field(alias="TargetDomainName")
    ip_address: Text = Field(alias="IpAddress")


class DeniedFlowRow(Document):
    """Flows to the RDP port that one rule denied, of table NTANetAnalytics (traffic analytics over VNet flow logs).

    https://learn.microsoft.com/azure/azure-monitor/reference/tables/ntanetanalytics
    """

    src_ip: Text = Field(alias="SrcIp", description="blank for flows from the Internet")
    src_public_ips: Text = Field(alias="SrcPublicIps", description='blocks of "ip|started|ended|..."')
    dest_ip: Text = Field(alias="DestIp")
    acl_group: Text = Field(alias="AclGroup")
    acl_rule: Text = Field(alias="AclRule")
    flow_type: Text = Field(alias="FlowType")
    flows: int = Field(alias="Flows")
    first_at: UtcTime = Field(alias="FirstAt")
    last_at: UtcTime = Field(alias="LastAt")


class GuestEventRow(Document):
    """One event of table Event, which data collection rules fill from Windows' logs."""

    time_generated: UtcTime = Field(alias="TimeGenerated")
    event_log: Text = Field(alias="EventLog")
    source: Text = Field(alias="Source")
    event_id: int = Field(alias="EventID")
    level: Text = Field(alias="EventLevelName")
    user_name: Text = Field(alias="UserName")
    description: Text = Field(alias="RenderedDescription", description="localised by Windows")


class HeartbeatRow(Document):
    """One monitoring agent and when it reported, of table Heartbeat."""

    category: Text = Field(alias="Category", description="the kind of agent")
    version: Text = Field(alias="Version")
    os_type: Text = Field(alias="OSType")
    computer_ip: Text = Field(alias="ComputerIP")
    beats: int = Field(alias="Beats")
    first_at: UtcTime = Field(alias="FirstAt")
    last_at: UtcTime = Field(alias="LastAt")


class AgentRow(Document):
    """What the monitoring agent said about itself, of table Operation."""

    time_generated: UtcTime = Field(alias="TimeGenerated")
    category: Text = Field(alias="OperationCategory")
    status: Text = Field(alias="OperationStatus")
    detail: Text = Field(alias="Detail")


class BruteForceRow(Document):
    """Guessed names and passwords of the last half hour, and whether the VM reports to this workspace at all."""

    seen: int = Field(alias="Seen")
    guesses: int = Field(alias="Guesses")
    sources: int = Field(alias="Sources")
    last_at: UtcTime | None = Field(alias="LastAt")
