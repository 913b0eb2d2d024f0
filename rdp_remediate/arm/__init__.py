"""Azure Resource Manager: the only importer of azure.mgmt.* and azure.identity."""
