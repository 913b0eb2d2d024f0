"""Raise the security settings of the listener until they go together."""

from collections.abc import Iterator, Sequence

from rdp_remediate.facts.facts import Facts
from rdp_remediate.facts.rdp_security import listener_setting, tls_versions
from rdp_remediate.fixes.fix import RUN_COMMAND, Draft, Refused, Yielded, fix
from rdp_remediate.models.report import Finding


@fix(
    faults=("nla-required-with-rdp-layer", "security-layer-encryption-inconsistent"),
    layer="guest",
    order=30,
    permissions=RUN_COMMAND,
)
def make_security_layer_consistent(facts: Facts, findings: Sequence[Finding]) -> Iterator[Yielded]:
    r"""Raise security layer and encryption level to a pair that is valid.

    Changes: RT\MinEncryptionLevel to 2 and, where NLA lacks it, RT\SecurityLayer to 2. Nothing is ever lowered.
    Undo: writes the recorded values back.
    Refuses when: a group policy sets one of them, or TLS 1.2 and later are off.
    """
    layer = listener_setting(facts, "SecurityLayer")
    level = listener_setting(facts, "MinEncryptionLevel")
    lacks_tls = findings[0].fault == "nla-required-with-rdp-layer"
    if (lacks_tls and layer.policy is not None) or (level.value == 1 and level.policy is not None):
        name = "SecurityLayer" if lacks_tls and layer.policy is not None else "MinEncryptionLevel"
        yield Refused("policy_owned", f"Group policy sets {name}; a local write would be undone.", "group policy")
        return
    versions = tls_versions(facts)
    if lacks_tls and not (versions["1.2"] or versions["1.3"]):
        yield Refused("tls_first", "TLS 1.2 is off; requiring TLS now would leave no way in.", "security baseline")
        return
    if level.value == 1:
        yield Draft(
            kind="registry",
            target={"path": r"RT\MinEncryptionLevel"},
            expected=level.local,
            desired=2,
            title="Raise the encryption level to 2 (client compatible)",
            postcondition="RT\\MinEncryptionLevel is 2",
            opens=False,
        )
    if lacks_tls:
        yield Draft(
            kind="registry",
            target={"path": r"RT\SecurityLayer"},
            expected=layer.local,
            desired=2,
            title="Set the security layer to TLS, which NLA needs",
            postcondition="RT\\SecurityLayer is 2",
        )
