"""Let the serial console give a prompt from the next restart on."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.need import need
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Yielded, fix
from rdp_remediate.models.report import Finding


@fix(faults=("emergency-access-missing",), layer="guest", order=70, permissions=RUN_COMMAND)
def enable_serial_console(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    """Switch EMS of the current boot entry on.

    Changes: ems of the boot entry to Yes; nothing is restarted. The settings of the port stay as the image has them.
    Undo: puts the recorded value back, or removes it.
    Refuses when: never; a person decides, because the console is a way in for whoever may use it.
    """
    del findings
    ems = need(facts.guest.system_item("boot")).ems
    yield Draft(
        kind="boot_ems",
        target={"entry": "current"},
        expected=None if ems == "absent" else ems,
        desired="Yes",
        title="Switch EMS on for the serial console, from the next restart on",
        postcondition="the boot entry says ems Yes",
        opens=False,
        always_ask="it takes effect at a restart, whose time the owner chooses, and opens a console for whoever may use it",
    )
