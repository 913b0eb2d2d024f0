// rdp_remediate in a subscription: the app, its storage, what wakes it, and the rights it needs. See README.md.
targetScope = 'subscription'

@description('Short name of this installation; part of resource names.')
@minLength(2)
@maxLength(12)
param name string = 'rdp'

@description('Region of the app; Flex Consumption must be available there.')
param location string = deployment().location

@description('Resource group that is made for the app.')
param resourceGroupName string = 'rg-${name}-remediate'

@description('Resource groups in whose VMs the app may run its read-only script. Run Command acts as SYSTEM: this is administration of these VMs.')
param guestResourceGroups string[] = []

@description('Resource groups in which the app may also repair: NSG rules, starting a VM, just-in-time requests, and Run Command.')
param remediatedResourceGroups string[] = []

@description('Also allow managed Run Commands there: the same scripts by another way, where the action Run Command is refused.')
param allowManagedRunCommands bool = false

@description('Also allow the VMAccess extension in the resource groups that may be repaired: a reset of the RDP configuration that a person approves.')
param allowVmAccess bool = false

@description('Settings of the app beside those that bind it to its storage, such as the mode and the sources.')
param appSettings object = {}

@description('Send writes and actions on VMs and their network in this subscription to the app. Azure allows one system topic per subscription: false where there is one already.')
param watchResourceChanges bool = true

@description('Send availability changes of VMs to the app. The deployer needs Microsoft.ResourceNotifications/systemTopics/subscribeToResources/action.')
param watchResourceHealth bool = true

@description('Make the action group of alerts. Only after the code is deployed: its URL holds a key that the app gives out when it runs.')
param createActionGroup bool = false

var token = uniqueString(subscription().id, resourceGroupName)
var roles = loadJsonContent('roles.json')
// Known before anything is deployed, so that what-if sees through the modules.
var storageAccountName = take('st${replace(toLower(name), '-', '')}${token}', 24)
var tags = { application: 'rdp-remediate' }

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

resource diagnoseRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, resourceGroupName, 'diagnose')
  properties: {
    roleName: '${roles.diagnose.name} (${resourceGroupName})'
    description: roles.diagnose.description
    type: 'CustomRole'
    permissions: [{ actions: roles.diagnose.actions, notActions: [], dataActions: [], notDataActions: [] }]
    assignableScopes: [subscription().id]
  }
}

resource guestRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, resourceGroupName, 'guest')
  properties: {
    roleName: '${roles.guest.name} (${resourceGroupName})'
    description: roles.guest.description
    type: 'CustomRole'
    permissions: [{ actions: roles.guest.actions, notActions: [], dataActions: [], notDataActions: [] }]
    assignableScopes: [subscription().id]
  }
}

resource managedGuestRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (allowManagedRunCommands) {
  name: guid(subscription().id, resourceGroupName, 'managed_guest')
  properties: {
    roleName: '${roles.managed_guest.name} (${resourceGroupName})'
    description: roles.managed_guest.description
    type: 'CustomRole'
    permissions: [{ actions: roles.managed_guest.actions, notActions: [], dataActions: [], notDataActions: [] }]
    assignableScopes: [subscription().id]
  }
}

resource vmAccessRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = if (allowVmAccess) {
  name: guid(subscription().id, resourceGroupName, 'vm_access')
  properties: {
    roleName: '${roles.vm_access.name} (${resourceGroupName})'
    description: roles.vm_access.description
    type: 'CustomRole'
    permissions: [{ actions: roles.vm_access.actions, notActions: [], dataActions: [], notDataActions: [] }]
    assignableScopes: [subscription().id]
  }
}

resource remediateRole 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(subscription().id, resourceGroupName, 'remediate')
  properties: {
    roleName: '${roles.remediate.name} (${resourceGroupName})'
    description: roles.remediate.description
    type: 'CustomRole'
    permissions: [{ actions: roles.remediate.actions, notActions: [], dataActions: [], notDataActions: [] }]
    assignableScopes: [subscription().id]
  }
}

module app 'app.bicep' = {
  name: '${name}-app'
  scope: group
  params: {
    name: name
    token: token
    storageAccountName: storageAccountName
    location: location
    tags: tags
    appSettings: appSettings
    createActionGroup: createActionGroup
  }
}

module events 'events.bicep' = {
  name: '${name}-events'
  scope: group
  params: {
    name: name
    tags: tags
    storageAccountName: storageAccountName
    queueName: app.outputs.eventsQueueName
    watchResourceChanges: watchResourceChanges
    watchResourceHealth: watchResourceHealth
  }
}

// Reading is for the whole subscription: the status URLs of long-running operations are scoped to it.
resource diagnoseAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(subscription().id, resourceGroupName, diagnoseRole.id)
  properties: {
    roleDefinitionId: diagnoseRole.id
    principalId: app.outputs.principalId
    principalType: 'ServicePrincipal'
  }
}

module guestAssignments 'role_assignment.bicep' = [
  for target in union(guestResourceGroups, remediatedResourceGroups): {
    name: '${name}-guest-${uniqueString(target)}'
    scope: resourceGroup(target)
    params: {
      roleDefinitionId: guestRole.id
      principalId: app.outputs.principalId
      token: token
    }
  }
]

module managedGuestAssignments 'role_assignment.bicep' = [
  for target in (allowManagedRunCommands ? union(guestResourceGroups, remediatedResourceGroups) : []): {
    name: '${name}-managed-guest-${uniqueString(target)}'
    scope: resourceGroup(target)
    params: {
      roleDefinitionId: managedGuestRole.id
      principalId: app.outputs.principalId
      token: token
    }
  }
]

module vmAccessAssignments 'role_assignment.bicep' = [
  for target in (allowVmAccess ? remediatedResourceGroups : []): {
    name: '${name}-vm-access-${uniqueString(target)}'
    scope: resourceGroup(target)
    params: {
      roleDefinitionId: vmAccessRole.id
      principalId: app.outputs.principalId
      token: token
    }
  }
]

module remediateAssignments 'role_assignment.bicep' = [
  for target in remediatedResourceGroups: {
    name: '${name}-remediate-${uniqueString(target)}'
    scope: resourceGroup(target)
    params: {
      roleDefinitionId: remediateRole.id
      principalId: app.outputs.principalId
      token: token
    }
  }
]

@description('Name of the function app: azd and func deploy to it.')
output functionAppName string = app.outputs.functionAppName

@description('Where the HTTP functions answer.')
output functionAppHost string = app.outputs.functionAppHost

@description('Object id of the app\'s identity, for rights beyond this subscription.')
output principalId string = app.outputs.principalId
