"""The guest firewall's decision: precedence, dimensions, policy, and what cannot be judged from outside."""

from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdp_remediate.models.guest import FirewallProfile, FirewallRule, FirewallSection
from rdp_remediate.network.guest_firewall import Admission, Because, GuestFirewallDecision, GuestFlow, admits

CLIENT = "203.0.113.7"


def _profile(**changes: Any) -> FirewallProfile:
    base = FirewallProfile(
        enabled=True,
        default_inbound="Block",
        default_outbound="Allow",
        allow_inbound_rules=True,
        allow_local_rules=True,
        source="Local",
    )
    return base.model_copy(update=changes)


def _rule(name: str = "Allow-RDP", **changes: Any) -> FirewallRule:
    base = FirewallRule(
        name=name,
        enabled=True,
        direction="Inbound",
        action="Allow",
        profiles=["Any"],
        protocol="TCP",
        local_ports=["3389"],
        remote_addresses=["Any"],
        program="%SystemRoot%\\system32\\svchost.exe",
        service="TermService",
        store="Local",
    )
    return base.model_copy(update=changes)


def _decide(*rules: FirewallRule, active: tuple[str, ...] = ("Public",), **profile: Any) -> GuestFirewallDecision:
    section = FirewallSection(profiles={"Public": _profile(**profile)}, active=list(active), rules=list(rules))
    return admits(section, GuestFlow(ip_address(CLIENT), ip_address("10.0.0.4"), 3389, ("10.0.0.4/24",)))


def _of(*rules: FirewallRule, **profile: Any) -> tuple[Admission, Because]:
    decision = _decide(*rules, **profile)
    return decision.admission, decision.because


ALLOW, DENY, UNCLEAR = Admission.ALLOW, Admission.DENY, Admission.INDETERMINATE


@pytest.mark.parametrize(
    ("rules", "profile", "expected"),
    [
        ([_rule()], {}, (ALLOW, Because.ALLOW_RULE)),
        ([], {}, (DENY, Because.DEFAULT_ACTION)),
        ([], {"default_inbound": "Allow"}, (ALLOW, Because.DEFAULT_ACTION)),
        ([_rule(enabled=False)], {}, (DENY, Because.DEFAULT_ACTION)),
        ([_rule(direction="Outbound")], {}, (DENY, Because.DEFAULT_ACTION)),
        ([], {"enabled": False}, (ALLOW, Because.FIREWALL_OFF)),
        ([_rule(action="Block")], {"enabled": False}, (ALLOW, Because.FIREWALL_OFF)),
        ([_rule()], {"allow_inbound_rules": False}, (DENY, Because.BLOCK_ALL)),
        ([], {"allow_inbound_rules": False, "default_inbound": "Allow"}, (DENY, Because.BLOCK_ALL)),
        ([_rule(), _rule("Block", action="Block")], {}, (DENY, Because.BLOCK_RULE)),
        ([_rule("Block", action="Block"), _rule()], {}, (DENY, Because.BLOCK_RULE)),
        ([_rule(), _rule("Block", action="Block", enabled=False)], {}, (ALLOW, Because.ALLOW_RULE)),
        (
            [_rule(), _rule("Block", action="Block", remote_addresses=["198.51.100.0/24"])],
            {},
            (ALLOW, Because.ALLOW_RULE),
        ),
        ([_rule()], {"allow_local_rules": False}, (DENY, Because.LOCAL_RULES_IGNORED)),
        ([_rule(store="GroupPolicy")], {"allow_local_rules": False}, (ALLOW, Because.ALLOW_RULE)),
        (
            [_rule("Block", action="Block"), _rule(store="GroupPolicy")],
            {"allow_local_rules": False},
            (ALLOW, Because.ALLOW_RULE),
        ),
        ([_rule(), _rule("Block", action="Block", store="GroupPolicy")], {}, (DENY, Because.BLOCK_RULE)),
    ],
)
def test_precedence(rules: list[FirewallRule], profile: dict[str, Any], expected: tuple[Admission, Because]) -> None:
    assert _of(*rules, **profile) == expected


@pytest.mark.parametrize(
    ("changes", "admitted"),
    [
        ({"profiles": ["Public"]}, True),
        ({"profiles": ["Domain", "Private"]}, False),
        ({"protocol": "Any"}, True),
        ({"protocol": "6"}, True),
        ({"protocol": "UDP"}, False),
        ({"local_ports": ["Any"]}, True),
        ({"local_ports": ["3380-3400"]}, True),
        ({"local_ports": ["80", "3389"]}, True),
        ({"local_ports": ["3390"]}, False),
        ({"local_ports": ["RPC"]}, False),
        ({"service": "Any"}, True),
        ({"service": "W32Time"}, False),
        ({"program": "Any"}, True),
        ({"program": "C:\\Windows\\System32\\SVCHOST.EXE"}, True),
        ({"program": "C:\\tools\\other.exe"}, False),
        ({"local_addresses": ["10.0.0.0/24"]}, True),
        ({"local_addresses": ["10.0.9.9"]}, False),
        ({"remote_addresses": [CLIENT]}, True),
        ({"remote_addresses": ["203.0.113.0/255.255.255.0"]}, True),
        ({"remote_addresses": ["203.0.113.1-203.0.113.9"]}, True),
        ({"remote_addresses": ["203.0.113.8-203.0.113.9"]}, False),
        ({"remote_addresses": ["LocalSubnet"]}, False),
        ({"remote_addresses": ["2001:db8::/32"]}, False),
        ({"interface_types": ["Wired"]}, True),
        ({"interface_types": ["Wireless"]}, False),
    ],
)
def test_each_dimension_of_a_rule(changes: dict[str, Any], admitted: bool) -> None:
    assert (_decide(_rule(**changes)).admission is ALLOW) is admitted
    blocked = _decide(_rule("Wide"), _rule("Block", action="Block", **changes))
    assert (blocked.admission is DENY) is admitted


