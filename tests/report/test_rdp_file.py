"""The fresh .rdp file: only where the user's own is stale, with the right address and port, and without a secret."""

from datetime import timedelta

from rdp_remediate.client.rdp_file import dialled, parse_rdp
from rdp_remediate.report.rdp_file import fresh_rdp_file
from tests import factories as f
from tests.checks.client_documents import attempt, checked
from tests.checks.judging import diagnosis

OLD = "20.50.9.9"
STOPPED = f.activity("Microsoft.Compute/virtualMachines/deallocate/action", f.VM, "ops@example.com", timedelta(days=1))


def _file(*changes: f.Change, port: int | None = None) -> str | None:
    return fresh_rdp_file(diagnosis(*changes).findings, port)


def test_a_name_that_leads_to_an_old_address() -> None:
    text = _file(checked(resolution={"addresses": [OLD]}, target=attempt("timeout", address=OLD)))
    assert text is not None
    assert dialled(parse_rdp(text.encode(), "x.rdp")) == (f.PUBLIC_ADDRESS, 3389)
    assert text.splitlines()[-1] == "prompt for credentials:i:1"
    assert "password" not in text


def test_an_old_address_and_a_port_of_ones_own() -> None:
    dynamic = f.resource(f.PUBLIC_IP, "properties", "publicIPAllocationMethod", value="Dynamic")
    text = _file(dynamic, STOPPED, f.target(dialled_address=OLD), port=3389)
    assert text is not None
    assert dialled(parse_rdp(text.encode(), "x.rdp")) == (f.PUBLIC_ADDRESS, 3389)


def test_no_file_where_what_is_dialled_is_right() -> None:
    assert _file() is None
    assert _file(checked()) is None
    assert _file(checked(target=attempt("timeout"))) is None
