"""The function app under the genuine runtime: what is indexed, and the main job from the alert to the posted card."""

from collections.abc import Iterator

import pytest

from tests.azurite import Azurite
from tests.deployment import Deployment, deploy


@pytest.fixture(scope="module")
def deployed(azurite: Azurite) -> Iterator[Deployment]:
    with deploy(azurite) as deployment:
        yield deployment


@pytest.fixture
def app(deployed: Deployment) -> Deployment:
    deployed.begin()
    return deployed


def test_an_alert_ends_with_rdp_working_and_the_team_told_once(app: Deployment) -> None:
    run_id = app.alert()
    assert len(app.pump.texts("runs")) == 1
    status = app.work(run_id)
    report = status["report"]
    assert report["verdict_before"]["status"] == "broken"
    assert {"fw-rdp-rule-disabled", "nsg-no-allow-rule"} == set(report["verdict_before"]["causes"])
    assert (report["verdict"]["status"], report["verdict"]["proof"]) == ("reachable", "end_to_end")
    assert app.lab.run_commands() == ["collect", "repair"]
    assert len(app.lab.rule_writes()) == 1
    assert len(app.lab.cards()) == 1