@pytest.mark.parametrize("word", ["DNS", "Internet", "Intranet", "DefaultGateway", "nonsense"])
def test_a_remote_address_that_is_a_word_cannot_be_judged(word: str) -> None:
    assert _of(_rule(remote_addresses=[word])) == (UNCLEAR, Because.RULE_NOT_JUDGED)
    assert _of(_rule(), _rule("Block", action="Block", remote_addresses=[word])) == (UNCLEAR, Because.RULE_NOT_JUDGED)
    assert _of(_rule(), _rule("Other", remote_addresses=[word])) == (ALLOW, Because.ALLOW_RULE)


def test_an_unknown_port_word_cannot_be_judged() -> None:
    assert _of(_rule(local_ports=["NewWord"])) == (UNCLEAR, Because.RULE_NOT_JUDGED)


def test_the_local_subnet_is_judged_from_the_guests_own_addresses() -> None:
    rule = _rule(remote_addresses=["LocalSubnet"])
    section = FirewallSection(profiles={"Public": _profile()}, active=["Public"], rules=[rule])
    neighbour = GuestFlow(ip_address("10.0.0.9"), None, 3389, ("10.0.0.4/24",))
    assert admits(section, neighbour).admission is ALLOW
    unknown = GuestFlow(ip_address("10.0.0.9"), None, 3389)
    assert admits(section, unknown).admission is UNCLEAR


def test_with_several_profiles_the_strictest_holds() -> None:
    section = FirewallSection(
        profiles={"Public": _profile(), "Domain": _profile(allow_inbound_rules=False)},
        active=["Public", "domain"],
        rules=[_rule()],
    )
    decision = admits(section, GuestFlow(ip_address(CLIENT), None, 3389))
    assert (decision.admission, decision.profile) == (DENY, "domain")


@pytest.mark.parametrize("active", [(), ("Unheard",)])
def test_no_known_profile_in_use_is_unclear(active: tuple[str, ...]) -> None:
    decision = _decide(_rule(), active=active)
    assert (decision.admission, decision.because) == (UNCLEAR, Because.NO_ACTIVE_PROFILE)


def test_who_owns_the_decision() -> None:
    assert _decide(allow_inbound_rules=False, source="GroupPolicy").policy_owned
    assert not _decide(allow_inbound_rules=False).policy_owned
    assert _decide(_rule(), allow_local_rules=False).policy_owned
    assert _decide(_rule("Block", action="Block", store="GroupPolicy")).policy_owned
    assert not _decide(_rule("Block", action="Block")).policy_owned


def test_a_rule_that_misses_by_one_dimension_is_named_with_it() -> None:
    decision = _decide(_rule(profiles=["Domain"]), _rule("Two", profiles=["Domain"], service="W32Time"))
    assert [(one.rule.name, one.dimensions) for one in decision.misfits] == [
        ("Allow-RDP", ("profile",)),
        ("Two", ("profile", "service")),
    ]
    assert _decide(_rule("Block", action="Block", profiles=["Domain"])).misfits == ()


_rules = st.builds(
    _rule,
    st.sampled_from(["a", "b", "c"]),
    enabled=st.booleans(),
    action=st.sampled_from(["Allow", "Block"]),
    profiles=st.sampled_from([["Any"], ["Public"], ["Domain"]]),
    local_ports=st.sampled_from([["3389"], ["Any"], ["3390"]]),
    remote_addresses=st.sampled_from([["Any"], [CLIENT], ["198.51.100.1"], ["Internet"]]),
    store=st.sampled_from(["Local", "GroupPolicy"]),
)


@given(st.lists(_rules, max_size=5), st.booleans())
def test_a_block_rule_never_admits_more_and_order_does_not_matter(rules: list[FirewallRule], local: bool) -> None:
    before = _decide(*rules, allow_local_rules=local).admission
    assert _decide(*reversed(rules), allow_local_rules=local).admission is before
    assert _decide(*rules, _rule("x", action="Block", store="GroupPolicy"), allow_local_rules=local).admission is DENY
    admitted = _decide(*rules, _rule("y", store="GroupPolicy"), allow_local_rules=local).admission
    assert before is not ALLOW or admitted is ALLOW
