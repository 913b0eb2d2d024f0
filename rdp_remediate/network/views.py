"""Path decisions as a report shows them."""

from collections.abc import Iterator

from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import PathDecider, PathView
from rdp_remediate.network.decision import Decider
from rdp_remediate.network.question import ask, told


def path_views(facts: Facts) -> Iterator[PathView]:
    """One view for each client that is asked about, with the whole trace."""
    question = ask(facts)
    if question.entry is None:
        return
    for client, explanation in told(facts):
        decision = explanation.decision
        yield PathView(
            entry=question.entry.kind.value,
            client=client,
            dialled=f"{question.entry.address}:{question.dialled_port}",
            verdict=decision.verdict.value,
            deciders=[_decider(one) for one in decision.deciders],
            trace=[
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
            candidates=[_decider(one) for one in decision.candidates],
            assumptions=list(decision.assumptions),
            data_gaps=list(decision.data_gaps),
        )


def _decider(one: Decider) -> PathDecider:
    return PathDecider(layer=one.layer.value, rule=one.rule, priority=one.priority, resource_id=one.resource_id or None)
