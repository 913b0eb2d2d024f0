"""Every fault that can keep RDP to an Azure Windows VM from working, by the hop that it belongs to.

The ids are those of the reports. A fault that no check names is not looked for; docs/faults.md says which.
"""

from rdp_remediate.models.report import Hop

CATALOGUE: dict[Hop, tuple[str, ...]] = {
    Hop.CLIENT: (
        "client-local-security-software", "client-stale-dns", "client-name-not-found", "client-wrong-port",
        "client-credssp-unpatched", "client-tls-too-old", "client-encryption-below-server", "client-username-format",
        "client-udp-transport", "client-license-store-corrupt", "client-audio-first-try-hang",
    ),
    Hop.EDGE: (
        "edge-outbound-rdp-blocked", "edge-proxy-or-ids", "edge-caller-ip-not-allowed",
        "edge-vpn-or-expressroute-down",
    ),
    Hop.ENDPOINT: (
        "no-public-ip", "public-ip-standard-no-nsg", "public-ip-changed", "public-ip-dissociated",
        "lb-nat-rule-missing-or-wrong-port", "lb-public-ip-sku-mismatch", "azfw-dnat-missing",
        "bastion-target-nsg-blocks", "bastion-forced-tunnel-or-dns", "bastion-user-format-or-entra",
        "bastion-rbac-or-jit", "bastion-websocket-blocked", "rdgateway-max-connections", "classic-endpoint-missing",
        "classic-endpoint-wrong-port", "classic-acl-denies", "classic-retired",
    ),
    Hop.NETWORK: (
        "nsg-no-allow-rule", "nsg-explicit-deny-wins", "nsg-second-layer-deny", "nsg-wrong-port",
        "nsg-wrong-protocol-or-direction", "nsg-destination-is-public-ip", "nsg-asg-membership-missing",
        "nsg-open-to-internet", "avnm-security-admin-deny", "jit-closed", "udr-default-route-asymmetric",
        "udr-blackhole", "nva-not-forwarding", "bgp-forced-tunnel", "vnet-peering-disconnected",
        "secondary-nic-has-no-default-route", "vnet-custom-dns-broken", "egress-blocked-for-agent",
    ),
    Hop.PLATFORM: (
        "vm-deallocated", "vm-stopped-allocated", "vm-hibernated", "vm-transitional", "vm-provisioning-failed",
        "vm-allocation-failed", "vm-spot-evicted", "subscription-or-quota-disabled", "platform-unavailable",
        "platform-degraded-hardware", "platform-maintenance-or-freeze", "accelnet-unhealthy", "agent-not-ready",
        "agent-not-installed", "vmaccess-extension-broken", "runcommand-blocked", "mgmt-lock-policy-or-rbac",
        "secure-boot-failure", "cmk-or-keyvault-unavailable", "nic-ip-changed", "boot-diagnostics-disabled",
    ),
    Hop.GUEST_NETWORK: (
        "nic-disabled", "static-ip-in-guest-mismatch", "dhcp-client-disabled", "nsi-not-running",
        "default-gateway-missing", "primary-ip-order-wrong", "netvsc-driver-bad", "ghost-nics",
        "mellanox-driver-crash", "tcp-port-exhaustion", "guest-dns-broken", "winhttp-proxy-blocks-wireserver",
        "third-party-filter-driver", "duplicate-or-conflicting-ip",
    ),
    Hop.GUEST_FIREWALL: (
        "fw-rdp-rule-disabled", "fw-rdp-rule-missing", "fw-rule-wrong-profile", "fw-explicit-block-rule",
        "fw-block-all-inbound", "fw-gpo-enforced-block", "fw-custom-port-rule-missing", "fw-rule-remoteaddress-scope",
        "firewall-services-stopped", "third-party-host-firewall", "ipsec-domain-isolation",
        "fw-rule-bound-wrong-service", "firewall-profile-off", "fw-outbound-block",
    ),
    Hop.GUEST_RDP_SERVICE: (
        "rdp-disabled-local", "rdp-disabled-policy", "termservice-stopped", "termservice-disabled",
        "termservice-hang-or-crash", "termservice-wrong-account", "termservice-access-denied",
        "termservice-dependency-failed", "termservice-dll-tampered", "umrdpservice-disabled", "sessionenv-disabled",
        "crypto-services-down", "listener-disabled", "listener-logon-disabled", "ts-disabled", "drain-mode",
        "ts-user-logon-disabled", "listener-key-missing-or-corrupt", "listener-bound-to-wrong-adapter",
        "rdp-port-unmatched", "rdp-port-conflict", "admin-session-limit", "max-instance-count",
        "session-timeout-drops", "gpo-refresh-flaps-rdp", "cert-self-signed-expired-or-missing",
        "cert-machinekeys-acl", "cert-key-corrupt", "cert-custom-thumbprint-missing", "cert-custom-private-key-acl",
        "cert-template-renewal-failed", "cert-store-setting-wrong", "tls-server-protocols-disabled",
        "tls-cipher-suite-mismatch", "security-layer-encryption-inconsistent", "security-negotiation-disabled",
        "nla-required-with-rdp-layer", "min-encryption-too-high", "fips-enforced", "rds-license-grace-expired",
        "rds-license-misconfigured", "rds-license-cert-corrupt", "rdcb-broken", "rds-redirection-ip-stale",
        "rds-service-busy-or-leak", "user-config-load-timeout", "sysprep-or-oobe-state", "known-bad-update-rdp",
    ),
    Hop.GUEST_AUTH: (
        "auth-bad-password", "auth-unknown-user", "auth-account-disabled", "auth-account-locked",
        "auth-account-expired", "auth-password-expired", "auth-must-change-password",
        "auth-logon-hours-or-workstation", "auth-not-in-rdp-users", "auth-rdp-logon-right-missing",
        "auth-network-logon-denied-nla", "nla-dc-unreachable", "secure-channel-broken", "netlogon-not-running",
        "domain-creds-disabled", "clock-skew", "credssp-oracle-server-side", "account-gone-after-dc-promotion",
        "ntlm-restricted", "sam-remote-call-denied", "rdp-cert-registry-acl", "profile-load-error",
        "kerberos-token-too-large", "profile-corrupt-temp", "entra-role-missing", "entra-client-or-pku2u",
        "entra-mfa-or-ca", "entra-hostname-mismatch", "entra-join-failed", "rcg-or-restricted-admin-mismatch",
        "brute-force-in-progress",
    ),
    Hop.GUEST_OS: (
        "boot-safe-mode", "bsod", "bitlocker-recovery-prompt", "windows-update-in-progress",
        "getting-windows-ready-stuck", "working-on-features-stuck", "checking-file-system", "shutdown-stuck",
        "boot-config-error", "reboot-loop", "group-policy-client-hang", "local-session-manager-hang",
        "dsrm-or-directory-init-failure", "os-disk-full", "high-cpu", "low-memory", "os-unresponsive",
        "disk-throttled-or-offline", "component-or-hive-corruption", "guest-initiated-shutdown",
        "emergency-access-missing",
    ),
}  # fmt: skip
"""Hop to fault ids, in the order in which Microsoft's pages treat them."""
