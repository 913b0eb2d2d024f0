"""What the probe saw of certificate, name, TLS and clock, in every rendering."""

from rdp_remediate.models.report import Report
from rdp_remediate.report import card, html, sections, text
from tests.report import factories as make

SAID = "NLA sign-ins fail through this path"
EARLIER = "The server's certificate has expired."


def report() -> Report:
    before = [make.probe(findings=[EARLIER])]
    after = [make.probe(findings=[SAID]), make.probe(address="20.50.1.5", findings=[SAID])]
    return make.report().model_copy(update={"probes": {"before": before, "after": after}})


def test_the_latest_probes_are_quoted_once_for_all_their_endpoints() -> None:
    assert sections.probe_remarks(report()) == [f"20.50.1.4:3389, 20.50.1.5:3389: {SAID}"]


def test_every_rendering_holds_them() -> None:
    assert SAID in "\n".join(text.lines(report()))
    assert SAID in card.message(report()).decode()
    page = html.page(report())
    assert page.count(SAID.split("'", maxsplit=1)[0]) >= 2
    assert "has expired" in page


def test_without_remarks_there_is_no_section() -> None:
    assert "Seen by the probe" not in "\n".join(text.lines(make.report()))
