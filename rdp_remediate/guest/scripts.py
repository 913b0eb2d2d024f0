"""The two scripts that run inside Windows, put together from the parts in `powershell/`.

collect.ps1 and repair.ps1 include the same request, wire and collector parts, so that what a repair prints at its end
is exactly what a collection would have printed.
"""

import functools
import re
from collections.abc import Mapping
from importlib import resources

_INCLUDE = re.compile(r"^# include ([a-z_]+\.ps1)$", re.MULTILINE)


@functools.cache
def _part(name: str) -> str:
    return resources.files(__package__).joinpath("powershell", name).read_text(encoding="ascii")


def assemble(name: str, instead: Mapping[str, str] | None = None) -> str:
    """Returns an entry script with the parts that it includes.

    Args:
        name: The entry file, such as `collect.ps1`.
        instead: Texts to use in place of parts. The check for Constrained Language Mode replaces `full_language.ps1`,
            whose functions are not called there.
    """
    replaced = instead or {}

    def included(match: re.Match[str]) -> str:
        part = match.group(1)
        return replaced.get(part, _part(part)).rstrip("\n")

    return _INCLUDE.sub(included, _part(name))


@functools.cache
def registry_values() -> Mapping[str, tuple[str, ...]]:
    """Returns the registry values that the collector reads, by short key, in the order in which its answer holds them."""
    table = _part("registry_values.ps1").partition("$script:registryValues = @{")[2].partition("\n}")[0]
    found = {}
    for match in re.finditer(r"^ +'([^']+)' = (?:, )?('[^']+'(?:,\s+'[^']+')*)$", table, re.MULTILINE):
        found[match[1]] = tuple(re.findall("'([^']+)'", match[2]))
    return found


def collect_script() -> str:
    """Returns the read-only collector; its first line is `# rdp-remediate collect 1`."""
    return assemble("collect.ps1")


def repair_script() -> str:
    """Returns the script that applies steps and ends as the collector does; it begins `# rdp-remediate repair 1`."""
    return assemble("repair.ps1")


def neighbour_script(*, windows: bool) -> str:
    """Returns the read-only probe that a neighbour VM runs: PowerShell for Windows, POSIX sh for Linux."""
    if windows:
        return assemble("neighbour.ps1")
    return resources.files(__package__).joinpath("shell", "neighbour.sh").read_text(encoding="ascii")
