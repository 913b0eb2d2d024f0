"""The results of probes as people read them: a table, what was seen at each endpoint, and what it may mean."""

import textwrap
from collections.abc import Sequence

from rdp_remediate.probe.causes import CAUSES, CAVEATS
from rdp_remediate.probe.findings import remarks
from rdp_remediate.probe.ntlm import NtlmChallenge
from rdp_remediate.probe.outcome import Outcome, ProbeVerdict
from rdp_remediate.probe.result import Identity, ProbeResult
from rdp_remediate.report.wording import clock, plain

WIDTH = 100
SHOWN_IN_FULL = 20
"""With more endpoints than these, one that is ok and has no remark gets its line in the table only."""

_HEADINGS = ("endpoint", "verdict", "outcome", "security", "computer", "certificate", "ms")
_CERTIFICATE_SHOWN = 16
_SECURITY = {"rdp": "standard RDP", "tls": "TLS", "nla": "NLA", "nla_ex": "NLA"}


def lines(results: Sequence[ProbeResult]) -> list[str]:
    """All of it, without colour codes; text from the network stands in one line each, without control characters."""
    out = _table([_row(result) for result in results])
    for result in results:
        out += _endpoint(result, brief=len(results) > SHOWN_IN_FULL)
    for outcome in dict.fromkeys(result.outcome for result in results):
        if outcome.verdict is not ProbeVerdict.OK:
            out += _meaning(outcome, sum(result.outcome is outcome for result in results))
    return out


def endpoint(result: ProbeResult) -> str:
    """HOST:PORT as it is typed."""
    host = plain(result.host)
    return f"[{host}]:{result.port}" if ":" in host else f"{host}:{result.port}"


def _row(result: ProbeResult) -> tuple[str, ...]:
    certificate = result.cert.sha1[:_CERTIFICATE_SHOWN] + "…" if result.cert is not None else ""
    selected = "" if result.selected == "tls" and result.tls_version else result.selected or ""
    security = " ".join(filter(None, (_SECURITY.get(selected, selected), result.tls_version)))
    return (
        endpoint(result),
        result.verdict.value,
        result.outcome.value,
        plain(security),
        plain(_computer(result.ntlm)),
        certificate,
        f"{result.ms.total:.0f}",
    )


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    whole = [_HEADINGS, *rows]
    widths = [max(len(row[at]) for row in whole) for at in range(len(_HEADINGS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in whole]


def _computer(ntlm: NtlmChallenge | None) -> str:
    return "" if ntlm is None else ntlm.nb_computer or ntlm.dns_computer or ""


def _endpoint(result: ProbeResult, *, brief: bool) -> list[str]:
    said = remarks(result)
    if brief and result.verdict is ProbeVerdict.OK and not said:
        return []
    through = f" ({result.peer})" if result.peer not in (None, result.host) else ""
    out = ["", f"{endpoint(result)}{through}"]
    out += _item("seen", result.detail)
    if result.attempts > 1:
        before = ", ".join(one.value for one in result.earlier_outcomes)
        out += _item("attempts", f"{result.attempts}; the one before ended with {before}")
    out += _item("certificate", _certificate(result))
    out += _item("computer", _about(result))
    if result.nla_required is not None:
        out += _item("NLA", "required" if result.nla_required else "not required: clients without it get in")
    if result.identity is not Identity.UNKNOWN:
        out += _item("identity", _IDENTITIES[result.identity])
    for one in said:
        out += _item("note", one)
    return out


_IDENTITIES = {
    Identity.OWN: "the machine that was expected",
    Identity.INTERCEPTED: "the machine that was expected, behind something else that terminates TLS",
    Identity.OTHER: "another machine than the expected one",
}


def _certificate(result: ProbeResult) -> str:
    if result.cert is None:
        return ""
    contents = result.cert.contents
    if contents is None:
        return f"SHA-1 {result.cert.sha1}; {result.cert.unreadable}"
    issuer = "self-issued" if contents.self_issued else f"issued by {plain(contents.issuer)}"
    return (
        f"{plain(contents.subject)}, {issuer}, valid from {clock(contents.not_before)} to {clock(contents.not_after)}, "
        f"SHA-1 {result.cert.sha1}"
    )


def _about(result: ProbeResult) -> str:
    ntlm = result.ntlm
    if ntlm is None:
        return ""
    said = [
        plain(ntlm.dns_computer or ntlm.nb_computer or "no name"),
        f"domain {plain(ntlm.nb_domain)}" if ntlm.nb_domain and ntlm.nb_domain != ntlm.nb_computer else "",
        f"version {plain(ntlm.product_version)}" if ntlm.product_version else "",
    ]
    if result.clock_skew_s is not None and result.clock_uncertainty_s is not None:
        said.append(f"clock {result.clock_skew_s:+.1f} s from ours (to within {result.clock_uncertainty_s:.1f} s)")
    return ", ".join(filter(None, said))


def _meaning(outcome: Outcome, count: int) -> list[str]:
    times = f" ({count} endpoints)" if count > 1 else ""
    out = ["", *_wrapped(f"{outcome.value}{times}: {outcome.sentence}", "", "  ")]
    out.append("  What may be behind it when this is an Azure VM, likeliest first:")
    for number, cause in enumerate(CAUSES[outcome], 1):
        out += _wrapped(f"{number}. {cause}", "    ", "       ")
    if caveat := CAVEATS.get(outcome.verdict):
        out += _wrapped(caveat, "  ", "  ")
    return out


def _item(name: str, text: str) -> list[str]:
    first = f"  {name:<12} "
    return _wrapped(plain(text), first, " " * len(first)) if text else []


def _wrapped(text: str, first: str, following: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=following, break_long_words=False, break_on_hyphens=False
    )
