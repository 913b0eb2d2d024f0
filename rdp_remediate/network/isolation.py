"""Which hops remain when several vantages were asked: who reaches RDP, who does not, and what that separates.

A vantage counts only by what its probe proves: silence where the path engine denies the vantage's own source, or where
that source is not known, separates nothing. Outcomes narrow a fault down; they never prove that RDP works, and they are
never the source of a rule. What a client computer says of itself is a claim like every address from outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rdp_remediate.models.report import HOPS, Hop, ProbeView, VantageView

Outcome = Literal["reaches", "does_not", "says_nothing"]

_INSIDE = (Hop.GUEST_NETWORK, Hop.GUEST_FIREWALL, Hop.GUEST_RDP_SERVICE, Hop.GUEST_OS)
_NAMES = {
    "app": "the app",
    "cli": "this computer",
    "guest": "the VM itself",
    "neighbour": "a neighbour in the virtual network",
    "client": "the user's computer",
}
OUTCOME_WORDS = {"reaches": "reaches RDP", "does_not": "does not reach RDP", "says_nothing": "says nothing"}


@dataclass(frozen=True)
class Isolation:
    """What the vantages separate.

    Attributes:
        hops: The hops that remain, in path order; empty when nothing was separated.
        said: One sentence for a headline, or None.
        contradiction: Two outcomes that cannot both be explained by one fault, or None.
        vantages: Every vantage with what its outcome means.
    """

    hops: tuple[Hop, ...]
    said: str | None
    contradiction: str | None
    vantages: tuple[VantageView, ...]


def isolate(probes: Sequence[ProbeView], client: ProbeView | None = None) -> Isolation:
    """Weighs the outcomes against each other.

    Args:
        probes: The probes of a diagnosis, each with the path decision for its own source.
        client: What the user's own computer saw, where it was checked; a claim.

    Returns:
        What remains; without two vantages that say something nothing is separated.
    """
    seen = [*probes, *([client] if client is not None else [])]
    rows = tuple(_row(one) for one in seen)
    reaching = [one for one in rows if one.outcome == "reaches"]
    failing = [one for one in rows if one.outcome == "does_not"]
    hops, said = _remaining(rows)
    return Isolation(hops, said, _contradiction(reaching, failing), rows)


def outcome_of(probe: ProbeView) -> Outcome:
    """What one probe says of RDP at the address that it tried."""
    if probe.proves in ("end_to_end", "answered", "engine_disagrees"):
        return "reaches"
    if probe.proves == "nothing" and probe.verdict in ("filtered", "no_answer", "refused", "unreachable", "not_rdp"):
        return "does_not"
    return "says_nothing"


def _row(probe: ProbeView) -> VantageView:
    outcome = outcome_of(probe)
    return VantageView(
        vantage=probe.vantage,
        source=probe.source_address,
        address=probe.address,
        port=probe.port,
        path_verdict=probe.path_verdict,
        outcome=outcome,
        meaning=_meaning(probe, outcome),
    )


def _meaning(probe: ProbeView, outcome: Outcome) -> str:
    if outcome == "reaches":
        if probe.proves == "engine_disagrees":
            return "it connected although the path engine says that it cannot: the engine or what it read is wrong here"
        if probe.vantage == "neighbour":
            return "RDP answers inside the virtual network; whether it answers from outside is another question"
        return "RDP answers this vantage; who reaches it from elsewhere depends on the rules for them"
    if outcome == "does_not":
        own = ", unless its own outbound rules or firewall stop it" if probe.vantage in ("neighbour", "client") else ""
        return f"it got {probe.outcome} although the path engine lets it through{own}"
    return probe.detail


def _remaining(rows: Sequence[VantageView]) -> tuple[tuple[Hop, ...], str | None]:
    """The table of the vantages: first row that applies."""
    neighbour = _of(rows, "neighbour")
    outside = _of(rows, "app", "cli")
    client = _of(rows, "client")
    if _any(outside, "reaches") and _any(client, "does_not"):
        return (Hop.CLIENT, Hop.EDGE), (
            f"{_who(outside, 'reaches')} reaches RDP and the user's computer does not: the fault lies at client or edge"
        )
    shut_out = [one for one in rows if one.vantage != "neighbour" and one.outcome != "reaches"]
    if _any(neighbour, "reaches") and shut_out and not _any(outside, "reaches") and not _any(client, "reaches"):
        known = _any(shut_out, "does_not")
        hops = (Hop.ENDPOINT, Hop.NETWORK) if known else ()
        near = next(one for one in neighbour if one.outcome == "reaches")
        far = next((one for one in shut_out if one.outcome == "does_not"), shut_out[0])
        tail = (
            "the fault lies at endpoint or network"
            if known
            else f"Windows and the platform answer; {name_of(far)} says nothing about the way from outside"
        )
        where = f"{_address(near.address)}:{near.port}"
        met = f", {name_of(far)} does not reach {_address(far.address)}:{far.port}" if known else ""
        return hops, f"a neighbour reaches RDP on {where}{met}: {tail}"
    tried = [one for one in rows if one.vantage != "guest"]
    if _any(neighbour, "does_not") and not any(one.outcome == "reaches" for one in tried):
        others = [one for one in tried if one.vantage != "neighbour" and one.outcome == "does_not"]
        said = (
            f"neither a neighbour nor {name_of(others[0])} reaches RDP"
            if others
            else "a neighbour inside the virtual network does not reach RDP"
        )
        return (Hop.PLATFORM, *_INSIDE), (
            f"{said}: the fault lies at platform or guest, unless an outbound rule of the neighbour stops it"
        )
    return (), None


def _contradiction(reaching: Sequence[VantageView], failing: Sequence[VantageView]) -> str | None:
    """One address and port that answered one vantage and not another, both let through by the rules that were read."""
    for one in reaching:
        for other in failing:
            if "client" in (one.vantage, other.vantage):
                continue  # that is the client's or the edge's doing, and no contradiction
            if (one.address, one.port) == (other.address, other.port) and one.path_verdict == other.path_verdict:
                return (
                    f"{name_of(one)} reaches {_address(one.address)}:{one.port} and {name_of(other)} does not, although the "
                    "path engine decides alike for both: something that was not read tells them apart"
                )
    inside = [one for one in failing if one.vantage == "neighbour"]
    outside = [one for one in reaching if one.vantage in ("app", "cli", "client")]
    if inside and outside:
        return (
            f"{name_of(outside[0])} reaches RDP and a neighbour inside the virtual network does not: a rule of the neighbour's "
            "own, or a guest firewall that knows their sources apart"
        )
    return None


def narrower(hops: Sequence[Hop]) -> str:
    """Hops as words, in path order."""
    return " or ".join(hop.value for hop in HOPS if hop in hops)


def vantage_line(row: VantageView) -> str:
    """One row of the table in words."""
    source = f" ({row.source})" if row.source else ""
    path = row.path_verdict or "not known"
    return (
        f"{name_of(row)}{source} -> {_address(row.address)}:{row.port}: {OUTCOME_WORDS[row.outcome]} "
        f"(path engine: {path}); {row.meaning}"
    )


def _of(rows: Sequence[VantageView], *vantages: str) -> list[VantageView]:
    return [one for one in rows if one.vantage in vantages]


def _any(rows: Sequence[VantageView], outcome: Outcome) -> bool:
    return any(one.outcome == outcome for one in rows)


def _who(rows: Sequence[VantageView], outcome: Outcome) -> str:
    return name_of(next(one for one in rows if one.outcome == outcome))


def name_of(row: VantageView) -> str:
    """A vantage in words."""
    return _NAMES.get(row.vantage, row.vantage)


def _address(text: str) -> str:
    return f"[{text}]" if ":" in text else text
