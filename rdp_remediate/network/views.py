"""Path decisions as a report shows them."""

from collections.abc import Iterator

from rdp_remediate.facts.facts import Facts
from rdp_remediate.models.report import PathDecider, PathView
from rdp_remediate.network.documents import path_document
from rdp_remediate.network.question import ask, told


def path_views(facts: Facts) -> Iterator[PathView]:
    """One view for each client that is asked about, with the whole trace."""
    question = ask(facts)
    if question.entry is None:
        return
    for client, explanation in told(facts):
        document = path_document(explanation)
        yield PathView(
            entry=question.entry.kind.value,
            client=client,
            dialled=f"{question.entry.address}:{question.dialled_port}",
            verdict=document["verdict"],
            deciders=[PathDecider.model_validate(one) for one in document["deciders"]],
            trace=document["trace"],
            candidates=[PathDecider.model_validate(one) for one in document["candidates"]],
            assumptions=document["assumptions"],
            data_gaps=document["data_gaps"],
        )
