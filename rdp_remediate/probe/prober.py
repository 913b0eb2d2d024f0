"""The probe as others call it: one attempt, an attempt confirmed, many targets at a bounded concurrency."""

import asyncio
import random
from dataclasses import replace

from rdp_remediate.probe import x224
from rdp_remediate.probe.attempt import Attempt
from rdp_remediate.probe.findings import judge_findings, judge_identity
from rdp_remediate.probe.result import ProbeResult
from rdp_remediate.probe.target import ConnectTo, ProbeTarget
from rdp_remediate.probe.times import ProbeTimes

CONCURRENCY = 50
"""Attempts at a time. More of them measure our own event loop instead of the servers."""

COOKIE = "rdpcheck"
"""Our name in the connection request of a confirming attempt. It holds the line end that some web servers wait for."""

_RANDOM = random.SystemRandom()


async def probe(host: str, port: int, times: ProbeTimes | None = None) -> ProbeResult:
    """Probes an endpoint once, with nothing expected of it.

    Raises:
        UsageError: The host or the port is no endpoint.
    """
    target = ProbeTarget(host, port)
    return _judged(await Attempt(host, port, times or ProbeTimes()).run(), target)


async def probe_confirmed(target: ProbeTarget, times: ProbeTimes | None = None) -> ProbeResult:
    """Probes a target; a bad answer counts only when a second attempt is bad, too."""
    return await Prober(times).probe(target)


class Prober:
    """Probes targets, at most so many at a time.

    It holds no connection between probes and belongs to the event loop that first uses it.
    """

    def __init__(
        self,
        times: ProbeTimes | None = None,
        *,
        concurrency: int = CONCURRENCY,
        connect_to: ConnectTo | None = None,
    ) -> None:
        """Prepares a prober.

        Args:
            times: Deadlines; the defaults are meant for the Internet.
            concurrency: Attempts at a time.
            connect_to: Where to connect in place of a host and port; for the lab only.

        Raises:
            ValueError: The concurrency is below one.
        """
        if concurrency < 1:
            raise ValueError(f"The concurrency {concurrency} is below one.")
        self._times = times or ProbeTimes()
        self._slots = asyncio.Semaphore(concurrency)
        self._connect_to = {(host.lower(), port): real for (host, port), real in (connect_to or {}).items()}

    async def probe(self, target: ProbeTarget) -> ProbeResult:
        """Probes a target; a bad answer counts only when a second attempt is bad, too."""
        result = await self._attempt(target)
        if result.outcome.confirm:
            await asyncio.sleep(self._times.confirm_delay_s * _RANDOM.uniform(0.8, 1.2))
            first = result.outcome
            second = await self._attempt(target, cookie=COOKIE)
            result = replace(second, attempts=2, earlier_outcomes=(first,))
        if target.ask_nla_required:
            result = replace(result, nla_required=await self._nla_required(target, result))
        return _judged(result, target)

    async def _attempt(
        self, target: ProbeTarget, *, cookie: str | None = None, offered: x224.SecurityProtocol = x224.OFFERED
    ) -> ProbeResult:
        connect_to = self._connect_to.get((target.host.lower(), target.port))
        async with self._slots:
            attempt = Attempt(
                target.host, target.port, self._times, connect_to=connect_to, cookie=cookie, offered=offered
            )
            return await attempt.run()

    async def _nla_required(self, target: ProbeTarget, result: ProbeResult) -> bool | None:
        """Offers TLS only: a server that insists on NLA refuses that with HYBRID_REQUIRED_BY_SERVER."""
        if not result.x224_answered:
            return None
        if result.selected in ("tls", "rdp"):
            return False
        answer = await self._attempt(target, offered=x224.SecurityProtocol.SSL)
        if answer.neg_failure == x224.NegotiationFailure.HYBRID_REQUIRED_BY_SERVER.name:
            return True
        return False if answer.selected == "tls" else None


def _judged(result: ProbeResult, target: ProbeTarget) -> ProbeResult:
    return replace(result, identity=judge_identity(result, target), findings=judge_findings(result, target))
