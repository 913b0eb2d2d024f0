"""The templates compile without a finding, and what they would create holds the least rights that do the job."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from rdp_remediate.settings import Settings
from rdp_remediate.store.tables import CONTAINER, TABLE
from tests.function_host.host import FunctionHost
from tests.infra.conftest import CHECKOUT, INFRA, Bicep, Resource

# learn.microsoft.com/azure/role-based-access-control/built-in-roles
DATA_ROLES = {
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": ("Storage Blob Data Owner", "Microsoft.Storage/storageAccounts"),
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": ("Storage Queue Data Contributor", "Microsoft.Storage/storageAccounts"),
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": ("Storage Table Data Contributor", "Microsoft.Storage/storageAccounts"),
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": ("Storage Queue Data Message Sender", "Microsoft.Storage/storageAccounts"),
    "3913510d-42f4-4e42-8a64-420c390055eb": ("Monitoring Metrics Publisher", "Microsoft.Insights/components"),
}


def of_type(resources: Iterable[Resource], resource_type: str) -> list[Resource]:
    return [resource for resource in resources if resource["type"] == resource_type]


def one(resources: Iterable[Resource], resource_type: str) -> Resource:
    (resource,) = of_type(resources, resource_type)
    return resource


def custom_roles(resources: Iterable[Resource]) -> dict[str, Resource]:
    return {role["name"]: role for role in of_type(resources, "Microsoft.Authorization/roleDefinitions")}


def assignments(resources: Iterable[Resource]) -> list[tuple[str, str]]:
    """Returns (role id, scope) of every role assignment."""
    listed = []
    for resource in of_type(resources, "Microsoft.Authorization/roleAssignments"):
        scope = resource["id"].rpartition("/providers/Microsoft.Authorization/")[0]
        listed.append((resource["properties"]["roleDefinitionId"].rpartition("/")[2], scope))
    return listed


def custom_scopes(resources: list[Resource]) -> dict[str, set[str]]:
    """Returns the scopes on which each custom role is assigned, by the first words of its name."""
    roles = custom_roles(resources)
    scopes: dict[str, set[str]] = {role["properties"]["roleName"].partition(" (")[0]: set() for role in roles.values()}
    for role, scope in assignments(resources):
        if role in roles:
            scopes[roles[role]["properties"]["roleName"].partition(" (")[0]].add(scope.rpartition("/")[2])
    return scopes


@pytest.mark.slow
def test_the_linter_finds_nothing(bicep: Bicep) -> None:
    run = bicep("lint", "main.bicep")
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


@pytest.mark.slow
def test_linter_findings_are_errors(bicep: Bicep, tmp_path: Path) -> None:
    (tmp_path / "bicepconfig.json").write_text((INFRA / "bicepconfig.json").read_text(encoding="utf-8"))
    (tmp_path / "main.bicep").write_text("param unused string = 'x'\n")
    assert bicep("lint", "main.bicep", folder=tmp_path).returncode == 1


@pytest.mark.slow
def test_every_template_is_formatted(bicep: Bicep) -> None:
    for file in [*INFRA.glob("*.bicep"), *INFRA.glob("*.bicepparam")]:
        run = bicep("format", str(file), "--stdout")
        assert run.stdout == file.read_text(encoding="utf-8"), f"run: bicep format infra/{file.name}"


@pytest.mark.slow
def test_no_action_is_a_wildcard_and_none_gives_rights(largest: list[Resource]) -> None:
    roles = custom_roles(largest)
    assert len(roles) == 3
    for role in roles.values():
        (permission,) = role["properties"]["permissions"]
        assert permission["actions"]
        assert permission["dataActions"] == []
        for action in permission["actions"]:
            assert "*" not in action
            assert re.search(r"/(read|write|delete|action)$", action)
            assert not re.match(r"Microsoft\.Authorization/.*/(write|delete)$", action)


@pytest.mark.slow
def test_built_in_roles_are_data_roles_on_one_resource_of_the_app(largest: list[Resource]) -> None:
    custom = custom_roles(largest)
    built_in = [(role, scope) for role, scope in assignments(largest) if role not in custom]
    assert {role for role, _ in built_in} == set(DATA_ROLES)
    for role, scope in built_in:
        assert scope.rpartition("/")[0].endswith(DATA_ROLES[role][1])
    # Two topics send, everything else is the app's own identity: one assignment each.
    assert len(built_in) == len(DATA_ROLES) + 1


def test_without_parameters_the_app_may_only_read(smallest: list[Resource]) -> None:
    subscription = "00000000-0000-0000-0000-000000000000"
    scopes = custom_scopes(smallest)
    assert scopes == {
        "RDP Remediate Diagnose": {subscription},
        "RDP Remediate Guest": set(),
        "RDP Remediate Repair": set(),
    }
    assert of_type(smallest, "Microsoft.Insights/actionGroups") == []


@pytest.mark.slow
def test_run_command_and_repair_are_given_on_named_resource_groups_only(largest: list[Resource]) -> None:
    scopes = custom_scopes(largest)
    assert scopes["RDP Remediate Guest"] == {"rg-guest", "rg-both", "rg-repair"}
    assert scopes["RDP Remediate Repair"] == {"rg-both", "rg-repair"}


def test_storage_opens_to_identities_only(smallest: list[Resource]) -> None:
    properties = one(smallest, "Microsoft.Storage/storageAccounts")["properties"]
    assert properties["allowSharedKeyAccess"] is False
    assert properties["allowBlobPublicAccess"] is False
    assert properties["supportsHttpsTrafficOnly"] is True
    assert properties["minimumTlsVersion"] == "TLS1_2"


@pytest.mark.slow
def test_no_setting_holds_a_key_and_telemetry_needs_an_identity(largest: list[Resource]) -> None:
    settings = one(largest, "Microsoft.Web/sites/config")["properties"]
    assert not re.search(r"AccountKey|SharedAccess|listKeys|listAccountSas", json.dumps(settings), re.IGNORECASE)
    assert settings["AzureWebJobsStorage__credential"] == "managedidentity"
    assert "Authorization=AAD" in settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]
    assert one(largest, "Microsoft.Insights/components")["properties"]["DisableLocalAuth"] is True
    keyed = [resource["type"] for resource in largest if "listKeys" in json.dumps(resource)]
    assert keyed == ["Microsoft.Insights/actionGroups"]


def test_the_site_is_https_only_without_passwords_and_runs_the_locked_python(smallest: list[Resource]) -> None:
    site = one(smallest, "Microsoft.Web/sites")
    assert site["properties"]["httpsOnly"] is True
    assert site["properties"]["siteConfig"]["minTlsVersion"] == "1.2"
    assert site["properties"]["siteConfig"]["ftpsState"] == "Disabled"
    assert site["identity"]["type"] == "UserAssigned"
    assert site["properties"]["functionAppConfig"]["runtime"] == {"name": "python", "version": "3.13"}
    assert site["tags"]["azd-service-name"] == "app"
    assert "  app:" in (CHECKOUT / "azure.yaml").read_text(encoding="utf-8")
    policies = of_type(smallest, "Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {policy["id"].rpartition("/")[2]: policy["properties"]["allow"] for policy in policies} == {
        "ftp": False,
        "scm": False,
    }


def test_event_grid_delivers_to_the_events_queue_with_its_own_identity(smallest: list[Resource]) -> None:
    topics = of_type(smallest, "Microsoft.EventGrid/systemTopics")
    assert {topic["properties"]["topicType"] for topic in topics} == {
        "Microsoft.Resources.Subscriptions",
        "Microsoft.ResourceNotifications.HealthResources",
    }
    storage = one(smallest, "Microsoft.Storage/storageAccounts")["id"]
    subscriptions = of_type(smallest, "Microsoft.EventGrid/systemTopics/eventSubscriptions")
    assert len(subscriptions) == 2
    for subscription in subscriptions:
        assert "destination" not in subscription["properties"]
        delivery = subscription["properties"]["deliveryWithResourceIdentity"]
        assert delivery["identity"] == {"type": "SystemAssigned"}
        assert delivery["destination"]["properties"]["resourceId"] == storage
        assert delivery["destination"]["properties"]["queueName"] == "events"
    queues = {
        queue["name"].rpartition("/")[2]
        for queue in of_type(smallest, "Microsoft.Storage/storageAccounts/queueServices/queues")
    }
    assert queues == {"events", "runs"}


def test_the_filter_of_changes_fits_what_event_grid_allows(smallest: list[Resource]) -> None:
    filters = [
        one_filter
        for subscription in of_type(smallest, "Microsoft.EventGrid/systemTopics/eventSubscriptions")
        for one_filter in subscription["properties"]["filter"].get("advancedFilters", [])
    ]
    (changes,) = filters
    assert changes["key"] == "data.operationName"
    # learn.microsoft.com/azure/event-grid/event-filtering: at most 25 values over all filters of a subscription.
    assert len(changes["values"]) <= 25
    assert "Microsoft.Network/networkSecurityGroups/securityRules/write" in changes["values"]


@pytest.mark.slow
def test_the_settings_bind_every_function(largest: list[Resource]) -> None:
    settings = one(largest, "Microsoft.Web/sites/config")["properties"]
    with FunctionHost(CHECKOUT, {name: str(value) for name, value in settings.items()}) as host:
        assert host.missing_settings() == ()
        queues = {
            host.setting_value(function.trigger["queueName"])
            for function in host.functions().values()
            if function.trigger["type"] == "queueTrigger"
        }
        assert queues == {"events", "runs"}
        assert "alerts" in {function.trigger.get("route") for function in host.functions().values()}


def test_the_app_understands_its_settings(smallest: list[Resource]) -> None:
    settings = one(smallest, "Microsoft.Web/sites/config")["properties"]
    # What Azure computes while it deploys is an expression here: its last word tells what stands in its place.
    deployed = {
        "table": "https://account.table.core.windows.net/",
        "blob": "https://account.blob.core.windows.net/",
        "clientId": "00000000-0000-0000-0000-00000000000a",
        "principalId": "00000000-0000-0000-0000-00000000000b",
    }
    environment = {
        name: deployed[value.removesuffix("]").rpartition(".")[2]] if value.startswith("[") else value
        for name, value in settings.items()
        if name.startswith("RDP_REMEDIATE_")
    }
    read = Settings.from_environment(environment)
    assert read.store == "tables"
    assert read.identity_client_id == deployed["clientId"]
    assert read.own_principal_ids == {deployed["principalId"]}
    assert read.max_mode == "observe"


def test_the_store_is_made_under_the_names_that_the_code_opens(smallest: list[Resource]) -> None:
    storage = "Microsoft.Storage/storageAccounts"
    tables = {table["name"].rpartition("/")[2] for table in of_type(smallest, f"{storage}/tableServices/tables")}
    containers = {each["name"].rpartition("/")[2] for each in of_type(smallest, f"{storage}/blobServices/containers")}
    assert tables == {TABLE}
    assert containers == {CONTAINER, "deployments"}
