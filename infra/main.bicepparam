using 'main.bicep'

// azd reads these from its environment: azd env set GUEST_RESOURCE_GROUPS rg-a,rg-b
param name = readEnvironmentVariable('INSTALLATION_NAME', 'rdp')
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param guestResourceGroups = filter(
  split(readEnvironmentVariable('GUEST_RESOURCE_GROUPS', ''), ','),
  group => !empty(group)
)
param remediatedResourceGroups = filter(
  split(readEnvironmentVariable('REMEDIATED_RESOURCE_GROUPS', ''), ','),
  group => !empty(group)
)
param createActionGroup = toLower(readEnvironmentVariable('CREATE_ACTION_GROUP', 'false')) == 'true'

// The app's own settings, as docs/settings.md lists them: RDP_REMEDIATE_MAX_MODE, RDP_REMEDIATE_SOURCES, ...
param appSettings = {}
