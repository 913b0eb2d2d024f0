"""Which mode a run has: the lowest of the ceiling, every tag and the request. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rdp_remediate.models.bundle import MODE_ORDER, Mode
from rdp_remediate.models.fact import Fact, Unavailable

TAG = "rdp-remediate"
TAG_PREFIX = "rdp-remediate-"
GUEST_READS_TAG = "rdp-remediate-guest-reads"


@dataclass(frozen=True)
class ResolvedMode:
    """The mode that holds and why.

    Attributes:
        mode: The lowest that anybody named.
        because: One sentence for the report.
        tagged: Some scope carries the tag.
        readable: Every scope's tags could be read.
        tags: The product's own tags that were honoured, lower-case names; the first scope wins, VM first.
        guest_reads: never if setting or tag says so.
    """

    mode: Mode
    because: str
    tagged: bool
    readable: bool
    tags: Mapping[str, str]
    guest_reads: Literal["never", "asked"]


def resolve_mode(
    *,
    ceiling: Mode,
    untagged: Mode,
    requested: Mode | None,
    scopes: Sequence[tuple[str, Fact[Mapping[str, str]]]],
    guest_reads: str = "asked",
) -> ResolvedMode:
    """Works out the mode.

    Args:
        ceiling: The setting max_mode, or --mode of the command line.
        untagged: The mode of a VM that no tag speaks of.
        requested: What the request asked for; it can only lower.
        scopes: Name and tags of VM, resource group and subscription, in this order.
        guest_reads: The setting; a tag can only forbid.

    Returns:
        The lowest mode named anywhere; `off` wins; unreadable tags mean observe.
    """
    named: list[tuple[Mode, str]] = [(ceiling, f"the ceiling is {ceiling.value}")]
    if requested is not None:
        named.append((requested, f"the request asked for {requested.value}"))
    own: dict[str, str] = {}
    tagged = False
    readable = True
    for scope, tags in scopes:
        if isinstance(tags, Unavailable):
            readable = False
            named.append((Mode.OBSERVE, f"the tags of the {scope} could not be read ({tags.detail})"))
            continue
        lower = {key.lower(): value.strip() for key, value in tags.value.items()}
        for key, value in lower.items():
            if key == TAG or key.startswith(TAG_PREFIX):
                own.setdefault(key, value)
        if TAG in lower:
            tagged = True
            named.append(_tag(lower[TAG], scope))
    if not tagged and readable:
        named.append((untagged, f"no tag {TAG} was found and the mode without one is {untagged.value}"))
    mode, because = min(named, key=lambda one: MODE_ORDER.index(one[0]))
    forbidden = guest_reads == "never" or own.get(GUEST_READS_TAG, "").lower() == "never"
    return ResolvedMode(mode, because, tagged, readable, own, "never" if forbidden else "asked")


def _tag(value: str, scope: str) -> tuple[Mode, str]:
    word = value.lower()
    if word in Mode.__members__.values():
        return Mode(word), f"the tag {TAG}={word} of the {scope}"
    return Mode.OBSERVE, f"the tag {TAG}={value} of the {scope} is no known mode"
