"""Why TermService does not start or does not stay up, as Windows itself tells it."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.guest import TERM_SERVICE, GuestFacts
from rdp_remediate.facts.need import UnseenError, need
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable
from rdp_remediate.models.guest import LoggedEvent, Service
from rdp_remediate.models.guest_remote_desktop import RemoteDesktopSection
from rdp_remediate.models.report import Effect

DEFAULT_ACCOUNT = r"NT AUTHORITY\NetworkService"
NETWORK_SERVICE_SID = "S-1-5-20"
DEFAULT_DEPENDENCY = "RPCSS"
SERVICE_DLL = r"SVC\TermService\Parameters\ServiceDll"
TAMPERED = "HashMismatch"

_MANAGER = "Service Control Manager"
_ACCESS_DENIED = 5
_ABORTED = (1053, 1067, 1070)
"""The service did not answer, its process ended, it hung on starting: no other fault of ours ends so."""

_EXPLAINED = (0, 1058, 1068, 1069, 1075, 1077, 1079)
"""Stopped in order, disabled, a dependency, the account, or never started since boot: told by what is set now."""

_LATELY = timedelta(hours=1)
_FLAPS = 3
_FLAPS_WITHIN = timedelta(hours=24)
_OWN_DLL = re.compile(r"(%systemroot%|%windir%|[a-z]:\\windows)\\system32\\termsrv\.dll", re.IGNORECASE)


@dataclass(frozen=True)
class Obstacle:
    """What keeps TermService from starting or from staying up.

    Attributes:
        fault: The row of the catalogue.
        why: One sentence.
        evidence: What shows it.
        certain: False where another reason is possible.
    """

    fault: str
    why: str
    evidence: dict[str, Any] = field(default_factory=dict)
    certain: bool = True


def obstacle(facts: Facts) -> Obstacle | None:
    """What keeps TermService from starting, or None; of a running service also what will at its next start.

    Raises:
        UnseenError: What decides it could not be read.
    """
    service = need(facts.guest.service(TERM_SERVICE))
    if service is None:
        return None
    return (
        _account(facts.guest, service)
        or _dependency(facts.guest, service)
        or _access(service)
        or _hang_or_crash(facts, service)
    )


def remote_desktop_item(guest: GuestFacts, item: str) -> RemoteDesktopSection:
    """The section remote_desktop, if that item of it could be read.

    Raises:
        UnseenError: The section or the item could not be read.
    """
    section = need(guest.remote_desktop)
    if f"remote_desktop.{item}" in guest.items:
        raise UnseenError(guest.items[f"remote_desktop.{item}"])
    return section


def is_own_dll(path: str) -> bool:
    r"""Whether a ServiceDll is System32\termsrv.dll of a Windows folder of the usual name."""
    return _OWN_DLL.fullmatch(path.strip().strip('"')) is not None


def service_dll(guest: GuestFacts) -> Fact[str]:
    """The DLL that TermService loads."""
    fact = guest.registry_value(SERVICE_DLL)
    if isinstance(fact, Unavailable):
        return fact
    if not isinstance(fact.value, str) or not fact.value.strip():
        return Unavailable(Reason.MALFORMED, f"ServiceDll of TermService is {fact.value!r}"[:200], fact.source)
    return Observed(fact.value.strip(), fact.source, fact.at)


def effect_on_certificate(facts: Facts) -> Effect:
    """What it means that no certificate can be made: TLS cannot be offered if there is none, else only its renewal fails."""
    certificate = facts.guest.certificate
    if isinstance(certificate, Unavailable) or certificate.value.bound_thumbprint is not None:
        return Effect.DEGRADES
    layers = [facts.guest.registry_number(rf"{key}\SecurityLayer") for key in ("POL", "RT")]
    set_to = [layer.value for layer in layers if not isinstance(layer, Unavailable) and layer.value is not None]
    return Effect.DEGRADES if set_to[:1] == [0] else Effect.BLOCKS


def _account(guest: GuestFacts, service: Service) -> Obstacle | None:
    account = service.account
    if account is None:
        source = f"guest.services.{TERM_SERVICE}"
        raise UnseenError(Unavailable(Reason.MALFORMED, "TermService has no account in the guest's answer", source))
    if account.lower() in (DEFAULT_ACCOUNT.lower(), r"nt authority\network service"):
        return None
    sid = remote_desktop_item(guest, "account_sid").account_sid
    if sid is None:
        source = "guest.remote_desktop.account_sid"
        raise UnseenError(Unavailable(Reason.NOT_COLLECTED, f"who {account} is was not told", source))
    if sid == NETWORK_SERVICE_SID:
        return None
    return Obstacle(
        "termservice-wrong-account",
        f"TermService is set to run as {account} instead of {DEFAULT_ACCOUNT}.",
        {"account": account, "default_account": DEFAULT_ACCOUNT, "exit_code": service.exit_code},
    )


def _dependency(guest: GuestFacts, service: Service) -> Obstacle | None:
    evidence: dict[str, Any] = {"depends_on": ", ".join(service.depends_on), "exit_code": service.exit_code}
    others = [name for name in service.depends_on if name.lower() != DEFAULT_DEPENDENCY.lower() and name[:1] != "+"]
    if others:
        missing = remote_desktop_item(guest, "missing_dependencies").missing_dependencies
        if missing:
            return Obstacle(
                "termservice-dependency-failed",
                f"TermService depends on {', '.join(missing)}, which is not installed.",
                {**evidence, "missing": ", ".join(missing)},
            )
    for name in dict.fromkeys((*service.depends_on, "RpcSs", "RpcEptMapper", "DcomLaunch")):
        known = guest.service(name)
        if isinstance(known, Unavailable):
            # A service outside the table; what is not installed was told above. RPC itself carries the collector's questions.
            if known.reason is Reason.NOT_COLLECTED and name.lower() != DEFAULT_DEPENDENCY.lower():
                continue
            raise UnseenError(known)
        one = known.value
        if one is None or (one.start_type == "Disabled" and one.state != "Running"):
            what = "is not installed" if one is None else "is disabled"
            return Obstacle(
                "termservice-dependency-failed",
                f"TermService needs the service {name}, which {what}.",
                {**evidence, "missing": name},
            )
    if others and service.state == "Stopped" and service.exit_code == 1068:
        return Obstacle(
            "termservice-dependency-failed",
            f"TermService depends on {', '.join(others)} beside {DEFAULT_DEPENDENCY}, and its start failed for a dependency.",
            {**evidence, "missing": ", ".join(others)},
            certain=False,
        )
    return None


def _access(service: Service) -> Obstacle | None:
    if service.state != "Stopped" or service.exit_code != _ACCESS_DENIED:
        return None
    return Obstacle(
        "termservice-access-denied",
        "The last start of TermService ended with error 5: access is denied to a file or registry key.",
        {"exit_code": service.exit_code},
    )


def _hang_or_crash(facts: Facts, service: Service) -> Obstacle | None:
    evidence: dict[str, Any] = {"state": service.state, "exit_code": service.exit_code, "pid": service.pid}
    if service.state in ("StartPending", "StopPending"):
        late = [e for e in _named(facts.guest, 7009, 7011, 7022) if facts.at - e.at <= _LATELY]
        if not late:
            return None
        return Obstacle(
            "termservice-hang-or-crash",
            f"TermService hangs in {service.state}; Windows waited for it in vain (event {late[-1].id}).",
            {**evidence, "event": late[-1].id},
        )
    if service.state == "Running":
        ends = [e for e in _named(facts.guest, 7031, 7034) if facts.at - e.at <= _FLAPS_WITHIN]
        count = sum(e.count for e in ends)
        if count < _FLAPS:
            return None
        return Obstacle(
            "termservice-hang-or-crash",
            f"TermService runs, but ended unexpectedly {count} times in 24 hours.",
            {**evidence, "event": ends[-1].id, "ends": count},
        )
    if service.state != "Stopped" or service.exit_code in _EXPLAINED:
        return None
    if service.exit_code in _ABORTED:
        return Obstacle(
            "termservice-hang-or-crash",
            f"TermService ended with error {service.exit_code}: it crashed or did not answer when it was started.",
            evidence,
        )
    ended = [e for e in _named(facts.guest, 7022, 7023, 7024, 7031, 7034) if _fits(e, service.exit_code)]
    if not ended:
        return None
    return Obstacle(
        "termservice-hang-or-crash",
        f"TermService ended with error {service.exit_code} (event {ended[-1].id}).",
        {**evidence, "event": ended[-1].id},
    )


def _fits(event: LoggedEvent, exit_code: int) -> bool:
    """Event 7023 tells the error, as %%126; the others tell none or the service's own."""
    return event.id != 7023 or f"%%{exit_code}" in event.data


def _named(guest: GuestFacts, *ids: int) -> list[LoggedEvent]:
    """Events of the Service Control Manager about TermService, which they call by its name or as it is displayed."""
    logged = need(guest.logged(_MANAGER, *ids))
    if not logged:
        return []
    shown = remote_desktop_item(guest, "display_name").display_name or "Remote Desktop Services"
    names = {TERM_SERVICE.lower(), shown.lower()}
    return [event for event in logged if names & {text.lower() for text in event.data}]
