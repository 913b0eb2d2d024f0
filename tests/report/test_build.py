"""Run, bundles and journal become one report."""

from rdp_remediate.models.bundle import Mode, Policy, ProbeRecord, UnavailableFact
from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.models.report import Diagnosis, FindingStatus, Hop, Report
from rdp_remediate.models.run import Done, Run
from rdp_remediate.report.build import build
from tests.factories import healthy_bundle
from tests.report import factories as make


def _note(report: Report, start: str) -> str:
    found = [note for note in report.notes if note.startswith(start)]
    assert len(found) == 1, report.notes
    return found[0]


def test_a_repaired_run_shows_both_verdicts_probes_and_findings() -> None:
    journal = [make.entry(make.rule_step())]
    built = build(
        make.run(), [make.bundle(), make.bundle(20)], [make.broken(), make.reachable()], journal, make.later(99)
    )

    assert (built.verdict_before.status, built.verdict.status) == ("broken", "reachable")
    assert built.findings_before == make.broken().findings
    assert built.findings == make.reachable().findings
    assert built.probes == {"before": make.broken().probes, "after": make.reachable().probes}
    assert built.actions == journal
    assert (built.vm_name, built.incident_id, built.done) == ("pay-01", "alert-77", "judged")
    assert built.trigger == "The alert failed-rdp fired for pay-01."
    assert Report.model_validate_json(built.model_dump_json(by_alias=True)) == built


def test_one_pass_has_no_probes_after() -> None:
    built = build(make.run(), [make.bundle()], [make.broken()], [], make.later(5))

    assert built.probes == {"before": make.broken().probes}
    assert built.path == [make.path_view()]


def test_a_run_that_was_never_judged_is_not_proven_and_says_why() -> None:
    run = make.run(done=Done(kind="not_applicable", reason="pay-01 runs Linux."))
    built = build(run, [], [], [], make.later(5))

    assert built.verdict.status == built.verdict_before.status == "not_proven"
    assert built.verdict.headline == "Not applicable: pay-01 runs Linux."
    assert built.timings == {"total": 5.0}
    assert built.done == "not_applicable: pay-01 runs Linux."


def test_a_run_that_has_just_begun_does_not_look_healthy() -> None:
    built = build(make.run(done=None), [], [], [], make.later(1))

    assert built.verdict.status == "not_proven"
    assert "still collecting" in built.verdict.headline


def test_changes_are_reduced_to_who_what_when_and_where() -> None:
    event = {
        "eventTimestamp": "2026-05-04T02:00:00Z",
        "status": {"value": "Succeeded"},
        "operationName": {"value": "Microsoft.Network/networkSecurityGroups/securityRules/delete"},
        "caller": "ann@example.com",
        "resourceId": f"{make.NSG_ID}/securityRules/Allow-RDP",
        "claims": {"ipaddr": "198.51.100.9"},
        "properties": {"requestbody": "not for the report"},
    }
    built = build(make.run(), [make.bundle(changes=[event])], [make.broken()], [], make.later(5))

    assert built.changes == [
        {
            "at": "2026-05-04T02:00:00Z",
            "operation": "Microsoft.Network/networkSecurityGroups/securityRules/delete",
            "caller": "ann@example.com",
            "resource_id": f"{make.NSG_ID}/securityRules/Allow-RDP",
        }
    ]


def test_the_time_of_a_finished_run_ends_with_what_it_did_last() -> None:
    probed = ProbeRecord(vantage="app", address="20.50.1.4", port=3389, at=make.later(31), result={})
    journal = [make.entry(make.registry_step()), make.entry(make.registry_step(), number=2)]
    bundles = [make.bundle(), make.bundle(20, probes=[probed])]
    days_later = make.later(400_000)

    built = build(make.run(), bundles, [make.broken(), make.reachable()], journal, days_later)
    assert built.timings == {"total": 31.0, "Set fDenyTSConnections to 0": 5.0}

    open_run = build(make.run(done=None), bundles, [make.broken(), make.reachable()], journal, make.later(50))
    assert open_run.timings["total"] == 50.0


def test_an_applied_expiring_rule_is_temporary_and_comes_with_its_permanent_form() -> None:
    built = build(make.run(), [make.bundle()], [make.broken()], [make.entry(make.rule_step())], make.later(5))

    note = _note(built, "Temporary access until 2026-05-04 11:00Z")
    assert "priority: 310" in note
    assert "name: 'pay-nsg/rdpr-00aa11bb22cc33dd'" in note
    assert "az network nsg rule create --subscription 11111111-2222-3333-4444-555555555555" in note
    assert "--source-address-prefixes 203.0.113.7/32" in note
    assert "exp=" not in note


def test_the_expiry_of_the_journal_wins_over_the_description() -> None:
    entry = make.entry(make.rule_step(), expires_at=make.later(3600))
    built = build(make.run(), [make.bundle()], [make.broken()], [entry], make.later(5))

    _note(built, "Temporary access until 2026-05-04 04:00Z")


def test_a_rule_that_was_not_applied_is_no_access() -> None:
    for outcome in (Outcome.FAILED, Outcome.OUTCOME_UNKNOWN, Outcome.UNDONE):
        entry = make.entry(make.rule_step(), outcome)
        built = build(make.run(), [make.bundle()], [make.broken()], [entry], make.later(5))
        assert not [note for note in built.notes if note.startswith("Temporary")], outcome


def _closed_by(caller: str) -> dict[str, object]:
    return {
        "eventTimestamp": "2026-05-04T02:00:00Z",
        "status": {"value": "Succeeded"},
        "operationName": {"value": "Microsoft.Network/networkSecurityGroups/securityRules/delete"},
        "caller": caller,
        "resourceId": f"{make.NSG_ID}/securityRules/Allow-RDP",
    }


