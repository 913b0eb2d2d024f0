"""The temporary VM for a person: when it is offered, and that its probe line is a probe."""

import shlex
import subprocess

import pytest

from rdp_remediate.models.bundle import Bundle, UnavailableFact
from rdp_remediate.report.temporary_neighbour import group_name, probe_line, temporary_neighbour
from tests import factories as f
from tests.factories import healthy_bundle
from tests.guest.test_neighbour import ANSWERS, _server


def _bundle(reason: str = "not_configured") -> Bundle:
    missing = UnavailableFact(fact="probes.neighbour", reason=reason, detail="No VM has the tag.")
    bundle = healthy_bundle()
    return bundle.model_copy(update={"unavailable": [*bundle.unavailable, missing]})


def test_it_is_made_in_its_own_group_without_a_public_address_and_deleted_last() -> None:
    (block,) = temporary_neighbour(_bundle())
    lines = [shlex.split(line) for line in block.lines]
    group = group_name(f.VM)
    assert [line[1:3] for line in lines] == [
        ["group", "create"],
        ["vm", "create"],
        ["vm", "run-command"],
        ["group", "delete"],
    ]
    assert all(group in line for line in lines)
    made = lines[1]
    assert made[made.index("--public-ip-address") + 1] == ""
    assert made[made.index("--subnet") + 1].endswith("/subnets/snet-app")
    assert "estimate" in (block.note or "")
    assert "assumption" in (block.note or "")
    assert block.only_if is not None


@pytest.mark.parametrize("bundle", [healthy_bundle(), _bundle("timeout"), _bundle("busy")])
def test_it_is_not_offered_where_none_was_looked_for_or_one_was_asked(bundle: Bundle) -> None:
    assert temporary_neighbour(bundle) == []


def test_its_line_tells_an_rdp_server_from_a_closed_port() -> None:
    with _server(ANSWERS) as port:
        seen = subprocess.run(
            ["/bin/sh", "-c", probe_line("127.0.0.1", port)], capture_output=True, text=True, check=False
        )
    assert seen.stdout.split()[:7] == ["open", "03", "00", "00", "13", "0e", "d0"]
    shut = subprocess.run(["/bin/sh", "-c", probe_line("127.0.0.1", port)], capture_output=True, text=True, check=False)
    assert "open" not in shut.stdout
