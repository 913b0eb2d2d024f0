"""What the probe's findings say to people; without pydantic, so that a probe in a process of its own starts fast."""

from collections.abc import Mapping
from types import MappingProxyType

FINDINGS: Mapping[str, str] = MappingProxyType(
    {
        "cert_expired": "The server's certificate has expired.",
        "cert_expiring": "The server's certificate expires within 14 days.",
        "cert_changed": "The server's certificate is not the expected one: Windows renewed it, or something else answered.",
        "cert_name_not_ntlm_name": "The certificate names another computer than the NTLM challenge.",
        "cert_issued_by_ca": "The certificate was issued by a certification authority, not by the server.",
        "cert_unreadable": "The server's certificate could not be parsed.",
        "other_machine_answered": "Another machine answered than the expected one.",
        "legacy_tls": "The server chose TLS 1.1 or older.",
        "clock_skew": "The server's clock is more than five minutes off ours.",
        "no_nla": "The server did not ask for Network Level Authentication.",
        "entra_only": "The server accepts Microsoft Entra sign-in only.",
    }
)
"""What each finding says; it never changes the verdict of the probe."""

INTERCEPTION = (
    "Something on the way terminates TLS with a certificate of its own: NLA sign-ins fail through this path, because CredSSP "
    "binds them to the server's own key."
)
POSSIBLE_INTERCEPTION = (
    "A certification authority issued the certificate for another name than the computer's. If it is not the VM's own, "
    "something on the way terminates TLS, and NLA sign-ins fail through this path."
)
