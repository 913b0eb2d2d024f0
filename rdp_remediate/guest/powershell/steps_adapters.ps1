# ---- steps_adapters.ps1: adapters, addresses, routes, DNS servers and the WinHTTP proxy, one at a time ----------------

function Get-AzureAdapter([string]$Name) {
    # Azure's own adapters only, by their exact name.
    foreach ($adapter in @(Get-NetAdapter)) {
        if ([string]$adapter.Name -ceq $Name -and [string]$adapter.PnPDeviceID -like "$($script:vmbusNic)*") { return $adapter }
    }
    $null
}

function Get-AdapterRefusal($Target) {
    if ($null -eq (Get-AzureAdapter $Target.adapter)) { return "there is no adapter $($Target.adapter) of Azure's" }
    $null
}

function Get-Ipv4Setting([string]$Name) {
    # 'dhcp', or 'static <address>/<length>[,...] <gateway or ->': all that is needed to put it back.
    $adapter = Get-AzureAdapter $Name
    if ($null -eq $adapter) { return $null }
    $index = [int]$adapter.InterfaceIndex
    $interface = @(Get-NetIPInterface -AddressFamily IPv4 | Where-Object { [int]$_.InterfaceIndex -eq $index })
    if ($interface.Count -eq 1 -and [string]$interface[0].Dhcp -eq 'Enabled') { return 'dhcp' }
    $own = @(Get-NetIPAddress -AddressFamily IPv4 | Where-Object { [int]$_.InterfaceIndex -eq $index } |
            ForEach-Object { "$($_.IPAddress)/$($_.PrefixLength)" })
    $gateways = @(Get-NetRoute -AddressFamily IPv4 |
            Where-Object { [int]$_.InterfaceIndex -eq $index -and $_.DestinationPrefix -eq '0.0.0.0/0' } |
            ForEach-Object { [string]$_.NextHop })
    $gateway = '-'
    if ($gateways.Count -gt 0) { $gateway = Join-Sorted $gateways }
    "static $(Join-Sorted $own) $gateway"
}

function Invoke-Netsh {
    $null = & netsh.exe @args
    if ($LASTEXITCODE -ne 0) { throw "netsh $($args -join ' ') ended with $LASTEXITCODE" }
}

function Set-Ipv4Setting([string]$Name, [string]$Value) {
    if ($Value -ceq 'dhcp') {
        # netsh, because Set-NetIPInterface leaves the typed-in gateway behind.
        Invoke-Netsh interface ipv4 set address "name=$Name" source=dhcp
        return
    }
    $null, $list, $gateway = $Value -split ' '
    Set-NetIPInterface -InterfaceAlias $Name -AddressFamily IPv4 -Dhcp Disabled
    $index = [int](Get-AzureAdapter $Name).InterfaceIndex
    foreach ($way in @(Get-NetRoute -AddressFamily IPv4)) {
        if ([int]$way.InterfaceIndex -eq $index -and $way.DestinationPrefix -eq '0.0.0.0/0') {
            Remove-NetRoute -InterfaceIndex $index -DestinationPrefix '0.0.0.0/0' -NextHop $way.NextHop -Confirm:$false
        }
    }
    foreach ($row in @(Get-NetIPAddress -AddressFamily IPv4)) {
        if ([int]$row.InterfaceIndex -eq $index) {
            Remove-NetIPAddress -InterfaceIndex $index -IPAddress $row.IPAddress -Confirm:$false
        }
    }
    foreach ($item in @($list -split ',')) {
        $address, $length = $item -split '/'
        $null = New-NetIPAddress -InterfaceIndex $index -IPAddress $address -PrefixLength ([int]$length)
    }
    foreach ($hop in @($gateway -split ',')) {
        if ($hop -cne '-') { $null = New-NetRoute -InterfaceIndex $index -DestinationPrefix '0.0.0.0/0' -NextHop $hop }
    }
}

$script:stepKinds['adapter_enabled'] = @{
    # target: adapter. Only ever enabled, so that no repair takes a VM off the network.
    get    = {
        param($target)
        $adapter = Get-AzureAdapter $target.adapter
        if ($null -eq $adapter) { return $null }
        [int]$adapter.InterfaceAdminStatus -ne 2
    }
    set    = {
        param($target, $value)
        if ($value) { Enable-NetAdapter -Name $target.adapter -Confirm:$false }
        else { Disable-NetAdapter -Name $target.adapter -Confirm:$false }
    }
    refuse = {
        param($target, $desired)
        if ($desired -isnot [bool] -or -not $desired) { return 'an adapter is never disabled' }
        Get-AdapterRefusal $target
    }
}

