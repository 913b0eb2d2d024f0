"""Rows of the hop guest-rdp-service about certificates."""

DECIDING: dict[str, tuple[tuple[str, str | None], ...]] = {
    "cert-self-signed-expired-or-missing": (("guest.certificate", None),),
    "cert-custom-thumbprint-missing": (
        ("guest.certificate", None),
        (r"guest.registry.RT\SSLCertificateSHA1Hash", None),
    ),
    "cert-machinekeys-acl": (("guest.certificate", None), ("guest.certificate.key", None)),
    "cert-key-corrupt": (("guest.certificate", None), ("guest.certificate.key", None)),
    "cert-custom-private-key-acl": (("guest.certificate", None), ("guest.certificate.key", None)),
    "cert-store-setting-wrong": (
        (r"guest.registry.TS\WinStations\SelfSignedCertStore", None),
        (r"guest.registry.CV\ProfileList\ProgramData", None),
    ),
    "cert-template-renewal-failed": (
        (r"guest.registry.POL\CertTemplateName", None),
        ("guest.events", None),
    ),
}
