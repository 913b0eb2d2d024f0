"""The vector scenarios of the rows that checks name, of compounds and traps, executed on the genuine PowerShell engine."""

import asyncio
import copy
from collections.abc import Sequence
from pathlib import Path

import pytest

from rdp_remediate.checks.check import all_checks
from rdp_remediate.diagnosis import diagnose, diagnose_bundle
from rdp_remediate.facts.facts import read_facts
from rdp_remediate.guest.protocol import decode_answer
from rdp_remediate.guest.scripts import collect_script
from rdp_remediate.lab.guest_runtime import GuestState
from rdp_remediate.lab.guests.winps import WinpsGuest
from rdp_remediate.lab.scenario import Scenario, load
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.fact import Unavailable
from rdp_remediate.models.report import Finding, FindingStatus
from tests.acceptance.playing import Played, mismatches, needs, play_scenario
from tests.deciding import deciding
from tests.factories import altered, hide
from tests.lab.guests.parity import request
from tests.winps import find_winps, shared_winps

pytestmark = pytest.mark.slow

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"
FILES = (
    "guest_network.json", "guest_firewall.json", "guest_rdp_service.json", "guest_auth.json", "guest_os.json",
    "platform.json", "compound.json", "traps.json",
)  # fmt: skip
ABSENT = "the vectors are in ../shared/vectors, which is not part of the repository"
KNOWN = {fault for check in all_checks() for fault in (*check.faults, *check.not_provable)}
"""The catalogue rows that a check names, those that it can never prove among them."""

DECIDING = deciding()

DELIBERATE = {
    ("PL13a", "remedy of agent-not-ready"): "a restart is no repair of RDP that works; by hand (as TR16 wants it)",
    ("CC11", "remedy of agent-not-ready"): "as PL13a: the handshake succeeds",
    ("PL20a", "remedy of nic-ip-changed"): "the user's address and the DNS record are not the VM's; named, by hand",
    ("PL21a", "remedy of boot-diagnostics-disabled"): "it needs the right to write whole VMs, which the app never has",
    ("GO14a", "remedy of os-disk-full"): "what is deleted cannot be put back; by hand",
    (
        "GO15a",
        "remedy of high-cpu",
    ): "which process, disk or size is a person's choice; by hand, with the exact commands",
    (
        "GO16a",
        "remedy of low-memory",
    ): "which process, disk or size is a person's choice; by hand, with the exact commands",
    (
        "GO18a",
        "remedy of disk-throttled-or-offline",
    ): "which process, disk or size is a person's choice; by hand, with the exact commands",
    (
        "GO19a",
        "remedy of component-or-hive-corruption",
    ): "sfc and DISM run longer than a Run Command of this app; by hand",
    ("GA02a", "remedy of auth-unknown-user"): "advice for the user changes nothing, so there is no step to call safe",
    ("TR35", "remedy of auth-unknown-user"): "advice for the user changes nothing, so there is no step to call safe",
    (
        "GA18a",
        "remedy of account-gone-after-dc-promotion",
    ): "advice for the user changes nothing, so there is no step to call safe",
    ("GA17a", "remedy of credssp-oracle-server-side"): "AllowEncryptionOracle is never weakened, 0 is its secure value",
    ("GA20a", "remedy of sam-remote-call-denied"): "the setting is a domain controller's, which is not repaired",
    ("GA24a", "remedy of profile-corrupt-temp"): "a user's profile key is never deleted",
    ("GA29a", "remedy of entra-join-failed"): "writing the Entra extension is its owner's",
    ("CC21", "remedy of entra-join-failed"): "as GA29a",
    ("GF10a", "status reachable"): "the lab's network does not play other firewalls, so its handshake succeeds",
    ("GN08a", "remedy of ghost-nics"): "removing devices cannot be taken back; by hand",
    ("CC09", "remedy of ghost-nics"): "as above",
    ("GN12a", "not found: ['winhttp-proxy-blocks-wireserver']"): "the agent is not ready, so nothing reads Windows",
    ("GN12a", "remedy of winhttp-proxy-blocks-wireserver"): "as above",
    (
        "GN14a",
        "remedy of duplicate-or-conflicting-ip",
    ): "the address in conflict is the NIC's own; another computer has to give it up",
    (
        "GR11a",
        "remedy of cert-self-signed-expired-or-missing",
    ): "the start of SessionEnv, a safe step, makes the certificate anew",
    ("GR18a", "remedy of listener-key-missing-or-corrupt"): "a copy of the key of the same build is needed; by hand",
    ("GR24a", "remedy of session-timeout-drops"): "the limit is a policy's, and policies are never written locally",
    ("GR33a", "remedy of tls-server-protocols-disabled"): "SCHANNEL is never written; the exact commands are given",
    ("CC08", "remedy of tls-server-protocols-disabled"): "as above",
    (
        "GR34a",
        "remedy of tls-cipher-suite-mismatch",
    ): "the order of cipher suites is a policy; the exact commands are given",
    (
        "GR28a",
        "remedy of cert-key-corrupt",
    ): "a certificate and its key are never deleted unattended; by hand, with the way back",
    ("GR41a", "remedy of rds-license-misconfigured"): "which licenses were bought decides the mode; by hand",
    ("GR42a", "hop None"): "what cannot be proven is not_proven, which names no hop",
    ("GR42a", "afterwards not_proven"): "as above: it stays not_proven",
    ("GR48a", "remedy of known-bad-update-rdp"): "an update is installed by who patches the machine; by hand",
    ("CC15", "remedy of nsg-no-allow-rule"): "behind an admin deny a rule does nothing today and opens unwatched later",
    ("TR03", "remedy of jit-closed"): "the trap forbids touching the rule; asking Defender is an approval step",
    ("TR20", "remedy of windows-update-in-progress"): "waiting is a step that changes nothing; GO04a calls it safe",
    ("TR30", "remedy of vm-deallocated"): "a VM that a person stopped is started with approval only; never by itself",
    ("TR31", "remedy of no-public-ip"): "the rights for it would let the app swap any NIC's addresses; by hand",
    ("TR32", "hop edge"): "the caller's address, which the trap leaves free, comes first in path order",
    ("TR32", "remedy of nsg-no-allow-rule"): "a source outside the configured ones is refused even if approved",
}
"""Where the design decides otherwise than a vector's expert, and why; anything else that differs is a failure."""


