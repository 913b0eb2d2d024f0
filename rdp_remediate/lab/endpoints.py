"""The live RDP endpoints: one loopback port per address and port that a client may dial."""

from collections.abc import Callable
from functools import partial

from rdp_remediate.lab.guest_runtime import (
    Admission,
    CertificateFiles,
    GuestRuntime,
    RdpFront,
    RdpFrontFactory,
    RdpListener,
)
from rdp_remediate.lab.packets import LabPath, Verdict
from rdp_remediate.lab.world import World

Dialled = tuple[str, int]


class Endpoints:
    """Opens a front per dialled address and port, and lets them follow the state."""

    def __init__(
        self,
        world: World,
        runtime: GuestRuntime,
        factory: RdpFrontFactory | None,
        certificate: Callable[[str], CertificateFiles],
    ) -> None:
        self.world, self._runtime, self._factory, self._certificate = world, runtime, factory, certificate
        self._path = LabPath(world)
        self.vantages: dict[str, str] = {}
        """Simulated address of a loopback source address; others come from the scenario's client."""
        self.ports: dict[Dialled, int] = {}
        self._fronts: dict[Dialled, RdpFront] = {}

    def client(self, peer: str) -> str:
        """Returns the simulated address of a loopback peer."""
        return self.vantages.get(peer) or self.world.scenario.ask.client or "203.0.113.7"

    def dialled(self) -> list[Dialled]:
        """Returns every address of the target with the ports that a client may try."""
        guest = self.world.guests.get(self.world.vm_id.lower())
        listener = self._runtime.rdp_listener(guest) if guest is not None else None
        ports = {3389, self.world.scenario.ask.dialled_port, *([listener.port] if listener else [])}
        found: dict[Dialled, None] = {}
        for entry in self._path.entries(self.world.vm_id):
            for port in {entry.port} if entry.port is not None else ports:
                found[entry.address, port] = None
        asked = self.world.scenario.ask.dialled_address
        if asked and not asked.startswith("{"):
            found[asked, self.world.scenario.ask.dialled_port] = None
        return sorted(found)

    def admission(self, dialled: Dialled, peer: str) -> Admission:
        """Returns what a connect to a dialled address and port sees, coming from a loopback peer."""
        world = self.world
        landing = self._path.walk(world.vm_id, self.client(peer), *dialled)
        if landing.verdict is not Verdict.ALLOW or world.power_state(world.vm_id) != "running":
            return Admission.SILENT
        guest = world.guests.get(world.vm_id.lower())
        if guest is None:
            return Admission.SILENT
        return self._runtime.admits(guest, landing.source, landing.port)

    async def start(self, host: str) -> None:
        """Opens the fronts; without a factory there are none."""
        if self._factory is None:
            return
        for dialled in self.dialled():
            front = self._factory(
                admit=partial(self.admission, dialled),
                listener=self._listener,
                certificate=self._certificate,
            )
            self._fronts[dialled] = front
            self.ports[dialled] = await front.start(host)

    def _listener(self) -> RdpListener | None:
        guest = self.world.guests.get(self.world.vm_id.lower())
        return self._runtime.rdp_listener(guest) if guest is not None else None

    async def refresh(self) -> None:
        """Lets every front take the posture that the state demands now."""
        for front in self._fronts.values():
            await front.refresh()

    async def close(self) -> None:
        """Closes the fronts."""
        for front in self._fronts.values():
            await front.close()
        self._fronts.clear()

    @property
    def connect_to(self) -> list[str]:
        """Mappings HOST:PORT:ADDR:PORT; an IPv6 host stands in brackets."""
        return [
            f"{f'[{address}]' if ':' in address else address}:{port}:127.0.0.1:{loopback}"
            for (address, port), loopback in self.ports.items()
        ]
