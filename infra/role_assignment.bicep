// One role of the app's identity on one resource group.

@description('Id of the role definition.')
param roleDefinitionId string

@description('Object id of the app\'s identity.')
param principalId string

@description('Tells installations apart; known before the deployment, so that what-if sees the assignment.')
param token string

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, token, roleDefinitionId)
  properties: {
    roleDefinitionId: roleDefinitionId
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
