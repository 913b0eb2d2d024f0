// What wakes the app: changes and health of VMs, delivered by Event Grid into the storage queue `events`.

@description('Short name of this installation.')
param name string

@description('Tags of every resource.')
param tags object

@description('Storage account of the app.')
param storageAccountName string

@description('Queue of the app for events.')
param queueName string

@description('Watch writes, deletions and actions.')
param watchResourceChanges bool

@description('Watch availability.')
param watchResourceHealth bool

var storageQueueDataMessageSender = 'c6a89b2d-59bc-44d0-9896-0f6e12d7b80a'

// What can close or open the way to a VM. The app ignores the rest; this keeps it from being woken for it.
var watchedOperations = [
  'Microsoft.Compute/virtualMachines/write'
  'Microsoft.Compute/virtualMachines/start/action'
  'Microsoft.Compute/virtualMachines/restart/action'
  'Microsoft.Compute/virtualMachines/powerOff/action'
  'Microsoft.Compute/virtualMachines/deallocate/action'
  'Microsoft.Compute/virtualMachines/redeploy/action'
  'Microsoft.Network/networkInterfaces/write'
  'Microsoft.Network/networkSecurityGroups/write'
  'Microsoft.Network/networkSecurityGroups/securityRules/write'
  'Microsoft.Network/networkSecurityGroups/securityRules/delete'
  'Microsoft.Network/publicIPAddresses/write'
  'Microsoft.Network/publicIPAddresses/delete'
  'Microsoft.Network/routeTables/write'
  'Microsoft.Network/routeTables/routes/write'
  'Microsoft.Network/routeTables/routes/delete'
  'Microsoft.Network/virtualNetworks/subnets/write'
]

resource storage 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: storageAccountName
}

resource changes 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (watchResourceChanges) {
  name: 'evgt-${name}-changes'
  location: 'global'
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    source: subscription().id
    topicType: 'Microsoft.Resources.Subscriptions'
  }
}

resource health 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (watchResourceHealth) {
  name: 'evgt-${name}-health'
  location: 'global'
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    source: subscription().id
    topicType: 'Microsoft.ResourceNotifications.HealthResources'
  }
}

resource changesSender 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (watchResourceChanges) {
  name: guid(storage.id, 'changes', storageQueueDataMessageSender)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataMessageSender)
    principalId: changes!.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource healthSender 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (watchResourceHealth) {
  name: guid(storage.id, 'health', storageQueueDataMessageSender)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataMessageSender)
    principalId: health!.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource changesSubscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = if (watchResourceChanges) {
  parent: changes
  name: 'rdp-remediate'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: {
      includedEventTypes: [
        'Microsoft.Resources.ResourceWriteSuccess'
        'Microsoft.Resources.ResourceDeleteSuccess'
        'Microsoft.Resources.ResourceActionSuccess'
      ]
      advancedFilters: [
        { operatorType: 'StringIn', key: 'data.operationName', values: watchedOperations }
      ]
    }
    deliveryWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      destination: {
        endpointType: 'StorageQueue'
        properties: { resourceId: storage.id, queueName: queueName, queueMessageTimeToLiveInSeconds: 86400 }
      }
    }
    retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 60 }
  }
  dependsOn: [changesSender]
}

resource healthSubscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = if (watchResourceHealth) {
  parent: health
  name: 'rdp-remediate'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: {
      includedEventTypes: ['Microsoft.ResourceNotifications.HealthResources.AvailabilityStatusChanged']
    }
    deliveryWithResourceIdentity: {
      identity: { type: 'SystemAssigned' }
      destination: {
        endpointType: 'StorageQueue'
        properties: { resourceId: storage.id, queueName: queueName, queueMessageTimeToLiveInSeconds: 86400 }
      }
    }
    retryPolicy: { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 60 }
  }
  dependsOn: [healthSender]
}
