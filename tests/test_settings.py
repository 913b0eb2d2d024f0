import json
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from rdp_remediate.errors import UsageError
from rdp_remediate.settings import Settings, docs_text

SUBSCRIPTION = "/subscriptions/5e1f0c2a-8a54-4f4e-9a0b-1d2c3b4a5f60"
GROUP = f"{SUBSCRIPTION}/resourceGroups/Shop-RG"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/Web01"


def _read(**variables: str) -> Settings:
    return Settings.from_environment({f"RDP_REMEDIATE_{name.upper()}": text for name, text in variables.items()})


def test_without_any_setting_nothing_is_changed() -> None:
    settings = Settings.from_environment({"PATH": "/usr/bin", "RDP_REMEDIATE_MAX_MODE": "  "})
    assert settings == Settings()
    assert (settings.max_mode, settings.untagged, settings.store) == ("observe", "observe", None)
    assert settings.auto_risks == frozenset()
    assert (settings.rule_ttl_s, settings.settle_s) == (28_800, 90)
    assert settings.sources_for(VM) == ()


def test_settings_cannot_be_changed() -> None:
    settings: Any = _read(sources=json.dumps({"/": ["10.0.0.0/8"]}))
    with pytest.raises(FrozenInstanceError):
        settings.max_mode = "auto"
    with pytest.raises(TypeError):
        settings.sources["/"] = ()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_mode", "auto", "auto"),
        ("max_mode", " Approve ", "approve"),
        ("untagged", "off", "off"),
        ("unknown_author", "ask", "ask"),
        ("auto_risks", "disruptive; exposing", {"disruptive", "exposing"}),
        ("auto_risks", '["sensitive"]', {"sensitive"}),
        ("guest_reads", "never", "never"),
        ("rule_ttl_s", "3600", 3600),
        ("settle_s", "0", 0),
        ("kill_switch", "on", True),
        ("kill_switch", "FALSE", False),
        ("rdp_alert_rules", f"{VM}/,\n{VM.upper()}", {VM.lower()}),
        ("isolation_tags", "Quarantine,state=Isolated", {"Quarantine", "state=Isolated"}),
        ("isolation_nsgs", f"Quarantine-NSG,{VM}", {"quarantine-nsg", VM.lower()}),
        ("own_principal_ids", "0F9E8D7C6B5A49488736251403F2E1D0", {"0f9e8d7c6b5a49488736251403f2e1d0"}),
        ("workspace_id", "5e1f0c2a-8a54-4f4e-9a0b-1d2c3b4a5f60", "5e1f0c2a-8a54-4f4e-9a0b-1d2c3b4a5f60"),
        ("vantage_address", "203.0.113.1", "203.0.113.1"),
        ("vantage_address", "2001:DB8::1", "2001:db8::1"),
        ("webhook_url", "http://127.0.0.1:8080/hook?sig=a/", "http://127.0.0.1:8080/hook?sig=a/"),
        ("arm_url", "https://localhost:18443/", "https://localhost:18443"),
        ("store", "runs.sqlite", "runs.sqlite"),
        ("poll_interval_cap_s", "1", 1),
    ],
)
def test_each_form_is_read(name: str, text: str, value: Any) -> None:
    assert getattr(_read(**{name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("max_mode", "full", "known are observe, approve, auto"),
        ("max_mode", "off", "known are"),
        ("auto_risks", "safe", "known are disruptive, exposing, sensitive"),
        ("kill_switch", "maybe", "write true or false"),
        ("rule_ttl_s", "8h", "from 300 to 604800"),
        ("rule_ttl_s", "0", "from 300 to 604800"),
        ("settle_s", "-1", "from 0 to 600"),
        ("settle_s", "1e2", "from 0 to 600"),
        ("settle_s", "0" * 5000 + "5", "from 0 to 600"),
        ("settle_s", "٣", "from 0 to 600"),
        ("rdp_alert_rules", "failed-rdp", "no ARM resource id"),
        ("own_principal_ids", "me@example.com", "no GUID"),
        ("workspace_id", "central-logs", "no GUID"),
        ("vantage_address", "203.0.113.0/28", "no IP address"),
        ("arm_url", "http://management.azure.com", "must start with https://"),
        ("arm_url", "management.azure.com", "no URL"),
        ("arm_url", "https://someone:word@management.azure.com", "no URL"),
        ("event_grid_topic", "https://[::1", "no URL"),
        ("auto_risks", '["disruptive", 5]', "no JSON array of texts"),
        ("connect_to", "20.1.2.3:3389", "no mapping"),
        ("isolation_tags", "a\tb", "cannot be printed"),
        ("sources", "203.0.113.0/28", "not valid JSON"),
        ("sources", "[" * 100_000, "not valid JSON"),
        ("sources", '["203.0.113.0/28"]', "no JSON object"),
        ("sources", '{"prod": ["203.0.113.0/28"]}', "no ARM scope"),
        ("sources", '{"/": "203.0.113.0/28"}', "no array of CIDRs"),
        ("sources", '{"/": ["*"]}', "never a source"),
        ("sources", '{"/": ["Internet"]}', "never a source"),
        ("sources", '{"/": ["0.0.0.0/0"]}', "the widest is /24"),
        ("sources", '{"/": ["::/0"]}', "the widest is /64"),
        ("sources", '{"/": ["203.0.112.0/23"]}', "the widest is /24"),
        ("sources", '{"/": ["8.0.0.0/5"]}', "the widest is /24"),
        ("sources", '{"/": ["203.0.113.7/28"]}', r"did you mean 203\.0\.113\.0/28"),
        ("sources", '{"/subscriptions/A": [], "/subscriptions/a/": []}', "stands there twice"),
    ],
)
def test_a_wrong_value_is_named_with_its_setting(name: str, text: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault) as caught:
        _read(**{name: text})
    assert str(caught.value).startswith(f"RDP_REMEDIATE_{name.upper()} ")
    assert len(str(caught.value)) < 300


def test_a_mistyped_name_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"no setting RDP_REMEDIATE_KILLSWITCH; did you mean RDP_REMEDIATE_KILL_SWITCH\?"
    ):
        _read(killswitch="true")
    with pytest.raises(UsageError, match=r"docs/settings\.md lists them"):
        _read(xyzzy="1")


