# ---- steps_network.ps1: firewall rules and adapters, one at a time -------------------------------------------------

$script:rdpProgram = '%SystemRoot%\system32\svchost.exe'
$script:rdpService = 'termservice'
$script:rulePrefix = 'rdp-remediate-In-TCP-'

# Dimension -> the parameter of Set-NetFirewallRule. Whatever else a rule holds is left alone.
$script:ruleFilters = @{
    profile = 'Profile'; service = 'Service'; program = 'Program'; local_address = 'LocalAddress'
    interface = 'InterfaceType'; port = 'LocalPort'; protocol = 'Protocol'; remote_address = 'RemoteAddress'
}

function Get-LocalRule([string]$Name) {
    # The local store only: rules of a policy are never changed here.
    try { Get-NetFirewallRule -Name $Name -PolicyStore PersistentStore }
    catch { if ([string]$_.CategoryInfo.Category -ne 'ObjectNotFound') { throw } }
}

function Join-Sorted($Value) {
    # In the order of the characters' numbers, as the plan sorts them; Sort-Object depends on the culture.
    $items = Get-List $Value
    @($items | Sort-Object { -join @(foreach ($character in ([string]$_).ToCharArray()) { '{0:x4}' -f [int]$character }) }) -join ','
}

function Get-RuleFilter($Rule, [string]$Dimension) {
    switch -CaseSensitive ($Dimension) {
        'profile' { return Join-Sorted ([string]$Rule.Profile -split ', *') }
        'service' { return [string](Get-NetFirewallServiceFilter -AssociatedNetFirewallRule $Rule).Service }
        'program' { return [string](Get-NetFirewallApplicationFilter -AssociatedNetFirewallRule $Rule).Program }
        'interface' { return Join-Sorted (Get-NetFirewallInterfaceTypeFilter -AssociatedNetFirewallRule $Rule).InterfaceType }
        'port' { return Join-Sorted (Get-NetFirewallPortFilter -AssociatedNetFirewallRule $Rule).LocalPort }
        'protocol' { return [string](Get-NetFirewallPortFilter -AssociatedNetFirewallRule $Rule).Protocol }
        'local_address' { return Join-Sorted (Get-NetFirewallAddressFilter -AssociatedNetFirewallRule $Rule).LocalAddress }
        'remote_address' { return Join-Sorted (Get-NetFirewallAddressFilter -AssociatedNetFirewallRule $Rule).RemoteAddress }
    }
}

$script:stepKinds['firewall_rule_filter'] = @{
    # target: rule, dimension. One filter of one local inbound allow rule.
    get    = {
        param($target)
        $rule = Get-LocalRule $target.rule
        if ($null -eq $rule) { return $null }
        Get-RuleFilter $rule $target.dimension
    }
    set    = {
        param($target, $value)
        $change = @{Name = [string]$target.rule; PolicyStore = 'PersistentStore' }
        $parameter = $script:ruleFilters[[string]$target.dimension]
        if (@('service', 'program', 'protocol') -ccontains $target.dimension) { $change[$parameter] = [string]$value }
        else { $change[$parameter] = @([string]$value -split ',') }
        Set-NetFirewallRule @change
    }
    refuse = {
        param($target, $desired)
        if (-not $script:ruleFilters.ContainsKey([string]$target.dimension)) { return "$($target.dimension) is no filter" }
        if ($desired -isnot [string] -or -not $desired) { return 'a filter is a text' }
        if ($target.dimension -ceq 'remote_address' -and @($desired -split ',') -contains 'Any') {
            $now = & $script:stepKinds['firewall_rule_filter'].get $target
            if ($now -ne $desired) { return 'a list of addresses is never replaced by any' }
        }
        $rule = Get-LocalRule $target.rule
        if ($null -eq $rule) { return $null }
        if ([string]$rule.Direction -ne 'Inbound' -or [string]$rule.Action -ne 'Allow') { return 'only inbound allow rules' }
        $null
    }
}

function Get-RdpRulePort($Rule) {
    # The port if the rule is exactly what this script creates, else 0.
    $port = Get-NetFirewallPortFilter -AssociatedNetFirewallRule $Rule
    $same = [string]$Rule.Direction -eq 'Inbound' -and [string]$Rule.Action -eq 'Allow' -and
    [string]$Rule.Enabled -eq 'True' -and [string]$port.Protocol -eq 'TCP' -and
    [string](Get-NetFirewallServiceFilter -AssociatedNetFirewallRule $Rule).Service -eq $script:rdpService -and
    [string](Get-NetFirewallApplicationFilter -AssociatedNetFirewallRule $Rule).Program -eq $script:rdpProgram
    if ($same -and [string]$port.LocalPort -match '^\d+$') { return [int][string]$port.LocalPort }
    0
}

