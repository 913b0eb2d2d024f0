"""What an attempt ended with, and what that says about the target: one table.

The rows follow the states of MS-RDPBCGR 1.3.1.1 (connection sequence) and MS-CSSP 3.1.5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Stage(StrEnum):
    """The stages of a probe, in their order."""

    DNS = "dns"
    TCP = "tcp"
    X224 = "x224"
    TLS = "tls"
    CREDSSP = "credssp"


class ProbeVerdict(StrEnum):
    """What an outcome says about RDP at the target."""

    OK = "ok"
    """RDP answers as a client needs it."""
    DEGRADED = "degraded"
    """RDP answers, but something in or before it keeps clients out or weakens the logon."""
    NOT_RDP = "not_rdp"
    """Something else listens there."""
    NO_ANSWER = "no_answer"
    """TCP connects, RDP does not answer."""
    FILTERED = "filtered"
    """Nothing answers the SYN. This alone does not tell a rule from a stopped VM or a stopped service."""
    REFUSED = "refused"
    """The SYN was refused: the port is closed on a host that answers, or a middlebox rejects."""
    UNREACHABLE = "unreachable"
    """The network answered that it has no way there."""
    ERROR = "error"
    """The probe could not be made; this says nothing about the target."""


class Outcome(StrEnum):
    """How an attempt ended. The words are part of the result's contract."""

    DNS_ERROR = "dns_error"
    TCP_TIMEOUT = "tcp_timeout"
    TCP_REFUSED = "tcp_refused"
    TCP_UNREACHABLE = "tcp_unreachable"
    TCP_RESET = "tcp_reset"
    TCP_LOCAL_DENIED = "tcp_local_denied"
    X224_TIMEOUT = "x224_timeout"
    X224_CLOSED = "x224_closed"
    X224_RESET = "x224_reset"
    X224_MALFORMED = "x224_malformed"
    X224_REFUSED = "x224_refused"
    NOT_RDP_HTTP = "not_rdp_http"
    NOT_RDP_TLS = "not_rdp_tls"
    NOT_RDP_SSH = "not_rdp_ssh"
    NOT_RDP_OTHER = "not_rdp_other"
    STANDARD_RDP = "standard_rdp"
    NEG_FAILURE_CERT = "neg_failure_cert"
    NEG_FAILURE_OTHER = "neg_failure_other"
    ENTRA_ONLY = "entra_only"
    TLS_TIMEOUT = "tls_timeout"
    TLS_CLOSED = "tls_closed"
    TLS_RESET = "tls_reset"
    TLS_ERROR = "tls_error"
    TLS_OK = "tls_ok"
    CREDSSP_TIMEOUT = "credssp_timeout"
    CREDSSP_CLOSED = "credssp_closed"
    CREDSSP_RESET = "credssp_reset"
    CREDSSP_MALFORMED = "credssp_malformed"
    NLA_NO_NTLM = "nla_no_ntlm"
    NLA_OK = "nla_ok"

    @property
    def stage(self) -> Stage:
        """The stage in which this outcome arises."""
        return OUTCOMES[self].stage

    @property
    def verdict(self) -> ProbeVerdict:
        """What this outcome says about the target."""
        return OUTCOMES[self].verdict

    @property
    def confirm(self) -> bool:
        """Whether the outcome counts only when it happens twice."""
        return OUTCOMES[self].confirm

    @property
    def sentence(self) -> str:
        """What the outcome means, in one sentence for people."""
        return OUTCOMES[self].sentence


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One row of the outcome table.

    Attributes:
        stage: Where the outcome arises.
        verdict: What it says about the target.
        confirm: Whether it must happen twice before it is reported.
        sentence: What it means, for people.
    """

    stage: Stage
    verdict: ProbeVerdict
    confirm: bool
    sentence: str


def _row(stage: Stage, verdict: ProbeVerdict, sentence: str, *, confirm: bool = False) -> OutcomeRow:
    return OutcomeRow(stage, verdict, confirm, sentence)


_S, _V, _O = Stage, ProbeVerdict, Outcome

OUTCOMES: Mapping[Outcome, OutcomeRow] = MappingProxyType(
    {
        _O.DNS_ERROR: _row(_S.DNS, _V.ERROR, "The name was not resolved, so nothing was connected to."),
        _O.TCP_TIMEOUT: _row(
            _S.TCP,
            _V.FILTERED,
            "Nothing answered the connection request: a rule drops it, the VM is off, or nothing listens "
            "behind Windows Firewall, which stays silent on closed ports.",
            confirm=True,
        ),
        _O.TCP_REFUSED: _row(
            _S.TCP, _V.REFUSED, "The connection was refused: no listener without a firewall before it, or a middlebox."
        ),
        _O.TCP_UNREACHABLE: _row(
            _S.TCP, _V.UNREACHABLE, "A router or this host answered that there is no way to the address.", confirm=True
        ),
        _O.TCP_RESET: _row(_S.TCP, _V.NO_ANSWER, "The connection was reset while it was being made.", confirm=True),
        _O.TCP_LOCAL_DENIED: _row(
            _S.TCP, _V.ERROR, "This computer could not open the connection; this says nothing about the target."
        ),
        _O.X224_TIMEOUT: _row(
            _S.X224,
            _V.NO_ANSWER,
            "TCP connects, but the RDP negotiation gets no whole answer: a middlebox, a hung service or a full queue.",
            confirm=True,
        ),
        _O.X224_CLOSED: _row(_S.X224, _V.NO_ANSWER, "TCP connects and is closed before RDP answers.", confirm=True),
        _O.X224_RESET: _row(_S.X224, _V.NO_ANSWER, "TCP connects and is reset before RDP answers.", confirm=True),
        _O.X224_MALFORMED: _row(
            _S.X224, _V.NO_ANSWER, "The answer begins like RDP but is cut short or breaks the protocol.", confirm=True
        ),
        _O.X224_REFUSED: _row(_S.X224, _V.DEGRADED, "RDP answered by disconnecting."),
        _O.NOT_RDP_HTTP: _row(_S.X224, _V.NOT_RDP, "A web server answers on this port, not RDP."),
        _O.NOT_RDP_TLS: _row(_S.X224, _V.NOT_RDP, "A TLS service answers on this port, not RDP."),
        _O.NOT_RDP_SSH: _row(_S.X224, _V.NOT_RDP, "An SSH server answers on this port, not RDP."),
        _O.NOT_RDP_OTHER: _row(_S.X224, _V.NOT_RDP, "Something other than RDP answers on this port."),
        _O.STANDARD_RDP: _row(
            _S.X224, _V.DEGRADED, "RDP answers with its old standard security only: no TLS and no NLA."
        ),
        _O.NEG_FAILURE_CERT: _row(_S.X224, _V.DEGRADED, "RDP answered that it has no certificate for TLS."),
        _O.NEG_FAILURE_OTHER: _row(_S.X224, _V.DEGRADED, "RDP answered but refuses the security that was offered."),
        _O.ENTRA_ONLY: _row(_S.X224, _V.OK, "RDP answers and accepts Microsoft Entra sign-in only."),
        _O.TLS_TIMEOUT: _row(
            _S.TLS,
            _V.DEGRADED,
            "RDP answered, then the TLS handshake got no answer: a middlebox or packets too large for the path.",
            confirm=True,
        ),
        _O.TLS_CLOSED: _row(
            _S.TLS, _V.DEGRADED, "RDP answered, then closed during the TLS handshake: often its key.", confirm=True
        ),
        _O.TLS_RESET: _row(
            _S.TLS, _V.DEGRADED, "RDP answered, then reset during the TLS handshake: often its key.", confirm=True
        ),
        _O.TLS_ERROR: _row(_S.TLS, _V.DEGRADED, "RDP answered, but the TLS handshake failed."),
        _O.TLS_OK: _row(_S.TLS, _V.OK, "RDP answers over TLS, without NLA."),
        _O.CREDSSP_TIMEOUT: _row(
            _S.CREDSSP, _V.DEGRADED, "TLS is up, but Network Level Authentication gets no answer.", confirm=True
        ),
        _O.CREDSSP_CLOSED: _row(
            _S.CREDSSP, _V.DEGRADED, "TLS is up, but Network Level Authentication is closed.", confirm=True
        ),
        _O.CREDSSP_RESET: _row(
            _S.CREDSSP, _V.DEGRADED, "TLS is up, but Network Level Authentication is reset.", confirm=True
        ),
        _O.CREDSSP_MALFORMED: _row(
            _S.CREDSSP, _V.DEGRADED, "TLS is up, but the answer is not Network Level Authentication."
        ),
        _O.NLA_NO_NTLM: _row(_S.CREDSSP, _V.OK, "RDP answers with NLA, without NTLM (for example Kerberos only)."),
        _O.NLA_OK: _row(_S.CREDSSP, _V.OK, "RDP answers with NLA."),
    }
)
"""Every outcome's row; a test asserts that none is missing."""