def test_the_longest_scope_wins_at_a_whole_segment_and_in_any_case() -> None:
    settings = _read(
        sources=json.dumps(
            {
                "/": ["10.0.0.0/8"],
                SUBSCRIPTION: ["203.0.113.0/24", "203.0.113.0/24"],
                GROUP.upper(): ["198.51.100.7", "2001:db8::/64", "fd00::/8"],
                VM + "9": ["192.0.2.0/24"],
                f"{GROUP}/providers/Microsoft.Compute/virtualMachines/closed": [],
            }
        )
    )
    assert settings.sources_for(VM) == ("198.51.100.7/32", "2001:db8::/64", "fd00::/8")
    assert settings.sources_for(VM.lower() + "9") == ("192.0.2.0/24",)
    assert settings.sources_for(VM.replace("Web01", "CLOSED")) == ()
    assert settings.sources_for(GROUP + "2/providers/x/y/z") == ("203.0.113.0/24",)
    assert settings.sources_for("/subscriptions/other") == ("10.0.0.0/8",)
    assert Settings(sources={GROUP: ("192.0.2.0/24",)}).sources_for(VM) == ("192.0.2.0/24",)


def test_connection_mappings_are_for_the_lab_only() -> None:
    mapping = "20.1.2.3:3389:127.0.0.1:40001,[2001:db8::1]:3389:[::1]:40002"
    with pytest.raises(UsageError, match="for the lab only"):
        _read(connect_to=mapping)
    with pytest.raises(UsageError, match="for the lab only"):
        _read(connect_to=mapping, arm_url="https://localhost.example.com")
    lab = _read(connect_to=mapping, arm_url="https://127.0.0.1:18443")
    assert lab.connect_to == ("20.1.2.3:3389:127.0.0.1:40001", "[2001:db8::1]:3389:[::1]:40002")
    assert lab.in_lab
    assert not Settings().in_lab


def test_the_token_scope_follows_the_endpoint_unless_set() -> None:
    assert Settings().arm_scope == "https://management.azure.com/.default"
    assert _read(arm_url="https://localhost:18443").arm_scope == "https://localhost:18443/.default"
    assert _read(credential_scope="api://x/.default").arm_scope == "api://x/.default"


def test_a_store_in_tables_needs_both_services() -> None:
    with pytest.raises(UsageError, match="RDP_REMEDIATE_BLOB_SERVICE_URI"):
        _read(store="tables", table_service_uri="https://a.table.core.windows.net")
    assert _read(store="tables", storage_connection="UseDevelopmentStorage=true").store == "tables"
    both = _read(
        store="tables",
        table_service_uri="https://a.table.core.windows.net/",
        blob_service_uri="https://a.blob.core.windows.net/",
    )
    assert both.table_service_uri == "https://a.table.core.windows.net"


@pytest.mark.parametrize("name", ["teams_webhook_url", "webhook_url", "storage_connection"])
def test_secrets_are_neither_shown_nor_quoted(name: str) -> None:
    good = "https://hooks.example.com/hidden-part"
    assert "hidden-part" not in repr(_read(**{name: good}))
    with pytest.raises(UsageError) as caught:
        _read(**{name: "hidden-part\x00"})
    assert "hidden-part" not in str(caught.value)


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `RDP_REMEDIATE_(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", docs_text(), re.MULTILINE)
    assert [row[0].lower() for row in rows] == [field.name for field in fields(Settings)]
    assert all(len(row[3]) > 20 for row in rows)
    defaults = {row[0].lower(): row[2] for row in rows}
    assert defaults["max_mode"] == "observe"
    assert defaults["sources"] == defaults["auto_risks"] == defaults["store"] == "none"
    assert defaults["kill_switch"] == "false"


def test_settings_are_light() -> None:
    script = "import sys, rdp_remediate.settings; print(sorted({'pydantic', 'azure', 'aiohttp'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
