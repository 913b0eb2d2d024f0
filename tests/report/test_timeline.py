"""The timeline: which change explains the cause, and what is said where a log names nobody or could not be read."""

from datetime import timedelta

import pytest

from rdp_remediate.diagnosis import diagnose
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.report import Timeline, TimelineEntry
from rdp_remediate.report.timeline import timeline
from rdp_remediate.report.timeline_drawing import drawn
from rdp_remediate.report.timeline_words import line
from rdp_remediate.report.wording import REASON_WORDS
from tests import factories as f
from tests.checks.endpoint.test_client_dials_the_public_address import DYNAMIC, OLD
from tests.factories import Change, healthy_bundle, hide
from tests.planned import DEALLOCATE, NO_RULE, RULE_WRITE, STOPPED

NETOPS = "netops@example.com"
RULE_DELETE = "Microsoft.Network/networkSecurityGroups/securityRules/delete"
RULE = f"{f.NIC_NSG}/securityRules/Allow-RDP"
HOUR = timedelta(hours=1)
POWER_OFF = "Microsoft.Compute/virtualMachines/powerOff/action"


def signed_in(ago: timedelta) -> Change:
    def change(data: JsonObject) -> None:
        at = (f.at(data) - ago).strftime("%Y-%m-%dT%H:%M:%SZ")
        row = {"TimeGenerated": at, "TargetUserName": "operator", "IpAddress": f.CLIENT, "LogonType": 10}
        data.setdefault("logs", {})["signed_in"] = [row]

    return change


def resource_change(resource_id: str, ago: timedelta, by: str | None, **more: object) -> Change:
    def change(data: JsonObject) -> None:
        attributes = {"timestamp": (f.at(data) - ago).strftime("%Y-%m-%dT%H:%M:%SZ"), "changedBy": by, **more}
        properties = {
            "targetResourceId": resource_id.lower(),
            "changeType": "Update",
            "changeAttributes": attributes,
            "changes": {
                "properties.securityRules[0].properties.access": {"previousValue": "Allow", "newValue": "Deny"},
                "etag": {"previousValue": "a", "newValue": "b", "changeCategory": "System"},
            },
        }
        group = "/".join(f.VM.split("/")[:5]).lower()
        held = data["operations"].setdefault("resource_changes", {}).setdefault(group, {"value": []})
        held["value"].append({"id": "x", "properties": properties})

    return change


def told(*changes: Change, reported_ago: timedelta = timedelta(minutes=10)) -> Timeline:
    bundle = healthy_bundle(*changes)
    return timeline(bundle, diagnose(read_facts(bundle)), bundle.collected_at - reported_ago)


def explaining(*changes: Change) -> list[TimelineEntry]:
    return [one for one in told(*changes).entries if one.explains]


def test_the_removed_rule_between_the_last_sign_in_and_the_failure_explains_it() -> None:
    made = told(*NO_RULE, signed_in(3 * HOUR), f.activity(RULE_DELETE, RULE, NETOPS, 2 * HOUR))
    (why,) = [one for one in made.entries if one.explains]
    assert (why.by, why.resource_id, why.source) == (NETOPS, RULE, "activity log")
    assert why.link == f"https://portal.azure.com/#@/resource{RULE}"
    assert line(why) == f"removed rule Allow-RDP of {f.NIC_NSG.rsplit('/', 1)[-1]} by {NETOPS}"
    assert made.last_good is not None
    assert made.last_good < why.at < (made.failing_since or made.last_good)
    assert f"by {NETOPS}" in made.headline
    assert "Last good sign-in" in made.headline


@pytest.mark.parametrize(
    "near",
    [
        pytest.param((signed_in(HOUR), f.activity(RULE_DELETE, RULE, NETOPS, 2 * HOUR)), id="it worked after it"),
        pytest.param((f.activity(RULE_DELETE, RULE, NETOPS, timedelta(minutes=2)),), id="it failed before it"),
        pytest.param((f.activity(RULE_DELETE, f"{RULE}".replace("nsg", "other"), NETOPS, HOUR),), id="another NSG"),
        pytest.param((f.activity(DEALLOCATE, f.VM, NETOPS, HOUR),), id="another kind of resource"),
    ],
)
def test_what_does_not_lie_between_or_is_another_resource_explains_nothing(near: tuple[Change, ...]) -> None:
    assert explaining(*NO_RULE, *near) == []
    assert "no change that was seen explains it" in told(*NO_RULE, *near).headline


