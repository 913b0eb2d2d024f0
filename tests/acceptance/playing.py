"""Plays a scenario: the lab, the alert at the function code, the run to its end; and what an expert expects of it."""

import argparse
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdp_remediate.cli.demo import play
from rdp_remediate.cli.lab_services import environment_of, open_lab
from rdp_remediate.diagnosis import diagnose_bundle
from rdp_remediate.errors import UsageError
from rdp_remediate.lab.guests.winps import find_winps
from rdp_remediate.lab.names import Names
from rdp_remediate.lab.request_log import LoggedRequest
from rdp_remediate.lab.scenario import Expect
from rdp_remediate.lab.server import Lab
from rdp_remediate.models.bundle import Bundle
from rdp_remediate.models.plan import JournalEntry, Outcome
from rdp_remediate.models.report import Diagnosis, Report
from rdp_remediate.models.run import Run
from rdp_remediate.ports import Services
from rdp_remediate.settings import Settings
from rdp_remediate.wiring import open_services

OTHER_NAMES = Names(
    subscription="9a1d7f62-4c1b-4a2e-8f57-0c1d2e3f4a5b",
    resource_group="RG-Produktion",
    vm="sql-frontend-02",
    nic="sql-frontend-02-nic7",
    public_ip="pip-frontend",
    nic_nsg="guard-frontend",
    subnet_nsg="guard-dmz",
    vnet="spoke-7",
    subnet="dmz",
    nic_rule="remote-admin",
    subnet_rule="office-in",
    private_address="10.0.0.4",
    public_address="20.61.7.9",
)


@dataclass(frozen=True)
class Played:
    """One run over one lab, to its end."""

    run: Run
    report: Report
    bundles: list[Bundle]
    diagnoses: list[Diagnosis]
    journal: list[JournalEntry]
    requests: list[LoggedRequest]
    expect: Expect

    @property
    def applied(self) -> list[JournalEntry]:
        """The steps that were applied."""
        return [entry for entry in self.journal if entry.outcome is Outcome.APPLIED]

    @property
    def run_commands(self) -> int:
        """How many Run Commands were sent."""
        return len(sent(self.requests, "POST", "/runcommand"))

    def writes(self) -> list[str]:
        """Every request that changes something in Azure, in order."""
        acting = ("/start", "/restart", "/redeploy", "/reapply", "/poweroff", "/deallocate", "/initiate")
        return [
            f"{one.method} {one.path}"
            for one in self.requests
            if one.method in ("PUT", "DELETE", "PATCH") or (one.method == "POST" and one.path.lower().endswith(acting))
        ]


def needs(guest: str) -> str:
    """Skips the calling test where the guest runtime is not there."""
    if guest == "winps":
        try:
            find_winps()
        except UsageError as missing:
            pytest.skip(f"winps is in ../shared/tools/winps, which is not part of the repository: {missing}")
    return guest


def sent(requests: Sequence[LoggedRequest], method: str, ending: str) -> list[LoggedRequest]:
    """The requests of one kind."""
    return [one for one in requests if one.method == method and one.path.lower().endswith(ending)]


def options(name: str | None, guest: str, file: Path | None = None) -> argparse.Namespace:
    """What the command line would say."""
    return argparse.Namespace(scenario=name, scenario_file=file, guest=guest, latency="instant", speed=None)


@asynccontextmanager
async def wired(
    name: str | None,
    guest: str,
    folder: Path,
    *,
    file: Path | None = None,
    names: Names | None = None,
    more: dict[str, str] | None = None,
) -> AsyncIterator[tuple[Lab, Services, Settings]]:
    """A lab and the product's services over it."""
    async with (
        open_lab(options(name, guest, file), names) as lab,
        environment_of(lab, str(folder / "runs.sqlite3")) as environment,
    ):
        settings = Settings.from_environment({**environment, **(more or {})})
        async with open_services(settings, vantage="app") as services:
            yield lab, services, settings


