"""The probe as the pipeline's port: an address and a name in, the bundle's JSON out."""

from rdp_remediate.models.base import JsonObject
from rdp_remediate.probe.prober import CONCURRENCY, Prober
from rdp_remediate.probe.target import ConnectTo, ProbeTarget
from rdp_remediate.probe.times import ProbeTimes


class BundleProber:
    """Implements `rdp_remediate.ports.Prober`."""

    def __init__(
        self,
        times: ProbeTimes | None = None,
        *,
        concurrency: int = CONCURRENCY,
        connect_to: ConnectTo | None = None,
    ) -> None:
        """Prepares the prober; the arguments are those of `rdp_remediate.probe.prober.Prober`."""
        self._prober = Prober(times, concurrency=concurrency, connect_to=connect_to)

    async def probe(self, address: str, port: int, *, computer_name: str | None = None) -> JsonObject:
        """Makes one confirmed probe and gives its result as JSON.

        The certificate's identity is judged from the bundle, where the guest's own thumbprint is: here only the name
        is compared.

        Raises:
            UsageError: The address or the port is no endpoint.
        """
        names = () if computer_name is None else (computer_name,)
        result = await self._prober.probe(ProbeTarget(address, port, expected_computer_names=names))
        return result.to_json()
