"""Which question a bundle asks: who, by which entry, on which port, and what is not known."""

import pytest

from rdp_remediate.facts.facts import Facts, read_facts
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.network.arrival import EntryKind
from rdp_remediate.network.question import Question, ask, guest_admission, probe_targets
from tests import factories as f
from tests.factories import Change, healthy_bundle, hide


def _facts(*changes: Change) -> Facts:
    return read_facts(healthy_bundle(*changes))


def _ask(*changes: Change) -> Question:
    return ask(_facts(*changes))


def test_the_healthy_question() -> None:
    question = _ask()
    assert question.clients == (f.CLIENT,)
    assert question.client_known
    assert question.entry is not None
    assert (question.entry.kind, question.entry.address) == (EntryKind.PUBLIC, f.PUBLIC_ADDRESS)
    assert (question.dialled_port, question.port) == (3389, 3389)
    assert {one.lower() for one in question.nsg_ids} == {f.NIC_NSG.lower(), f.SUBNET_NSG.lower()}
    assert question.allowed
    assert not question.wrong_port


def test_without_a_client_each_configured_source_is_judged_at_its_ends() -> None:
    question = _ask(f.target(client_address=None), f.policy(sources=["203.0.113.0/24", "198.51.100.9/32"]))
    assert not question.client_known
    assert question.clients == ("203.0.113.0", "203.0.113.255", "198.51.100.9")


@pytest.mark.parametrize("claim", ["not an address", "203.0.113.7; rm", ""])
def test_a_claim_that_is_no_address_is_no_client(claim: str) -> None:
    assert not _ask(f.target(client_address=claim)).client_known


def test_without_client_and_sources_nobody_is_judged() -> None:
    question = _ask(f.target(client_address=None), f.policy(sources=[]))
    assert question.clients == ()
    assert not question.allowed


@pytest.mark.parametrize(
    "dialled", [f.PUBLIC_ADDRESS, f" {f.PUBLIC_ADDRESS} ", None, "198.51.100.77", "unknown.example.com"]
)
def test_a_claimed_address_chooses_among_the_targets_own_entries_and_is_never_probed(dialled: str | None) -> None:
    facts = _facts(f.target(dialled_address=dialled))
    assert [(one.address, one.port) for one in probe_targets(facts)] == [(f.PUBLIC_ADDRESS, 3389)]


def test_a_dialled_private_address_is_its_own_entry_and_not_probed_from_outside() -> None:
    facts = _facts(f.target(dialled_address=f.PRIVATE_ADDRESS, client_address="10.0.0.9"))
    entry = ask(facts).entry
    assert entry is not None
    assert entry.kind is EntryKind.PRIVATE
    assert probe_targets(facts) == []


def test_a_private_client_comes_by_the_private_address() -> None:
    entry = _ask(f.target(client_address="10.0.0.9")).entry
    assert entry is not None
    assert entry.kind is EntryKind.PRIVATE


def test_a_vm_behind_bastion_is_asked_from_its_subnet() -> None:
    question = _ask(f.without_public_address, f.behind_bastion)
    assert question.via == "an Azure Bastion host"
    assert question.clients == ("10.0.9.0",)


def test_a_public_entry_wins_over_bastion_unless_bastion_was_used() -> None:
    assert _ask(f.behind_bastion).via is None
    assert _ask(f.behind_bastion, f.target(entry="bastion")).via == "an Azure Bastion host"


MOVED = (
    f.registry(f.PORT, 3390),
    f.firewall_rule("RDP-3390", local_ports=["3390"]),
    f.security_rules(f.NIC_NSG, f.rule("Allow-RDP", 300, ports="3390")),
)


def test_a_port_that_is_open_all_the_way_is_the_one_to_dial() -> None:
    question = _ask(*MOVED)
    assert (question.port, question.wrong_port, question.unsure_port) == (3390, True, None)
    unsaid = _ask(*MOVED, f.target(dialled_port=None))
    assert (unsaid.port, unsaid.wrong_port) == (3390, False)


@pytest.mark.parametrize("shut", [MOVED[:2], (MOVED[0], MOVED[2])], ids=["by the NSG", "by the guest firewall"])
def test_a_port_that_is_shut_somewhere_is_not(shut: tuple[Change, ...]) -> None:
    question = _ask(*shut)
    assert (question.port, question.wrong_port, question.unsure_port) == (3389, False, None)


@pytest.mark.parametrize(
    "hidden",
    [
        hide("guest.firewall"),
        hide("effective_admin_rules", f.VNET),
        hide(f"guest.registry.{f.PORT}"),
        hide("guest"),
    ],
)
def test_it_is_unsure_while_the_other_port_may_be_open(hidden: Change) -> None:
    question = _ask(*MOVED, hidden)
    assert question.unsure_port is not None
    assert "3390" in question.unsure_port.detail
    assert question.port == 3389


def test_an_unread_guest_alone_makes_nothing_unsure() -> None:
    assert _ask(hide("guest")).unsure_port is None
    web = f.security_rules(f.NIC_NSG, f.NIC_ALLOW, f.rule("Allow-Web", 310, ports="443", source="*"))
    assert _ask(hide("guest"), web).unsure_port is None


@pytest.mark.parametrize("hidden", [f.NIC, f.PUBLIC_IP])
def test_an_entry_that_could_not_be_read_is_not_replaced_by_another(hidden: str) -> None:
    question = _ask(hide("resource", hidden), f.behind_bastion)
    assert question.entry is None
    assert question.unread_entry is not None
    assert question.via is None


def test_an_unread_load_balancer_is_an_unread_entry() -> None:
    rule = f"{f.GROUP}/providers/Microsoft.Network/loadBalancers/lb1/inboundNatRules/rdp"
    linked = f.resource(
        f.NIC, "properties", "ipConfigurations", 0, "properties", "loadBalancerInboundNatRules", value=[{"id": rule}]
    )
    question = _ask(f.without_public_address, linked, hide("guest.sign_ins"))
    assert question.unread_entry is not None
    assert question.entry is None


def test_the_guest_admits_who_the_question_asks_about() -> None:
    narrow = f.firewall_rule("RemoteDesktop-UserMode-In-TCP", remote_addresses=["198.51.100.9"])
    admission = guest_admission(_facts(narrow))
    assert not isinstance(admission, Unavailable)
    assert admission.value.admission == "deny"
    other = guest_admission(_facts(narrow, f.target(client_address="198.51.100.9")))
    assert not isinstance(other, Unavailable)
    assert other.value.admission == "allow"


@pytest.mark.parametrize(
    "hidden", [hide("guest"), hide("guest.firewall"), hide("guest.firewall.rules"), f.target(client_address=None)]
)
def test_an_admission_that_cannot_be_seen_is_unavailable(hidden: Change) -> None:
    assert isinstance(guest_admission(_facts(hidden, f.policy(sources=[]))), Unavailable)
