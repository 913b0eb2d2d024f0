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
