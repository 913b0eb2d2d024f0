"""The lasting form of a temporary rule."""

import shlex

from rdp_remediate.network.marker import is_still_ours
from rdp_remediate.report.permanent_rule import az_line, bicep_lines
from tests.report import factories as make


def test_several_sources_take_the_plural_field_and_all_words_of_the_command() -> None:
    properties = dict(make.rule_step().desired["properties"])
    del properties["sourceAddressPrefix"]
    properties["sourceAddressPrefixes"] = ["203.0.113.0/24", "198.51.100.0/24"]
    step = make.rule_step(desired={"properties": properties})

    assert "    sourceAddressPrefixes: [ '203.0.113.0/24', '198.51.100.0/24' ]" in bicep_lines(step)
    words = shlex.split(az_line(step))
    at = words.index("--source-address-prefixes")
    assert words[at + 1 : at + 3] == ["203.0.113.0/24", "198.51.100.0/24"]
    assert words[words.index("--resource-group") + 1] == "rg-pay"
    assert words[words.index("--priority") + 1] == "310"


def test_names_cannot_break_out_of_bicep_or_the_shell() -> None:
    evil = "x'; rm -rf ${HOME} $(id)"
    step = make.rule_step(target={"nsg_id": f"{make.NSG_ID}{evil}", "name": evil})

    assert evil in shlex.split(az_line(step))
    (name,) = [line for line in bicep_lines(step) if line.startswith("  name:")]
    assert "\\'" in name
    assert "\\${HOME}" in name


def test_the_reaper_leaves_the_permanent_rule_alone() -> None:
    step = make.rule_step()
    words = shlex.split(az_line(step))
    description = words[words.index("--description") + 1]

    assert not is_still_ours(step.target["name"], {**step.desired["properties"], "description": description})
