"""The page: whole in itself and safe to open."""

from html.parser import HTMLParser

from rdp_remediate.models.plan import Plan
from rdp_remediate.report import html
from tests.report import factories as make

EVIL = "<script>alert(1)</script>\"' onload=x <img src=https://evil.example/p.png> &lt; </title></style>"

_VOID = ("meta", "br", "rect", "line", "path", "img", "link")


class _Reader(HTMLParser):
    """Collects elements and attributes, and insists on balanced tags."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def finished(self) -> None:
        assert self._open == []


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    reader.finished()
    return reader


def test_the_page_tells_the_whole_story() -> None:
    good = make.reachable()
    report = make.report(
        actions=[make.entry(make.rule_step())],
        verdict=good.verdict,
        findings=good.findings,
        probes={"before": make.broken().probes, "after": good.probes},
        changes=[
            {"at": "2026-05-04T02:00:00Z", "operation": "Start", "caller": "ann@example.com", "resource_id": make.VM_ID}
        ],
        notes=["Temporary access.\nresource rdp = {\n  name: 'x'\n}"],
    )
    words = "\n".join(_read(html.page(report)).words)

    for part in (
        "RDP to pay-01: REACHABLE",
        "end to end",
        "Before: RDP is broken at network",
        "✗ broken",
        f"az network nsg rule delete --ids {make.NSG_ID}",
        f"rdp-remediate undo {make.RUN_ID}",
        "rdp-remediate approve 0123456789abcdef0123 allow_rdp_in_nsg-a1b2c3",
        "Ask the owner of that group policy.",
        "another source and another destination port",
        "locks of pay-01: access was refused",
        "the answer is the VM's own",
        "ann@example.com",
        "resource rdp = {\n  name: 'x'\n}",
        make.VM_ID,
    ):
        assert part in words


def test_nothing_is_loaded_and_nothing_runs() -> None:
    read = _read(html.page(make.report()))

    assert not set(read.elements) & {"script", "img", "link", "iframe", "object", "form", "a", "base"}
    assert not [
        name for name, _ in read.attributes if name in ("src", "href", "action", "style") or name.startswith("on")
    ]
    assert "url(" not in html.page(make.report())
    assert "@import" not in html.page(make.report())


def test_every_word_from_outside_is_escaped() -> None:
    clean = _read(html.page(make.report()))
    hostile = make.report(
        vm_name=EVIL,
        trigger=EVIL,
        notes=[f"{EVIL}\n{EVIL}"],
        verdict=make.broken().verdict.model_copy(update={"headline": EVIL, "proof_detail": EVIL}),
        findings=[make.failing(reason=EVIL, title=EVIL)],
        plan=Plan(steps=[make.rule_step(title=EVIL, approval=EVIL)]),
        actions=[make.entry(make.rule_step(title=EVIL), detail=EVIL, approved_by=EVIL)],
        probes={EVIL: [make.probe(detail=EVIL, address=EVIL)]},
        changes=[{"at": EVIL, "operation": EVIL, "caller": EVIL, "resource_id": EVIL}],
        path=[make.path_view(client=EVIL, dialled=EVIL, trace=[make.row(EVIL, 1)])],
    )
    read = _read(html.page(hostile))

    assert set(read.elements) <= set(clean.elements) | {"table", "thead", "tbody", "tr", "th", "td", "pre", "code"}
    assert {name for name, _ in read.attributes} <= {name for name, _ in clean.attributes} | {"title"}
    assert any("<script>alert(1)</script>" in word for word in read.words)


def test_the_path_is_drawn_for_wide_and_narrow_screens_and_read_aloud() -> None:
    read = _read(html.page(make.report()))

    assert read.elements.count("svg") == 2
    labels = {value for name, value in read.attributes if name == "aria-label"}
    assert labels == {"client ok, edge unknown, endpoint unknown, network broken, platform ok, guest unknown"}
