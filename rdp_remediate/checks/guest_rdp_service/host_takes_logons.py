"""Have new logons been switched off on this host?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, by_design, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Hop

WIN_STATIONS_DISABLED = r"CV\Winlogon\WinStationsDisabled"
TS_USER_ENABLED = r"TS\TSUserEnabled"


@check(hop=Hop.GUEST_RDP_SERVICE, faults=("ts-user-logon-disabled",), requires=("vm_is_running",))
def host_takes_logons(facts: Facts) -> Outcome:
    r"""New logons are not switched off (TSUserEnabled and WinStationsDisabled are 0 or absent).

    Why: `change logon /disable` writes WinStationsDisabled=1, and Microsoft names TSUserEnabled=1 with the same effect: new
    sessions are refused. Somebody switched it, so it is never lifted unattended.
    Evidence: guest registry, TS\TSUserEnabled and Winlogon\WinStationsDisabled.
    By hand:
        * ts-user-logon-disabled: ask who switched new logons off; `change logon /enable` switches them on, and
          `Set-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server' TSUserEnabled 0`.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-general-error
    """
    user = need(facts.guest.registry_number(TS_USER_ENABLED))
    stations = need(facts.guest.registry_value(WIN_STATIONS_DISABLED))
    # Windows writes it as text; a number means the same.
    text = "0" if stations is None else str(stations).strip()
    names = [name for name, on in (("TSUserEnabled", user == 1), ("WinStationsDisabled", text == "1")) if on]
    if names:
        return by_design(
            "ts-user-logon-disabled",
            f"New logons are switched off ({' and '.join(names)} = 1): new sessions are refused.",
            values=", ".join(names),
            user_enabled=user,
            stations_disabled=None if stations is None else text,
        )
    if user not in (None, 0) or text not in ("0", ""):
        return unknown(
            f"TSUserEnabled is {user} and WinStationsDisabled is {text!r}, which is no known setting.", "guest.registry"
        )
    return passed("new logons are not switched off")
