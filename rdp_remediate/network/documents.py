"""Decisions and plans as plain JSON values: what `path` and `rule` print and what a report carries."""

from typing import Any

from rdp_remediate.network.decision import Decider, Explanation
from rdp_remediate.network.rule_plan import RulePlan


def decider_document(one: Decider) -> dict[str, Any]:
    """A decider as reports spell it."""
    return {
        "layer": one.layer.value,
        "rule": one.rule,
        "priority": one.priority,
        "resource_id": one.resource_id or None,
    }


def path_document(explanation: Explanation) -> dict[str, Any]:
    """A decision with its trace."""
    decision = explanation.decision
    return {
        "schema": "rdp-remediate/path/1",
        "verdict": decision.verdict.value,
        "deciders": [decider_document(one) for one in decision.deciders],
        "trace": [
            {
                "layer": row.layer.value,
                "rule": row.rule,
                "resource_id": row.resource_id,
                "priority": row.priority,
                "access": row.access,
                "protocol": row.protocol.value,
                "source": row.source.value,
                "source_port": row.source_port.value,
                "destination": row.destination.value,
                "destination_port": row.destination_port.value,
                "decides": row.decides,
                "reached": row.reached,
            }
            for row in explanation.trace
        ],
        "candidates": [decider_document(one) for one in decision.candidates],
        "assumptions": list(decision.assumptions),
        "data_gaps": list(decision.data_gaps),
        "steps": list(explanation.steps),
        "not_reached": [layer.value for layer in explanation.not_reached],
    }


def rule_document(plan: RulePlan) -> dict[str, Any]:
    """A rule plan."""
    after = plan.after
    return {
        "schema": "rdp-remediate/rule/1",
        "rules": [
            {
                "nsg_id": rule.nsg_id,
                "name": rule.name,
                "priority": rule.priority,
                "sources": list(rule.sources),
                "destination": rule.destination,
                "port": rule.port,
                "layers": [layer.value for layer in rule.layers],
                "above": list(rule.above),
                "replaces": rule.replaces,
                "rule_id": rule.rule_id,
                "body": rule.body,
            }
            for rule in plan.rules
        ],
        "refused": None
        if plan.refusal is None
        else {
            "code": plan.refusal.code.value,
            "why": plan.refusal.why,
            "resource_id": plan.refusal.resource_id or None,
        },
        "blast_radius": {
            one.nsg_id: {
                "subnets": list(one.subnets),
                "network_interfaces": list(one.network_interfaces),
                "vms": list(one.vms),
            }
            for one in plan.blast_radius
        },
        "proof": {
            "holds": bool(plan.proof) and all(one.holds for one in plan.proof),
            "by_nsg": [
                {"nsg_id": one.nsg_id, "holds": one.holds, "admitted": one.admitted, "unchanged": one.unchanged}
                for one in plan.proof
            ],
            "verdict_after": after.verdict.value if after else None,
            "deciders_after": [decider_document(one) for one in after.deciders] if after else [],
        },
        "skipped": list(plan.skipped),
        "data_gaps": list(plan.data_gaps),
    }