def test_a_healthy_vm_has_no_change_to_blame() -> None:
    made = told(signed_in(3 * HOUR), f.activity(RULE_WRITE, RULE, NETOPS, 2 * HOUR))
    assert made.failing_since is None
    assert [one.explains for one in made.entries] == [None, None]


def test_resource_graph_adds_before_and_after_and_what_the_activity_log_lacks() -> None:
    made = told(*NO_RULE, resource_change(f.NIC_NSG, 2 * HOUR, None))
    (why,) = [one for one in made.entries if one.explains]
    assert why.by is None
    assert why.source == "Resource Graph changes"
    assert "properties.access Allow → Deny" in why.what
    assert "etag" not in why.what
    assert "author unknown" in line(why)
    assert "by author unknown" in made.headline


def test_one_operation_in_both_logs_is_told_once() -> None:
    made = told(*NO_RULE, f.activity(RULE_WRITE, RULE, NETOPS, HOUR), resource_change(f.NIC_NSG, HOUR, "Unspecified"))
    assert [one.source for one in made.entries if one.kind == "change"] == ["activity log"]


def test_a_service_that_somebody_stopped_explains_a_stopped_service() -> None:
    sid = "S-1-5-21-1-2-3-1001"
    stopped = f.guest_change("service_start_type", "TermService", HOUR, "disabled", sid)
    (why,) = explaining(*STOPPED, stopped)
    assert (why.kind, why.by) == ("guest_event", sid)
    assert explaining(*STOPPED, f.guest_change("service_start_type", "Spooler", HOUR, "disabled", sid)) == []


@pytest.mark.parametrize(("operation", "explained"), [(DEALLOCATE, True), (POWER_OFF, False)])
def test_a_changed_address_is_explained_by_the_deallocation_that_gave_it_back(operation: str, explained: bool) -> None:
    marked = explaining(DYNAMIC, OLD, f.activity(operation, f.VM, NETOPS, 3 * HOUR))
    assert [one.by for one in marked] == ([NETOPS] if explained else [])


def test_a_stopped_vm_is_explained_by_who_stopped_it() -> None:
    off = (f.powered("deallocated"), f.activity(DEALLOCATE, f.VM, NETOPS, HOUR))
    (why,) = explaining(*off)
    assert why.what == f"deallocated VM {f.VM.rsplit('/', 1)[-1]}"


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        ("changes", "the activity log could not be read: "),
        ("guest.changes", "changes inside Windows could not be read: "),
        ("guest.sign_ins", "sign-ins inside Windows could not be read: "),
    ],
)
def test_an_unread_log_is_named_and_is_no_quiet_log(hidden: str, said: str) -> None:
    made = told(*NO_RULE, hide(hidden))
    assert any(one.startswith(f"{said}{REASON_WORDS['forbidden']}") for one in made.unread), made.unread
    assert "not every log could be read" in made.headline


def test_denied_flows_of_the_client_say_since_when() -> None:
    def denied(data: JsonObject) -> None:
        at = [(f.at(data) - timedelta(minutes=m)).strftime("%Y-%m-%dT%H:%M:%SZ") for m in (50, 20)]
        row = {
            "SrcIp": "",
            "DestIp": "10.0.0.4",
            "AclGroup": "nsg",
            "AclRule": "Deny-All",
            "FirstAt": at[0],
            "LastAt": at[1],
        }
        data.setdefault("logs", {})["denied_flows"] = [
            {**row, "SrcPublicIps": f"198.51.100.9|1|2 {f.CLIENT}|1|2|0"},
            {**row, "SrcPublicIps": "198.51.100.8|1|2"},
        ]

    made = told(*NO_RULE, denied)
    (entry,) = [one for one in made.entries if one.kind == "denied"]
    assert made.failing_since == entry.at


def test_the_drawing_escapes_what_comes_from_outside() -> None:
    made = told(*NO_RULE, f.activity(RULE_DELETE, RULE, "<script>x</script>", HOUR))
    html = drawn(made)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert 'class="change explains"' in html