async def played(lab: Lab, services: Services, settings: Settings) -> Played:
    """One run over a lab that is there."""
    before = len(lab.requests.entries)
    run, report = await play(lab, services, settings)
    assert report is not None
    bundles = [await services.ledger.get_bundle(reference) for reference in run.bundles]
    return Played(
        run,
        report,
        bundles,
        [diagnose_bundle(bundle) for bundle in bundles],
        await services.ledger.journal(run.run_id),
        lab.requests.entries[before:],
        lab.scenario.expect,
    )


async def play_scenario(
    name: str | None,
    guest: str,
    folder: Path,
    *,
    file: Path | None = None,
    names: Names | None = None,
    prepare: Callable[[Lab], None] = lambda _: None,
) -> Played:
    """Plays one scenario from the alert to the end."""
    async with wired(name, guest, folder, file=file, names=names) as (lab, services, settings):
        prepare(lab)
        return await played(lab, services, settings)


def mismatches(one: Played) -> list[str]:
    """Where a run is not what the scenario's expert says."""
    expect, first, last = one.expect, one.diagnoses[0], one.diagnoses[-1]
    verdict = first.verdict
    found: list[str] = []
    if verdict.status not in expect.status:
        found.append(f"status {verdict.status}, expected {expect.status}")
    hop = verdict.hop.value if verdict.hop else None
    if expect.hop and verdict.status != "reachable" and hop != expect.hop and hop not in expect.hop_may:
        found.append(f"hop {hop}, expected {expect.hop}")
    faults = {f.fault for f in first.findings if f.fault and f.status.value in ("fail", "by_design")}
    if missing := set(expect.causes) - faults:
        found.append(f"not found: {sorted(missing)}")
    if wrong := set(expect.not_causes) & faults:
        found.append(f"wrongly found: {sorted(wrong)}")
    if expect.order and (treated := _order_of(one, expect.order)) != expect.order:
        found.append(f"order {treated}, expected {expect.order}")
    if expect.changes_in_auto is not None and len(one.applied) > expect.changes_in_auto:
        found.append(f"{len(one.applied)} changes, at most {expect.changes_in_auto} expected")
    after = expect.after_auto if isinstance(expect.after_auto, list) else [expect.after_auto]
    if expect.after_auto and last.verdict.status not in after:
        found.append(f"afterwards {last.verdict.status}, expected {after}")
    found += [f"our bug: {f.check}: {f.reason}" for d in one.diagnoses for f in d.findings if f.status.value == "error"]
    found += [
        f"remedy of {fault}: {remedy(one, fault)}, expected {wanted}"
        for fault, wanted in expect.remedy.items()
        if remedy(one, fault) != wanted and {remedy(one, fault), wanted} != {"manual", "none"}
    ]
    return found


def _order_of(one: Played, faults: Sequence[str]) -> list[str]:
    """The faults in the order in which the report names what is done about them; what has no place keeps the expert's."""
    steps = [*(entry.step for entry in one.journal), *(one.run.plan.steps if one.run.plan else [])]
    places = {fault: next((n for n, step in enumerate(steps) if fault in step.faults), None) for fault in faults}
    placed = sorted((fault for fault in faults if places[fault] is not None), key=lambda fault: places[fault] or 0)
    following = iter(placed)
    return [next(following) if places[fault] is not None else fault for fault in faults]


def remedy(one: Played, fault: str) -> str:
    """How a fault was handled: safe, approval, manual or none."""
    steps = [*(one.run.plan.steps if one.run.plan else []), *(entry.step for entry in one.journal)]
    mine = [step for step in steps if fault in step.faults]
    if mine:
        return "safe" if all(step.approval is None for step in mine) else "approval"
    refused = one.run.plan is not None and any(refusal.fault == fault for refusal in one.run.plan.refusals)
    return "manual" if refused else "none"
