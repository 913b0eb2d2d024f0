# ---- firewall.ps1: the guest firewall as it decides about the RDP port; reads only --------------------------------

function ConvertTo-Profiles([string]$Text) { , @($Text -split ', *' | Sort-Object) }

function Get-List($Value) { , @(foreach ($item in @($Value)) { if ($null -ne $item) { [string]$item } }) }

function Test-Port($Filter) {
    # 'any', 'named' (the RDP port is in the list or a range of it) or null.
    foreach ($item in @($Filter.LocalPort)) {
        if ([string]$item -eq 'Any') { return 'any' }
        if ([string]$item -match '^(\d+)(-(\d+))?$') {
            $first = [int]$Matches[1]
            $last = $first
            if ($Matches[3]) { $last = [int]$Matches[3] }
            if ($first -le $script:port -and $script:port -le $last) { return 'named' }
        }
    }
    $null
}

function Test-Protocol($Filter) { @('TCP', 'Any', '6', '256') -contains [string]$Filter.Protocol }

function ConvertTo-RuleFact($Rule, $Port, $Application, $Service) {
    $address = Get-NetFirewallAddressFilter -AssociatedNetFirewallRule $Rule
    $interface = Get-NetFirewallInterfaceTypeFilter -AssociatedNetFirewallRule $Rule
    $remote = Get-List $address.RemoteAddress
    if ($remote.Count -gt 40) {
        Add-Unavailable "firewall.rules.$($Rule.Name)" 'truncated' "the rule has $($remote.Count) remote addresses"
        return
    }
    $fact = @{
        name = [string]$Rule.Name; display_name = [string]$Rule.DisplayName
        enabled = ([string]$Rule.Enabled -eq 'True'); direction = [string]$Rule.Direction; action = [string]$Rule.Action
        profiles = ConvertTo-Profiles ([string]$Rule.Profile); protocol = [string]$Port.Protocol
        local_ports = Get-List $Port.LocalPort; remote_addresses = $remote; program = [string]$Application.Program
        service = [string]$Service.Service; store = [string]$Rule.PolicyStoreSourceType
    }
    # What has its usual value is left out; the schema knows it.
    $optional = @{
        remote_ports = @((Get-List $Port.RemotePort), 'Any'); local_addresses = @((Get-List $address.LocalAddress), 'Any')
        edge = @(@([string]$Rule.EdgeTraversalPolicy), 'Block')
        interface_types = @((Get-List $interface.InterfaceType), 'Any')
    }
    foreach ($name in @($optional.Keys)) {
        $value, $usual = $optional[$name]
        if (($value -join ',') -eq $usual) { continue }
        if ($name -eq 'edge') { $fact.edge = $value[0] } else { $fact[$name] = $value }
    }
    $fact
}

function Get-EnabledRules {
    try { Get-NetFirewallRule -PolicyStore ActiveStore -Direction Inbound -Enabled True }
    catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
}

function Get-TermServiceFilters {
    try { Get-NetFirewallServiceFilter -PolicyStore ActiveStore -Service TermService }
    catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
}

