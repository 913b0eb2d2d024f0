"""A lab and the product wired to it: what demo, lab start and the acceptance tests share."""

import argparse
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rdp_remediate.errors import UsageError
from rdp_remediate.lab import scenario as scenarios
from rdp_remediate.lab.guest_runtime import GuestRuntime
from rdp_remediate.lab.guests.modelled import ModelledGuest
from rdp_remediate.lab.guests.rdp_front import RdpFront
from rdp_remediate.lab.guests.winps import WinpsGuest
from rdp_remediate.lab.names import Names
from rdp_remediate.lab.server import Lab

DEFAULT = "fw-rdp-rule-disabled+nsg-no-allow-rule"


def add_lab_options(command: argparse.ArgumentParser) -> None:
    """Adds the options that say which lab to start."""
    command.add_argument("scenario", nargs="?", help=f"built-in scenario, or several joined with + (default {DEFAULT})")
    command.add_argument("--scenario", dest="scenario_file", metavar="FILE", type=Path, help="a scenario file")
    command.add_argument(
        "--guest",
        choices=("modelled", "winps"),
        default="modelled",
        help="modelled: pure Python, our own scripts only (default); winps: the genuine PowerShell engine, where it is installed",
    )
    command.add_argument("--latency", choices=("instant", "realistic"), default="instant", help="how slow Azure is")
    command.add_argument("--speed", type=float, metavar="N", help="realistic latency divided by N (default 1)")


def chosen_scenario(options: argparse.Namespace) -> scenarios.Scenario:
    """The scenario of the command line.

    Raises:
        UsageError: There is none of that name, the file holds none, or both were named.
    """
    if options.scenario_file is None:
        return scenarios.by_name(options.scenario or DEFAULT)
    loaded = scenarios.load(options.scenario_file)
    if len(loaded) == 1 and options.scenario is None:
        return loaded[0]
    by_name = {one.name: one for one in loaded}
    if options.scenario is None:
        raise UsageError(
            f"{options.scenario_file} holds {len(loaded)} scenarios; name one: {', '.join(list(by_name)[:8])} …"
        )
    if options.scenario not in by_name:
        raise UsageError(f"{options.scenario_file} holds no scenario {options.scenario}.")
    return by_name[options.scenario]


@asynccontextmanager
async def open_lab(options: argparse.Namespace, names: Names | None = None) -> AsyncIterator[Lab]:
    """Starts the lab of the command line and ends it."""
    runtime: GuestRuntime = WinpsGuest() if options.guest == "winps" else ModelledGuest()
    speed = options.speed if options.speed is not None else 1.0
    if speed <= 0:
        raise UsageError("--speed is a number above 0.")
    latency = "realistic" if options.speed is not None else options.latency
    async with Lab(
        chosen_scenario(options), runtime=runtime, front=RdpFront, names=names, latency=latency, speed=speed
    ) as lab:
        yield lab


def lab_environment(lab: Lab, store: str) -> dict[str, str]:
    """The settings that point the product at a lab: mode auto, the scenario's sources, our own probe from the client's place."""
    scenario = lab.scenario
    policy = scenario.policy
    client = scenario.ask.client
    found = {
        **lab.exports(),
        "RDP_REMEDIATE_ARM_URL": lab.arm_url,
        "RDP_REMEDIATE_CA_BUNDLE": str(lab.ca_file),
        "RDP_REMEDIATE_CONNECT_TO": ",".join(lab.connect_to),
        "RDP_REMEDIATE_MAX_MODE": policy.mode if policy else "auto",
        "RDP_REMEDIATE_UNTAGGED": policy.mode if policy else "auto",
        "RDP_REMEDIATE_SOURCES": json.dumps({"/": scenario.sources}),
        "RDP_REMEDIATE_STORE": store,
        "RDP_REMEDIATE_SETTLE_S": "0",
        "RDP_REMEDIATE_TEAMS_WEBHOOK_URL": f"{lab.http_url}/teams",
        "RDP_REMEDIATE_POLL_INTERVAL_CAP_S": "1",
    }
    if client:
        found["RDP_REMEDIATE_VANTAGE_ADDRESS"] = client
    if policy and policy.auto_risks:
        found["RDP_REMEDIATE_AUTO_RISKS"] = ",".join(policy.auto_risks)
    if policy and policy.isolation_tags:
        found["RDP_REMEDIATE_ISOLATION_TAGS"] = ",".join(policy.isolation_tags)
    if policy and policy.isolation_nsgs:
        found["RDP_REMEDIATE_ISOLATION_NSGS"] = ",".join(policy.isolation_nsgs)
    return found


@asynccontextmanager
async def environment_of(lab: Lab, store: str) -> AsyncIterator[dict[str, str]]:
    """Puts the lab's settings into this process's environment for as long as the block lasts: credentials read it."""
    wanted = lab_environment(lab, store)
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield wanted
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
