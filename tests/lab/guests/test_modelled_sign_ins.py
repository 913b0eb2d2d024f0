"""The modelled guest tells the sign-ins of the asked user as the executed collector does."""

import pytest

from rdp_remediate.guest.scripts import collect_script
from rdp_remediate.lab.guests.modelled import ModelledGuest
from tests.guest.test_collect_accounts import event, failure, success
from tests.lab.guests.cases import Op
from tests.lab.guests.parity import decoded, executed_state, modelled_state, request
from tests.lab.guests.winps_guest import winps_guest

RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational"
AAD = "Microsoft-Windows-AAD/Operational"
STORM = [failure("opsuser", "0xc000006d", "0xc0000064", at=f"09:5{n}:30", ip=f"198.51.100.{n}") for n in range(8)]
EVENTS: list[Op] = [
    failure("OPSUSER", "0xc0000234", at="09:20:00"),
    failure("opsuser", "0xc000015b", at="09:58:00", kind="10"),
    failure("somebody", "0xc0000193", at="09:59:00"),
    *STORM,
    success("opsuser", "08:00:00"),
    success("opsuser", "08:30:00", "3"),
    success("somebody", "09:00:00"),
    event(1149, "09:10:00", RCM, Param1="opsuser", Param2="RDPVM01", Param3="203.0.113.7"),
    event(4740, "09:21:00", TargetUserName="opsuser", TargetDomainName="CLIENT01", TargetSid="S-1-5-21-1-2-3-1004"),
    event(4825, "09:58:00", AccountName="opsuser", AccountDomain="RDPVM01", LogonID="0x1", ClientAddress="203.0.113.7"),
    event(1081, "09:51:00", AAD, Error="x", ErrorDescription="AADSTS53003: blocked"),
    event(1098, "09:52:00", AAD, Error="x", ErrorDescription="AADSTS50076: again"),
]


@pytest.mark.parametrize(
    "user", [None, "opsuser", ".\\OpsUser", "RDPVM01\\opsuser", "OTHER\\opsuser", "AzureAD\\mia@contoso.com"]
)
async def test_sign_ins_are_told_alike(user: str | None) -> None:
    asked = request(user=user)
    modelled = await ModelledGuest().run_script(
        modelled_state("server2022", EVENTS), collect_script(), asked, timeout_s=60
    )
    async with winps_guest() as winps:
        executed = await winps.run_script(executed_state("server2022", EVENTS), collect_script(), asked, timeout_s=60)
    told = decoded(modelled)
    assert told["sign_ins"] == decoded(executed)["sign_ins"]
    assert ("accounts.asked" in [one["fact"] for one in told["unavailable"]]) is (user is not None)
