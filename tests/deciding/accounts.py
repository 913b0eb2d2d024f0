"""Rows of the hop guest-auth."""

from tests.factories import VM

_ASKED: tuple[tuple[str, str | None], ...] = (
    ("guest.accounts.asked", None),
    ("guest.accounts", None),
    ("guest.sign_ins", None),
    ("guest", None),
)
_STATE: tuple[tuple[str, str | None], ...] = (("guest.accounts.asked", None), ("guest.accounts", None), ("guest", None))
_ANSWER: tuple[tuple[str, str | None], ...] = (
    ("guest.sign_ins.asked", None),
    ("guest.sign_ins", None),
    ("guest", None),
)
_RIGHTS: tuple[tuple[str, str | None], ...] = (*_ASKED, ("guest.accounts.asked.rights", None))
_DOMAIN: tuple[tuple[str, str | None], ...] = (("guest.os", None), ("guest.services.Netlogon", None), ("guest", None))

_ROLES: tuple[tuple[str, str | None], ...] = (("role_assignments", VM), ("guest", None))

DECIDING: dict[str, tuple[tuple[str, str | None], ...]] = {
    "auth-bad-password": (*_ANSWER, ("guest.accounts", None)),
    "auth-unknown-user": (*_ASKED, ("guest.os", None)),
    "account-gone-after-dc-promotion": (*_ANSWER, ("guest.os", None)),
    "auth-account-disabled": _STATE,
    "auth-account-locked": _STATE,
    "auth-account-expired": _STATE,
    "auth-password-expired": _STATE,
    "auth-must-change-password": _STATE,
    "auth-logon-hours-or-workstation": (*_ASKED, ("guest.accounts.asked.limits", None)),
    "auth-not-in-rdp-users": _RIGHTS,
    "auth-rdp-logon-right-missing": _RIGHTS,
    "auth-network-logon-denied-nla": _RIGHTS,
    "netlogon-not-running": _DOMAIN,
    "nla-dc-unreachable": (*_DOMAIN, ("guest.accounts", None)),
    "secure-channel-broken": (*_DOMAIN, ("guest.accounts.channel", None)),
    "entra-role-missing": _ROLES,
    "clock-skew": (*_DOMAIN, ("guest.accounts.clock", None)),
    "domain-creds-disabled": ((r"guest.registry.LSA\disabledomaincreds", None), ("guest.os", None)),
    "ntlm-restricted": (
        (r"guest.registry.LSA\MSV1_0\RestrictReceivingNTLMTraffic", None),
        ("guest.sign_ins.asked", None),
    ),
    "credssp-oracle-server-side": ((r"guest.registry.SYS\CredSSP\Parameters\AllowEncryptionOracle", None),),
    "sam-remote-call-denied": (("guest.events", None), ("guest.os", None)),
    "rdp-cert-registry-acl": (("guest.accounts.certificate_store_acl", None), ("guest.accounts", None)),
    "kerberos-token-too-large": (
        ("guest.events", None),
        (r"guest.registry.LSA\Kerberos\Parameters\MaxTokenSize", None),
    ),
    "profile-corrupt-temp": (("guest.accounts.asked.profile", None), *_STATE),
    "entra-join-failed": (("guest.accounts.entra_joined", None), ("guest.accounts", None)),
    "entra-client-or-pku2u": ((r"guest.registry.LSA\pku2u\AllowOnlineID", None), ("guest.accounts.entra_joined", None)),
    "entra-mfa-or-ca": _ANSWER,
    "brute-force-in-progress": (("guest.sign_ins", None), ("guest", None)),
}