function Get-RuleFacts {
    # Hundreds of rules: ports are read at once and choose the few whose other filters are asked for one by one.
    $port = @{}
    foreach ($filter in @(Get-NetFirewallPortFilter -PolicyStore ActiveStore)) { $port[$filter.InstanceID] = $filter }
    $ofTermService = @{}
    foreach ($filter in @(Get-TermServiceFilters)) { $ofTermService[$filter.InstanceID] = $true }
    $rules = @(Get-EnabledRules)
    $count = @{}
    foreach ($rule in $rules) { $count[$rule.InstanceID] = 1 + $count[$rule.InstanceID] }
    $seen = @{}
    foreach ($rule in $rules) {
        $key = $rule.InstanceID
        $portFilter = $port[$key]
        # The same rule in two stores, or a filter under another id: ask for this rule's own.
        if ($null -eq $portFilter -or $count[$key] -gt 1) {
            $portFilter = Get-NetFirewallPortFilter -AssociatedNetFirewallRule $rule
        }
        $builtIn = $script:builtInRules -contains $rule.Name
        $match = Test-Port $portFilter
        $chosen = $builtIn -or ((Test-Protocol $portFilter) -and ($match -or $ofTermService[$key]))
        if (-not $chosen) { continue }
        $application = Get-NetFirewallApplicationFilter -AssociatedNetFirewallRule $rule
        $service = Get-NetFirewallServiceFilter -AssociatedNetFirewallRule $rule
        if (-not $builtIn -and $match -eq 'any' -and [string]$service.Service -ne 'TermService') {
            # Open to any port: of interest only if TermService's own process may be meant.
            $program = [string]$application.Program
            if ($program -ne 'Any' -and $program -notlike '*\svchost.exe') { continue }
            if ($application.Package -or [string]$service.Service -ne 'Any') { continue }
        }
        $seen[[string]$rule.Name] = $true
        ConvertTo-RuleFact $rule $portFilter $application $service
    }
    foreach ($name in $script:builtInRules) {
        # A built-in rule that is off is told as well, from the local store.
        if ($seen[$name]) { continue }
        try { $rule = Get-NetFirewallRule -Name $name }
        catch {
            if ([string]$_.CategoryInfo.Category -ne 'ObjectNotFound') { throw }
            continue
        }
        ConvertTo-RuleFact $rule (Get-NetFirewallPortFilter -AssociatedNetFirewallRule $rule) (
            Get-NetFirewallApplicationFilter -AssociatedNetFirewallRule $rule) (
            Get-NetFirewallServiceFilter -AssociatedNetFirewallRule $rule)
    }
}

function Get-RequiringRules {
    # Connection security rules in force that refuse whoever does not authenticate.
    $rules = @()
    try { $rules = @(Get-NetIPsecRule -PolicyStore ActiveStore) }
    catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
    foreach ($rule in $rules) {
        if ([string]$rule.Enabled -ne 'True' -or [string]$rule.InboundSecurity -ne 'Require') { continue }
        $address = Get-NetFirewallAddressFilter -AssociatedNetIPsecRule $rule
        $port = Get-NetFirewallPortFilter -AssociatedNetIPsecRule $rule
        @{
            name = [string]$rule.Name; profiles = ConvertTo-Profiles ([string]$rule.Profile); protocol = [string]$port.Protocol
            local_ports = Get-List $port.LocalPort; local_addresses = Get-List $address.LocalAddress
            remote_addresses = Get-List $address.RemoteAddress
        }
    }
}

function Get-OutboundRules($Profiles, $Active) {
    # What may keep a domain member from its domain controllers: block rules for lsass or every program; where a profile in
    # use blocks by default, the allow rules as well.
    $actions = @('Block')
    if (@($Active | Where-Object { $null -ne $Profiles[$_] -and $Profiles[$_].default_outbound -eq 'Block' }).Count -gt 0) { $actions += 'Allow' }
    foreach ($action in $actions) {
        $rules = @()
        try { $rules = @(Get-NetFirewallRule -PolicyStore ActiveStore -Direction Outbound -Enabled True -Action $action) }
        catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
        if ($rules.Count -gt 20) {
            # Many: the programs are read at once, and only rules for lsass or any program are asked one by one.
            $meant = @{}
            foreach ($filter in @(Get-NetFirewallApplicationFilter -PolicyStore ActiveStore)) {
                $program = [string]$filter.Program
                if ($program -eq 'Any' -or $program -like '*\lsass.exe') { $meant[$filter.InstanceID] = $true }
            }
            $rules = @($rules | Where-Object { $meant[$_.InstanceID] })
        }
        if ($rules.Count -gt 60) { Add-Unavailable 'firewall.outbound' 'truncated' "$($rules.Count) outbound rules, 60 were read" }
        foreach ($rule in @($rules | Select-Object -First 60)) {
            $port = Get-NetFirewallPortFilter -AssociatedNetFirewallRule $rule
            if (-not (Test-Protocol $port)) { continue }
            $application = Get-NetFirewallApplicationFilter -AssociatedNetFirewallRule $rule
            $service = Get-NetFirewallServiceFilter -AssociatedNetFirewallRule $rule
            $program = [string]$application.Program
            if ($application.Package -or ($program -ne 'Any' -and $program -notlike '*\lsass.exe')) { continue }
            ConvertTo-RuleFact $rule $port $application $service
        }
    }
}

