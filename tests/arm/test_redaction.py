"""The redaction table: secrets go, what the diagnosis needs stays."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from rdp_remediate.arm.redaction import REDACTED, redact, redact_text

CANARY = "canary-7f3a"


def test_no_secret_of_a_vm_survives_and_all_else_does() -> None:
    vm: dict[str, Any] = {
        "name": "vm1",
        "properties": {
            "userData": CANARY,
            "osProfile": {
                "computerName": "VM1",
                "adminUsername": "ops",
                "adminPassword": CANARY,
                "customData": CANARY,
                "windowsConfiguration": {"additionalUnattendContent": [{"content": CANARY}], "timeZone": "UTC"},
            },
        },
        "resources": [
            {
                "properties": {
                    "publisher": "Microsoft.Compute",
                    "type": "CustomScriptExtension",
                    "settings": {"fileUris": [f"https://x.blob.core.windows.net/a?sig={CANARY}"]},
                    "protectedSettings": {"commandToExecute": CANARY},
                    "provisioningState": "Succeeded",
                }
            }
        ],
    }
    cleaned = redact(vm)
    assert CANARY not in json.dumps(cleaned)
    assert cleaned["properties"]["osProfile"]["computerName"] == "VM1"
    assert cleaned["properties"]["osProfile"]["windowsConfiguration"]["timeZone"] == "UTC"
    assert cleaned["resources"][0]["properties"]["type"] == "CustomScriptExtension"
    assert cleaned["resources"][0]["properties"]["settings"] == REDACTED
    assert vm["properties"]["userData"] == CANARY, "redaction copies"


def test_output_of_scripts_in_the_instance_view_goes() -> None:
    view = {
        "substatuses": [
            {"code": "ComponentStatus/StdOut/succeeded", "message": CANARY},
            {"code": "ProvisioningState/succeeded", "message": "Finished"},
        ]
    }
    assert redact(view)["substatuses"] == [
        {"code": "ComponentStatus/StdOut/succeeded", "message": REDACTED},
        {"code": "ProvisioningState/succeeded", "message": "Finished"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"see https://st.blob.core.windows.net/c/log?sv=2024&sig={CANARY}",
        f"poll https://management.azure.com/op/1?t=1&c={CANARY}&s={CANARY}&api-version=2022-01-01",
        f"Authorization: Bearer {CANARY}{CANARY}",
        f"eyJhbGciOiJub25lIn0.eyJ{CANARY}{CANARY}.{CANARY}",
        f"AccountName=x;AccountKey={CANARY}==;Suffix=y",
        f'password: "{CANARY} {CANARY}"',
    ],
)
def test_secrets_within_text_go(text: str) -> None:
    assert CANARY not in redact_text(text)


def test_api_version_and_host_of_a_url_stay() -> None:
    assert redact_text("at https://management.azure.com/op/1?t=1&api-version=2022-01-01&s=x.") == (
        "at https://management.azure.com/op/1?api-version=2022-01-01"
    )


def test_documents_inside_strings_are_opened_and_cleaned() -> None:
    body = json.dumps({"properties": {"protectedSettings": {"a": CANARY}, "access": "Deny"}})
    cleaned = redact({"properties": {"requestbody": body, "responseBody": f"<{CANARY}>"}})
    assert json.loads(cleaned["properties"]["requestbody"])["properties"] == {
        "protectedSettings": REDACTED,
        "access": "Deny",
    }
    assert cleaned["properties"]["responseBody"] == REDACTED


def test_claims_keep_who_acted_and_lose_the_person() -> None:
    claims = {"appid": "a", "name": CANARY, "ipaddr": CANARY, "uti": CANARY, "xms_mirid": "/subscriptions/s"}
    assert redact({"claims": claims})["claims"] == {"appid": "a", "xms_mirid": "/subscriptions/s"}
    assert json.loads(redact({"claims": json.dumps(claims)})["claims"]) == {
        "appid": "a",
        "xms_mirid": "/subscriptions/s",
    }


@pytest.mark.parametrize(
    "name",
    [
        "nsg-list-subscription-2020-08-01.json",
        "net-effective-nsg-lro-2021-08-01.json",
        "nic-get-2022-01-01-rec2026.json",
        "vm-instanceview-windows-ready-2020-12-01.json",
        "jit-policies-list-2020-01-01.json",
        "lb-inbound-nat-rules-2019-11-01.json",
    ],
)
def test_recorded_evidence_passes_unchanged(name: str, payload: Callable[[str], Any]) -> None:
    """The table must not eat what the diagnosis reads; only extension settings differ in these answers."""
    for exchange in payload(name)["exchanges"]:
        body = exchange["response"].get("body")
        text, cleaned = json.dumps(body), json.dumps(redact(body))
        if '"settings"' not in text:
            assert cleaned == text
