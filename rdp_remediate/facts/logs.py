"""What the workspace's logs say, as far as judgement and the timeline need it; rows have Azure's column names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rdp_remediate.facts.evidence import Evidence, parsed
from rdp_remediate.facts.platform import read_time
from rdp_remediate.models.base import JsonObject
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.fact import Fact, Observed, Reason, Unavailable


@dataclass(frozen=True)
class Guessing:
    """Guessed names and passwords of the last half hour (query brute_force).

    Attributes:
        guesses: How many.
        sources: From how many addresses.
        last: The newest; None: there was none.
    """

    guesses: int
    sources: int
    last: datetime | None


@dataclass(frozen=True)
class LoggedSignIn:
    """A desktop that was opened or taken up again (query signed_in)."""

    at: datetime
    user: str | None
    address: str | None


@dataclass(frozen=True)
class DeniedFlows:
    """Flows to the RDP port that one rule denied (query denied_flows)."""

    first: datetime
    last: datetime
    sources: tuple[str, ...]
    nsg: str | None
    rule: str | None


@dataclass(frozen=True)
class Logs:
    """The queries that judgement and the timeline read; the others are in the bundle for people."""

    guessing: Fact[Guessing]
    signed_in: Fact[list[LoggedSignIn]]
    denied_flows: Fact[list[DeniedFlows]]


def read_logs(bundle: Bundle, evidence: Evidence) -> Logs:
    """Reads the rows of a bundle."""
    return Logs(
        guessing=_guessing(rows_of(bundle, evidence, "brute_force")),
        signed_in=parsed(rows_of(bundle, evidence, "signed_in"), _signed_in),
        denied_flows=parsed(rows_of(bundle, evidence, "denied_flows"), _denied),
    )


def rows_of(bundle: Bundle, evidence: Evidence, name: str) -> Fact[list[JsonObject]]:
    """The rows of a query. Without a workspace the bundle says so once, under `logs`."""
    if name in bundle.logs:
        return Observed(bundle.logs[name], f"logs.{name}", bundle.collected_at)
    named = evidence.missing(f"logs.{name}")
    if named.reason is not Reason.NOT_COLLECTED:
        return named
    whole = evidence.missing("logs")
    return named if whole.reason is Reason.NOT_COLLECTED else whole


def _guessing(rows: Fact[list[JsonObject]]) -> Fact[Guessing]:
    counted = parsed(rows, _counted)
    if isinstance(counted, Unavailable):
        return counted
    reports, guessing = counted.value
    if not reports:
        why = "the VM sent no security event to the workspace in a day, so no failure there means nothing"
        return Unavailable(Reason.NOT_COLLECTED, why, "logs.brute_force")
    return Observed(guessing, counted.source, counted.at)


def _counted(rows: Sequence[JsonObject]) -> tuple[bool, Guessing]:
    (row,) = rows
    return int(row["Seen"]) > 0, Guessing(int(row["Guesses"]), int(row["Sources"]), read_time(row.get("LastAt")))


def _signed_in(rows: Sequence[JsonObject]) -> list[LoggedSignIn]:
    return [LoggedSignIn(_time(row["TimeGenerated"]), row.get("TargetUserName"), row.get("IpAddress")) for row in rows]


def _denied(rows: Sequence[JsonObject]) -> list[DeniedFlows]:
    return [
        DeniedFlows(_time(row["FirstAt"]), _time(row["LastAt"]), _sources(row), row.get("AclGroup"), row.get("AclRule"))
        for row in rows
    ]


def _sources(row: JsonObject) -> tuple[str, ...]:
    """SrcIp, or of flows from the Internet the first part of every block of SrcPublicIps (azure-facts.md 15)."""
    blocks = str(row.get("SrcPublicIps") or "").split()
    return tuple(dict.fromkeys([*([row["SrcIp"]] if row.get("SrcIp") else []), *(b.split("|")[0] for b in blocks)]))


def _time(text: str) -> datetime:
    at = read_time(text)
    if at is None:
        raise ValueError(f"{text!r} is no time")
    return at
