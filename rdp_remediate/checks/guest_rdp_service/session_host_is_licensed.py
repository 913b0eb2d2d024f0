"""May a Remote Desktop Session Host give its users licenses?"""

from typing import Any

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.facts.session_host import is_avd_session_host, is_session_host
from rdp_remediate.facts.term_service import remote_desktop_item
from rdp_remediate.models.fact import Reason
from rdp_remediate.models.guest_remote_desktop import Licensing
from rdp_remediate.models.report import Confidence, Effect, Hop

PER_DEVICE, PER_USER = 2, 4
_NAMES = {PER_DEVICE: "per device", PER_USER: "per user"}
_ANSWERS = ("open", "not_tried")


@check(
    hop=Hop.GUEST_RDP_SERVICE,
    faults=("rds-license-grace-expired", "rds-license-misconfigured"),
    requires=("vm_is_running",),
)
def session_host_is_licensed(facts: Facts) -> Outcome:
    """A Remote Desktop Session Host has a licensing mode that fits it and a license server that answers.

    Why: without them users are let in only while the grace period lasts; then they read that no Remote Desktop License Servers
        are available. The two sessions of `mstsc /admin` need no license and go on.
    Evidence: LicensingType, GetGracePeriodDays and GetSpecifiedLicenseServerList of Win32_TerminalServiceSetting (2 per device,
        4 per user, 5 not configured); TCP port 135 of the license servers, tried from the host; the domain it belongs to.
    By hand:
        * rds-license-grace-expired: connect with `mstsc /admin`. Then either name the license server and the mode for which
          licenses were bought (Group Policy, Remote Desktop Session Host, Licensing), or remove the role
          RDS-RD-Server if two sessions for administration are enough, which restarts the server. Never delete the key
          GracePeriod.
        * rds-license-misconfigured: <advice> The licenses that were bought decide the mode; ask their owner. RD Licensing
          Diagnoser (lsdiag.msc) shows what the host thinks of its server. The host restarts afterwards.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-no-license-server
    """
    if not is_session_host(facts.guest):
        return passed("two sessions for administration need no license")
    sign = is_avd_session_host(need(facts.vm), facts.guest)
    if sign is not None:
        return passed(f"an Azure Virtual Desktop host needs no license server ({sign})")
    seen = remote_desktop_item(facts.guest, "licensing").licensing
    if seen is None:
        raise UnseenError(facts.guest.not_told("licensing", "guest.remote_desktop.licensing"))
    evidence: dict[str, Any] = {
        "mode": _NAMES.get(seen.mode, "not configured"),
        "grace_days": seen.grace_days,
        "servers": ", ".join(f"{name} ({word})" for name, word in sorted(seen.servers.items())) or "none",
    }
    if seen.mode not in _NAMES or not seen.servers:
        return _not_set_up(seen, evidence)
    if seen.mode == PER_USER and not need(facts.guest.os).part_of_domain:
        return failed(
            "rds-license-misconfigured",
            "The host is licensed per user, and a server that is in no domain gets no such license.",
            Effect.BLOCKS if seen.grace_days == 0 else Effect.RISK,
            advice="A server outside a domain needs the mode per device.",
            **evidence,
        )
    if not any(word in _ANSWERS for word in seen.servers.values()):
        return failed(
            "rds-license-misconfigured",
            f"No license server accepts a connection on port 135: {evidence['servers']}.",
            Effect.BLOCKS if seen.grace_days == 0 else Effect.RISK,
            Confidence.LIKELY,
            advice="Let the host reach the license server over RPC (TCP 135 and the dynamic ports), or name another one.",
            **evidence,
        )
    if "open" not in seen.servers.values():
        return unknown("Whether a license server answers was not tried.", Reason.NOT_SUPPORTED, **evidence)
    return passed(f"licensed {_NAMES[seen.mode]}; license servers: {evidence['servers']}")


def _not_set_up(seen: Licensing, evidence: dict[str, Any]) -> Outcome:
    what = "no licensing mode" if seen.mode not in _NAMES else "no license server"
    if seen.grace_days == 0 and not seen.servers:
        return failed(
            "rds-license-grace-expired",
            f"The session host has {what} and no day of grace left: users are refused, `mstsc /admin` works.",
            **evidence,
        )
    if seen.grace_days == 0:
        return failed(
            "rds-license-misconfigured",
            "The session host knows a license server, but has no licensing mode and no day of grace left.",
            advice="Set the licensing mode.",
            **evidence,
        )
    return failed(
        "rds-license-misconfigured",
        f"The session host has {what}; in {seen.grace_days} days users will be refused.",
        Effect.RISK,
        advice="Name the license server and set the mode before the grace period ends.",
        **evidence,
    )