@pytest.fixture(autouse=True)
def _one_winps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of labs share one process of winps: a script is a function of the state that is sent with it."""
    if find_winps() is None:
        return
    shared = shared_winps()

    async def exchange(_guest: WinpsGuest, line: bytes, _timeout_s: float) -> bytes:
        return (await asyncio.to_thread(shared.exchange, line.decode())).encode()

    monkeypatch.setattr(WinpsGuest, "_exchange", exchange)


def chosen() -> list[tuple[str, str]]:
    """File and name of the scenarios all of whose causes a check names; none in a public clone."""
    found = []
    for file in FILES:
        if (VECTORS / file).is_file():
            found += [(file, one.name) for one in load(VECTORS / file) if _is_known(one)]
    return found


def _is_known(one: Scenario) -> bool:
    if one.expect.kind in ("fault", "near-miss") and one.expect.row not in KNOWN:
        return False
    return set(one.expect.causes) <= KNOWN


def unexplained(name: str, one: Played) -> list[str]:
    """The differences that the design does not decide."""
    return [text for text in mismatches(one) if not any(name == n and text.startswith(t) for n, t in DELIBERATE)]


@pytest.mark.parametrize(
    ("file", "name"), chosen() or [pytest.param("", "", marks=pytest.mark.skip(reason=ABSENT), id="absent")]
)
async def test_the_vectors_of_the_known_rows(file: str, name: str, tmp_path: Path) -> None:
    before: list[GuestState] = []
    one = await play_scenario(
        name, needs("winps"), tmp_path, file=VECTORS / file, prepare=lambda lab: before.extend(_guest_of(lab))
    )
    assert unexplained(name, one) == []
    if one.expect.kind == "fault" and one.expect.row in _faults(one.diagnoses[0].findings):
        for fact, key in DECIDING.get(one.expect.row, ()):
            unseen = diagnose(read_facts(altered(one.bundles[0], hide(fact, key))))
            mine = next(finding for finding in unseen.findings if finding.check == _check_of(one, one.expect.row))
            assert mine.status is FindingStatus.UNKNOWN, f"{name} without {fact} {key or ''}: {mine}"
            assert _faults(unseen.findings) < _faults(one.diagnoses[0].findings), f"{name} without {fact} {key or ''}"

    _finds_nothing_else_in_constrained_language(one, before)


def _guest_of(lab: Lab) -> list[GuestState]:
    """The target's guest as it is before anybody looks."""
    guest = lab.world.guests.get(lab.world.vm_id.lower())
    return [] if guest is None else [copy.deepcopy(guest)]


def _finds_nothing_else_in_constrained_language(one: Played, before: list[GuestState]) -> None:
    """Plain cmdlets see less: the same faults, or fewer."""
    first = one.bundles[0]
    if first.guest is None or not before:
        return
    slices = []
    for number in (1, 2):
        address = (first.guest.get("self_probe") or {}).get("address")
        asked = request(user=first.target.user, self_address=address, slice=number)
        run = shared_winps().run(collect_script(), before[0], asked, constrained=True)
        answer = decode_answer(run["stdout"][-4096:], number)
        assert not isinstance(answer, Unavailable), answer
        slices.append(answer)
    plain = diagnose_bundle(first.model_copy(update={"guest": slices[0], "guest_slice2": slices[1]}))
    assert _faults(plain.findings) <= _faults(one.diagnoses[0].findings)
    if plain.verdict.status != one.diagnoses[0].verdict.status:
        assert plain.verdict.status == "not_proven"


def _check_of(one: Played, row: str) -> str:
    return next(finding.check for finding in one.diagnoses[0].findings if finding.fault == row)


def _faults(findings: Sequence[Finding]) -> set[str]:
    named = (FindingStatus.FAIL, FindingStatus.BY_DESIGN)
    return {finding.fault for finding in findings if finding.fault and finding.status in named}