$script:stepKinds['adapter_ipv4'] = @{
    # target: adapter. How it gets its IPv4 address.
    get    = { param($target) Get-Ipv4Setting $target.adapter }
    set    = { param($target, $value) Set-Ipv4Setting $target.adapter $value }
    refuse = {
        param($target, $desired)
        $address = '(\d{1,3}\.){3}\d{1,3}'
        if ([string]$desired -cnotmatch "^(dhcp|static $address/\d{1,2}(,$address/\d{1,2})* (-|$address(,$address)*))$") {
            return 'it is dhcp or a static address'
        }
        Get-AdapterRefusal $target
    }
}

$script:stepKinds['adapter_dns'] = @{
    # target: adapter. The DNS servers that somebody typed in, null for those of DHCP.
    get    = {
        param($target)
        $adapter = Get-AzureAdapter $target.adapter
        if ($null -eq $adapter) { return $null }
        $guid = [string]$adapter.InterfaceGuid
        $settings = Get-RegistryKey "HKLM:\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces\$guid"
        if ($null -eq $settings -or -not $settings.NameServer) { return $null }
        @([string]$settings.NameServer -split '[ ,]+' | Where-Object { $_ }) -join ','
    }
    set    = {
        param($target, $value)
        if ($null -eq $value) { Set-DnsClientServerAddress -InterfaceAlias $target.adapter -ResetServerAddresses }
        else { Set-DnsClientServerAddress -InterfaceAlias $target.adapter -ServerAddresses @([string]$value -split ',') }
    }
    refuse = {
        param($target, $desired)
        if ($null -ne $desired -and [string]$desired -cnotmatch '^[0-9a-fA-F.:]+(,[0-9a-fA-F.:]+)*$') { return 'servers are addresses' }
        Get-AdapterRefusal $target
    }
}

$script:stepKinds['skip_as_source'] = @{
    # target: address. Whether Windows opens no connection from it.
    get    = {
        param($target)
        foreach ($row in @(Get-NetIPAddress -AddressFamily IPv4)) {
            if ([string]$row.IPAddress -ceq $target.address) { return [bool]$row.SkipAsSource }
        }
        $null
    }
    set    = { param($target, $value) Set-NetIPAddress -IPAddress $target.address -SkipAsSource ([bool]$value) }
    refuse = {
        param($target, $desired)
        if ($desired -isnot [bool]) { return 'it is true or false' }
        if ([string]$target.address -like '127.*') { return 'not the loopback address' }
        $null
    }
}

$script:stepKinds['unassigned_address'] = @{
    # target: adapter, address, length. Whether Windows has an address that Azure did not give it.
    get    = {
        param($target)
        @(Get-NetIPAddress -AddressFamily IPv4 | Where-Object { [string]$_.IPAddress -ceq $target.address }).Count -gt 0
    }
    set    = {
        param($target, $value)
        if ($value) {
            $null = New-NetIPAddress -InterfaceAlias $target.adapter -IPAddress $target.address -PrefixLength ([int]$target.length)
        }
        else { Remove-NetIPAddress -IPAddress $target.address -InterfaceAlias $target.adapter -Confirm:$false }
    }
    refuse = {
        param($target, $desired)
        if ($desired -isnot [bool]) { return 'an address is there or not' }
        $others = @(Get-NetIPAddress -AddressFamily IPv4 | Where-Object {
                [string]$_.InterfaceAlias -ceq $target.adapter -and [string]$_.IPAddress -cne $target.address })
        if (-not $desired -and $others.Count -eq 0) { return 'the only address of an adapter is never removed' }
        Get-AdapterRefusal $target
    }
}

$script:stepKinds['winhttp_proxy'] = @{
    # No target but the machine. '<server> <bypass list>' without blanks in either, null for no proxy.
    get    = {
        param($target)
        $proxy = Get-WinHttpProxy
        if ($null -eq $proxy) { return $null }
        "$($proxy.server) $($proxy.bypass)".TrimEnd()
    }
    set    = {
        param($target, $value)
        if ($null -eq $value) {
            Invoke-Netsh winhttp reset proxy
            return
        }
        $server, $bypass = [string]$value -split ' ', 2
        if ($bypass) { Invoke-Netsh winhttp set proxy "proxy-server=$server" "bypass-list=$bypass" }
        else { Invoke-Netsh winhttp set proxy "proxy-server=$server" }
    }
    refuse = {
        param($target, $desired)
        if ($null -ne $desired -and [string]$desired -cnotmatch '^[^\s"]+( [^\s"]+)?$') { return 'it is a server and a bypass list' }
        $null
    }
}