$script:stepKinds['firewall_rule_created'] = @{
    # target: rule, port. The value is the port that the rule opens for TermService, null while there is no such rule.
    get    = {
        param($target)
        $rule = Get-LocalRule $target.rule
        if ($null -eq $rule) { return $null }
        Get-RdpRulePort $rule
    }
    set    = {
        param($target, $value)
        if ($null -eq $value) {
            Remove-NetFirewallRule -Name $target.rule -PolicyStore PersistentStore
            return
        }
        $rule = @{
            Name = [string]$target.rule; Direction = 'Inbound'; Action = 'Allow'; Enabled = 'True'; Profile = 'Any'
            Protocol = 'TCP'; LocalPort = [string]$value; Program = $script:rdpProgram; Service = $script:rdpService
            PolicyStore = 'PersistentStore'
        }
        if ($script:builtInRules -contains $target.rule) {
            # Windows' own texts, in the computer's language.
            $rule.DisplayName = '@FirewallAPI.dll,-28775'
            $rule.Description = '@FirewallAPI.dll,-28756'
            $rule.Group = '@FirewallAPI.dll,-28752'
        }
        else { $rule.DisplayName = "Remote Desktop on TCP $value (rdp-remediate)" }
        New-NetFirewallRule @rule
    }
    refuse = {
        param($target, $desired)
        $port = [int](Get-RegistryKey $script:shortKeys['RT']).PortNumber
        $name = 'RemoteDesktop-UserMode-In-TCP'
        if ($port -ne 3389) { $name = "$($script:rulePrefix)$port" }
        if ($null -eq $desired) {
            if ($target.rule -cne $name -and [string]$target.rule -cnotlike "$($script:rulePrefix)*") {
                return "the rule $($target.rule) was not created here"
            }
            return $null
        }
        if ($target.rule -cne $name) { return "the rule for RDP on port $port is $name" }
        if ($desired -isnot [int] -or $desired -ne $port) { return "RDP is set to port $port" }
        $null
    }
}

$script:localRuleIsOn = {
    param($target)
    $rule = Get-LocalRule $target.rule
    if ($null -eq $rule) { return $null }
    [string]$rule.Enabled -eq 'True'
}
$script:switchLocalRule = {
    param($target, $value)
    if ($value) { Enable-NetFirewallRule -Name $target.rule -PolicyStore PersistentStore }
    else { Disable-NetFirewallRule -Name $target.rule -PolicyStore PersistentStore }
}

$script:stepKinds['firewall_block_rule'] = @{
    # target: rule, direction. On or off; a local block rule only.
    get    = $script:localRuleIsOn
    set    = $script:switchLocalRule
    refuse = {
        param($target, $desired)
        if ($desired -isnot [bool]) { return 'a rule is on or off' }
        $rule = Get-LocalRule $target.rule
        if ($null -eq $rule) { return "there is no local rule $($target.rule)" }
        if ([string]$rule.Action -ne 'Block' -or [string]$rule.Direction -ne $target.direction) {
            return "the rule $($target.rule) is no $($target.direction) block rule"
        }
        $null
    }
}

# Windows' own rule by which a domain member reaches its domain controllers.
$script:domainRule = 'CoreNet-GP-LSASS-Out-TCP'

$script:stepKinds['firewall_domain_rule'] = @{
    # target: rule. That one rule on or off.
    get    = $script:localRuleIsOn
    set    = $script:switchLocalRule
    refuse = {
        param($target, $desired)
        if ($target.rule -cne $script:domainRule) { return "the rule $($target.rule) is not ours to switch" }
        if ($desired -isnot [bool]) { return 'a rule is on or off' }
        $rule = Get-LocalRule $target.rule
        if ($null -eq $rule) { return "there is no local rule $($target.rule)" }
        if ([string]$rule.Action -ne 'Allow' -or [string]$rule.Direction -ne 'Outbound') { return 'it is no outbound allow rule' }
        $null
    }
}

$script:stepKinds['firewall_profile_on'] = @{
    # target: profile. Only ever switched on.
    get    = {
        param($target)
        [string](Get-NetFirewallProfile -PolicyStore ActiveStore -Name $target.profile).Enabled -ne 'False'
    }
    set    = {
        param($target, $value)
        $word = 'False'
        if ($value) { $word = 'True' }
        Set-NetFirewallProfile -Name $target.profile -Enabled $word
    }
    refuse = {
        param($target, $desired)
        if (@('Domain', 'Private', 'Public') -cnotcontains $target.profile) { return 'there is no such profile' }
        if ($desired -isnot [bool] -or -not $desired) { return 'a profile is never switched off' }
        $keys = @("$($target.profile)Profile")
        if ($target.profile -ne 'Domain') { $keys += 'StandardProfile' }
        foreach ($key in $keys) {
            $policy = Get-RegistryKey (Get-RegistryPath "FWP\$key")
            if ($null -ne $policy -and $null -ne $policy.EnableFirewall) { return 'a policy decides this profile' }
        }
        $null
    }
}
