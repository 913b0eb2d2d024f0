"""Start Netlogon on a member of a domain."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Refused, Yielded, fix
from rdp_remediate.fixes.service_steps import service_steps
from rdp_remediate.models.report import Finding


@fix(faults=("netlogon-not-running",), layer="guest", order=22, permissions=RUN_COMMAND, closed_by=("service",))
def start_netlogon(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Start Netlogon, with the start type that a member of a domain has.

    Changes: the start type of Netlogon from Disabled or Manual to Auto; the state of LanmanWorkstation, which it needs, and of
        Netlogon to Running.
    Undo: stops them and puts the recorded start type back.
    Refuses when: a service is not installed, or LanmanWorkstation is disabled.
    """
    del findings
    netlogon, workstation = need(facts.guest.service("Netlogon")), need(facts.guest.service("LanmanWorkstation"))
    if netlogon is None or workstation is None:
        yield Refused("not_installed", "Netlogon or LanmanWorkstation is not installed.", "the owner of the image")
        return
    if workstation.state != "Running":
        if workstation.start_type == "Disabled":
            yield Refused(
                "by_hand",
                "LanmanWorkstation, which Netlogon needs, is disabled: find out by whom, enable it, then start Netlogon.",
                "the owner of the VM",
            )
            return
        needed = "Start LanmanWorkstation, which Netlogon needs"
        yield from service_steps("LanmanWorkstation", workstation, "Auto", changes=(), start_title=needed)
    yield from service_steps(
        "Netlogon", netlogon, "Auto", changes=("Disabled", "Manual"), because=", as on every member of a domain"
    )
