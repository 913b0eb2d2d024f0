"""Is the VM's network adapter switched on in Windows?"""

from rdp_remediate.checks.check import check
from rdp_remediate.checks.outcome import Outcome, failed, passed, unknown
from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.models.report import Effect, Hop
from rdp_remediate.network.guest_addresses import holds_private_address


@check(
    hop=Hop.GUEST_NETWORK,
    faults=("nic-disabled", "netvsc-driver-bad"),
    requires=("network_store_service_runs",),
)
def network_adapter_is_enabled(facts: Facts) -> Outcome:
    """The VM's network adapter is enabled in Windows and has a link.

    Why: a disabled adapter, or one whose driver does not come up, takes the VM off the network; Azure cannot see why.
    Evidence: guest adapters, guest addresses, the version of netvsc.sys where it is a faulty one.
    By hand:
        * nic-disabled: in the serial console `Enable-NetAdapter -Name '<adapter>'`, or `netsh interface set interface
          name="<adapter>" admin=enabled`; if that cannot be reached, change the private address of the NIC in Azure and back.
        * netvsc-driver-bad: netvsc.sys <version> is faulty: install KB4073562 (Server 2016) or KB4016240 (build 15063) or a later
          update with `dism /online /add-package` in the serial console or offline, and restart.
    See: https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-nic-disabled
    """
    nics = need(facts.guest.nics())
    if not nics:
        return unknown("Windows shows no network adapter of Azure's at all.", because="guest.adapters.nics")
    here = need(holds_private_address(facts))
    effect = Effect.DEGRADES if here else Effect.BLOCKS
    netvsc = need(facts.guest.adapter_item("netvsc")).netvsc
    down = [nic for nic in nics if nic.status == "Disconnected"]
    if down and netvsc is not None:
        return failed(
            "netvsc-driver-bad",
            f"The adapter {down[0].name} has no link and its driver netvsc.sys is the faulty version {netvsc}.",
            effect,
            adapter=down[0].name,
            version=netvsc,
        )
    disabled = [nic for nic in nics if nic.status == "Disabled"]
    if disabled:
        return failed(
            "nic-disabled",
            f"The network adapter {disabled[0].name} is disabled in Windows.",
            effect,
            adapter=disabled[0].name,
            adapters=[nic.name for nic in disabled],
        )
    if down and any(nic.gateways for nic in nics):
        return unknown(
            f"The adapter {down[0].name} is enabled but has no link: that is Azure's side or its driver.",
            because="guest.adapters.nics",
        )
    if down:
        # Enabled it is; that nothing gets out without a link is default_route_leads_out's to say.
        return passed(f"{down[0].name} is enabled, but has no link")
    return passed(f"{', '.join(nic.name for nic in nics)} up")