function Read-Firewall {
    try {
        Assert-Port
        $policyKeys = @{Domain = , 'DomainProfile'; Private = 'PrivateProfile', 'StandardProfile'; Public = , 'PublicProfile' }
        $profiles = @{}
        foreach ($setting in @(Get-NetFirewallProfile -PolicyStore ActiveStore)) {
            $name = [string]$setting.Name
            $source = 'Local'
            foreach ($key in $policyKeys[$name]) {
                $policy = Get-RegistryKey (Get-RegistryPath "FWP\$key")
                if ($null -eq $policy) { continue }
                foreach ($value in 'EnableFirewall', 'DoNotAllowExceptions', 'DefaultInboundAction', 'AllowLocalPolicyMerge') {
                    if ($null -ne $policy.$value) { $source = 'GroupPolicy' }
                }
            }
            # NotConfigured is what Windows then does: on, rules honoured, local rules honoured.
            $profiles[$name] = @{
                enabled = ([string]$setting.Enabled -ne 'False')
                default_inbound = [string]$setting.DefaultInboundAction
                default_outbound = [string]$setting.DefaultOutboundAction
                allow_inbound_rules = ([string]$setting.AllowInboundRules -ne 'False')
                allow_local_rules = ([string]$setting.AllowLocalFirewallRules -ne 'False'); source = $source
            }
        }
        $categories = @{DomainAuthenticated = 'Domain'; Private = 'Private'; Public = 'Public' }
        $active = @(foreach ($network in @(Get-NetConnectionProfile)) { $categories[[string]$network.NetworkCategory] })
        $rules = @(Get-RuleFacts | Sort-Object { $_.name }, { $_.store })
        if ($rules.Count -gt 20) {
            Add-Unavailable 'firewall.rules' 'truncated' "$($rules.Count) rules touch the RDP port, 20 are told"
            $kept = @($rules | Where-Object { $script:builtInRules -contains $_.name })
            $kept += @($rules | Where-Object { $script:builtInRules -notcontains $_.name } | Select-Object -First 18)
            $rules = @($kept | Sort-Object { $_.name }, { $_.store })
        }
        $script:answer.firewall = @{profiles = $profiles; active = @($active | Sort-Object -Unique); rules = $rules }
    }
    catch {
        Add-Failure 'firewall' $_
        return
    }
    try {
        $requiring = @(Get-RequiringRules | Sort-Object { $_.name })
        if ($requiring.Count -gt 10) {
            Add-Unavailable 'firewall.ipsec' 'truncated' "$($requiring.Count) rules require authentication, 10 are told"
            $requiring = @($requiring | Select-Object -First 10)
        }
        if ($requiring.Count -gt 0) { $script:answer.firewall.ipsec = $requiring }
    }
    catch { Add-Failure 'firewall.ipsec' $_ }
    try {
        if ($script:answer.ContainsKey('os') -and -not $script:answer.os.part_of_domain) { $outbound = @() }
        else { $outbound = @(Get-OutboundRules $script:answer.firewall.profiles $script:answer.firewall.active | Sort-Object { $_.name }) }
        if ($outbound.Count -gt 10) {
            Add-Unavailable 'firewall.outbound' 'truncated' "$($outbound.Count) outbound rules for lsass, 10 are told"
            $outbound = @($outbound | Select-Object -First 10)
        }
        if ($outbound.Count -gt 0) { $script:answer.firewall.outbound = $outbound }
    }
    catch { Add-Failure 'firewall.outbound' $_ }
    try {
        # Security Center exists on clients only.
        if ($script:answer.ContainsKey('os') -and $script:answer.os.product_type -ne 1) { return }
        $products = @(Get-CimInstance -Namespace 'root/SecurityCenter2' -ClassName FirewallProduct)
        if ($products.Count -gt 0) {
            $script:answer.firewall.products = @($products | ForEach-Object { [string]$_.displayName } | Sort-Object -Unique)
        }
    }
    catch { Add-Failure 'firewall.products' $_ }
}