def test_unknown_and_known_authors_are_told_apart() -> None:
    journal = [make.entry(make.rule_step()), make.entry(make.registry_step(), number=2)]
    seen = make.bundle(resources={make.NSG_ID.lower(): {"id": make.NSG_ID}}, changes=[_closed_by("ann@example.com")])
    built = build(make.run(), [seen], [make.broken()], journal, make.later(50))

    assert "Set fDenyTSConnections to 0" in _note(built, "Author unknown: no evidence")
    assert "Allow 203.0.113.7/32" not in _note(built, "Author unknown: no evidence")
    assert "by ann@example.com" in _note(built, "'Allow 203.0.113.7/32 to 10.0.0.4:3389 in the NSG pay-nsg' reversed")


def test_an_unread_activity_log_makes_the_author_unknown_with_the_reason() -> None:
    gap = UnavailableFact(fact="changes", reason="forbidden", detail="403 on the activity log")
    built = build(
        make.run(), [make.bundle(unavailable=[gap])], [make.broken()], [make.entry(make.rule_step())], make.later(5)
    )

    assert "403 on the activity log" in _note(built, "Author unknown")
    assert built.unavailable == [gap]


def test_observe_says_that_nothing_was_changed_and_why() -> None:
    run = make.run(mode=Mode.OBSERVE, mode_because="no tag rdp-remediate was found")
    built = build(run, [make.bundle()], [make.broken()], [], make.later(5))

    assert built.notes[0] == "Nothing was changed, because the mode is observe: no tag rdp-remediate was found."
    assert built.mode_because == "no tag rdp-remediate was found"


def test_a_run_that_tried_something_never_claims_that_nothing_was_changed() -> None:
    for outcome in (Outcome.APPLIED, Outcome.FAILED, Outcome.OUTCOME_UNKNOWN, Outcome.INTENDED):
        built = build(
            make.run(), [make.bundle()], [make.broken()], [make.entry(make.registry_step(), outcome)], make.later(5)
        )
        assert not [note for note in built.notes if "Nothing was changed" in note], outcome


def test_waiting_lists_only_what_nobody_decided_yet() -> None:
    run = make.waiting_run("one-a", "two-b").model_copy(update={"approved": {"one-a": "ann@example.com"}})
    built = build(run, [make.bundle()], [make.broken()], [], make.later(5))

    assert built.waiting == ["two-b"]
    assert _note(built, "1 step").startswith("1 step waits for a person until 2026-05-04 04:00Z")
    assert built.done is None


def test_sources_are_named_or_said_to_be_missing() -> None:
    def noted(policy: Policy) -> Report:
        return build(make.run(), [make.bundle(policy=policy)], [make.broken()], [], make.later(5))

    assert "203.0.113.0/24, 198.51.100.0/24" in _note(
        noted(Policy(sources=["203.0.113.0/24", "198.51.100.0/24"])), "Addresses that may be let in"
    )
    _note(noted(Policy()), "No sources are configured")


def test_hops_without_a_judgement_are_named() -> None:
    built = build(make.run(), [make.bundle()], [make.broken()], [], make.later(5))
    note = _note(built, "Not judged")
    assert "edge" in note
    assert "network" not in note.split(".")[0].replace("guest-network", "")
    assert "office network" in note

    everything = Diagnosis(findings=[make.passed(hop.value, hop) for hop in Hop], verdict=make.reachable().verdict)
    built = build(make.run(), [make.bundle()], [everything], [], make.later(5))
    assert not [note for note in built.notes if note.startswith("Not judged")]


def test_a_hop_that_no_check_looks_at_is_told_apart_from_one_that_was_not_seen() -> None:
    blind = make.passed("vm_agent_is_ready", Hop.PLATFORM).model_copy(update={"status": FindingStatus.UNKNOWN})
    findings = [make.passed(hop.value, hop) for hop in Hop if hop not in (Hop.PLATFORM, Hop.GUEST_AUTH)]
    seen = Diagnosis(findings=[*findings, blind], verdict=make.reachable().verdict)
    built = build(make.run(), [make.bundle()], [seen], [], make.later(5))

    assert _note(built, "Not judged") == (
        "Not judged, for want of evidence or because of an earlier fault: platform. "
        "Not judged, because no check looks there: guest-auth."
    )


def test_an_opening_names_the_virtual_network_ranges_that_get_in_besides() -> None:
    def notes_after(*journal: JournalEntry) -> list[str]:
        seen = healthy_bundle()
        built = build(make.run(target=seen.target), [seen], [make.reachable()], journal, make.later(5))
        return [note for note in built.notes if note.startswith("From inside the virtual network")]

    [note] = notes_after(make.entry(make.registry_step()))
    assert "10.0.0.0/" in note
    assert "AllowVnetInBound" in note
    # Nothing was opened: who else gets in is not this report's doing.
    assert notes_after() == []
    assert notes_after(make.entry(make.registry_step(), Outcome.FAILED)) == []


def test_joined_alerts_and_the_reason_of_the_end_are_said() -> None:
    run: Run = make.run(joined=["e1", "e2"], done=Done(kind="judged", reason="nobody decided within 3 days"))
    built = build(run, [make.bundle()], [make.broken()], [], make.later(5))

    assert "2 further alerts about this VM joined this run." in built.notes
    assert "The run ended as judged: nobody decided within 3 days" in built.notes


def test_building_twice_gives_the_same_report() -> None:
    def once() -> str:
        journal = [make.entry(make.rule_step())]
        return build(make.run(), [make.bundle()], [make.broken()], journal, make.later(5)).model_dump_json()

    assert once() == once()
