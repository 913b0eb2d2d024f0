# ---- adapters.ps1: the network adapters that Azure gave the VM and what stands between them and RDP; reads only -----
# What has its usual value is left out: the schema in models/guest_adapters.py knows it.

# The VMBus class of Hyper-V's network adapters; whatever else has a driver is not Azure's NIC.
$script:vmbusNic = 'VMBUS\{f8615163-df3e-46c5-913f-f2d2f965ed0e}\'
# Hosts of the platform that every Azure VM has a route to.
$script:platformRoutes = '168.63.129.16/32', '169.254.169.254/32'

function Get-Adapters {
    $ways = @(Get-NetRoute -AddressFamily IPv4)
    $interfaces = @{}
    foreach ($row in @(Get-NetIPInterface -AddressFamily IPv4)) { $interfaces[[int]$row.InterfaceIndex] = $row }
    foreach ($adapter in @(Get-NetAdapter)) {
        if ([string]$adapter.PnPDeviceID -notlike "$($script:vmbusNic)*") { continue }
        $index = [int]$adapter.InterfaceIndex
        $fact = @{name = [string]$adapter.Name }
        # Numbers, because the words of Status are made for people: administratively down, no link.
        if ([int]$adapter.InterfaceAdminStatus -eq 2) { $fact.status = 'Disabled' }
        elseif ([int]$adapter.InterfaceOperationalStatus -ne 1) { $fact.status = 'Disconnected' }
        $interface = $interfaces[$index]
        if ($null -eq $interface) { $fact.dhcp = $null }
        elseif ([string]$interface.Dhcp -eq 'Disabled') { $fact.dhcp = $false }
        $default = @($ways | Where-Object { [int]$_.InterfaceIndex -eq $index -and $_.DestinationPrefix -eq '0.0.0.0/0' })
        $fact.gateways = @($default | Sort-Object { [int]$_.RouteMetric } | ForEach-Object { [string]$_.NextHop })
        $odd = @($ways | Where-Object {
                [int]$_.InterfaceIndex -eq $index -and $_.NextHop -ne '0.0.0.0' -and $_.DestinationPrefix -ne '0.0.0.0/0' -and
                $script:platformRoutes -notcontains $_.DestinationPrefix })
        if ($odd.Count -gt 10) { Add-Unavailable 'adapters.routes' 'truncated' "$($odd.Count) routes, the first 10 are told" }
        if ($odd.Count -gt 0) {
            $fact.routes = @($odd | Select-Object -First 10 | ForEach-Object { "$($_.DestinationPrefix) $($_.NextHop)" })
        }
        # DNS servers that somebody typed in; those of DHCP are the VNet's.
        $guid = [string]$adapter.InterfaceGuid
        $settings = Get-RegistryKey "HKLM:\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters\Interfaces\$guid"
        if ($null -ne $settings -and $settings.NameServer) {
            $fact.static_dns = @([string]$settings.NameServer -split '[ ,]+' | Where-Object { $_ })
        }
        $own = @(Get-NetIPAddress -AddressFamily IPv4 | Where-Object { [int]$_.InterfaceIndex -eq $index })
        if ($own.Count -gt 1) {
            $fact.sources = @($own | Where-Object { -not $_.SkipAsSource } | ForEach-Object { [string]$_.IPAddress })
        }
        $fact
    }
}

function Get-GhostCount {
    # Left over from former hosts: network devices of the VMBus that are known but not there.
    $present = @{}
    foreach ($adapter in @(Get-NetAdapter)) { $present[[string]$adapter.PnPDeviceID] = $true }
    $known = @{}
    $class = "HKLM:\SYSTEM\CurrentControlSet\Enum\$($script:vmbusNic.TrimEnd('\'))"
    if (Test-Path -LiteralPath $class) {
        foreach ($key in @(Get-ChildItem -LiteralPath $class)) { $known["$($script:vmbusNic)$($key.PSChildName)"] = $true }
    }
    foreach ($adapter in @(Get-NetAdapter -IncludeHidden)) {
        $id = [string]$adapter.PnPDeviceID
        if ($id -like "$($script:vmbusNic)*" -and [int]$adapter.InterfaceOperationalStatus -eq 6) { $known[$id] = $true }
    }
    @($known.Keys | Where-Object { -not $present.ContainsKey($_) }).Count
}

function Get-WinHttpProxy {
    # netsh is translated, its form is not: "  label:  value", the server first; what is in brackets stands for none.
    $values = @(foreach ($line in @(netsh.exe winhttp show proxy)) { if ($line -match '^\s+\S.*?:\s+(\S.*)$') { $Matches[1].Trim() } })
    if ($values.Count -eq 0) { return $null }
    $bypass = ''
    if ($values.Count -gt 1 -and $values[1] -notlike '(*') { $bypass = $values[1] }
    @{server = $values[0]; bypass = $bypass }
}

function Get-DomainLookup([string]$Domain) {
    # Null if the domain's name resolves, else the identifier of the error.
    try {
        $null = Resolve-DnsName -Name $Domain -Type A -DnsOnly -QuickTimeout
        $null
    }
    catch { (([string]$_.FullyQualifiedErrorId) -split ',')[0] }
}

function Get-NetvscVersion {
    # Two builds had a driver that did not come up.
    if (@(14393, 15063) -notcontains $script:answer.os.build) { return $null }
    $version = (Get-Item -LiteralPath (Join-Path "$($env:SystemRoot)\System32\drivers" 'netvsc.sys')).VersionInfo
    # The numbers before the text, which Windows' updates often leave as it was.
    if ($null -eq $version.FileMajorPart) { return ([string]$version.FileVersion -split ' ')[0] }
    "$($version.FileMajorPart).$($version.FileMinorPart).$($version.FileBuildPart).$($version.FilePrivatePart)"
}

function Get-CrashedDriver {
    # A crash report names the driver of its bucket ("AV_mlx5!..."); System 1001 never does.
    $reports = @()
    $filter = @{LogName = 'Application'; ProviderName = 'Windows Error Reporting'; Id = 1001; StartTime = (Get-Date).AddDays(-7) }
    try { $reports = @(Get-WinEvent -FilterHashtable $filter -MaxEvents 100) }
    catch { if ($_.FullyQualifiedErrorId -notmatch '^NoMatching(Events|Logs|Providers)Found') { throw } }
    foreach ($report in $reports) {
        $text = "$($report.Message) $(@($report.Properties | ForEach-Object { $_.Value }) -join ' ')"
        if ($text -match '\bBlueScreen\b' -and $text -match '(?:^|[_ ])(mlx[45][a-z0-9_]*)(?:\.sys)?!') { return $Matches[1] }
    }
    $null
}

# What Windows Defender Firewall itself writes as the origin of a filter; a rule of it is there under its name.
$script:ownOrigins = 'Unknown', 'Stealth', 'Default', 'Query User Default', 'Quarantine Default', 'WSH Default', 'Boot Time Default',
'Universal Default', 'AppContainer Loopback'

function Get-Blocked {
    # Inbound connections to the RDP port that were stopped in the last hours, where auditing is on.
    $ids = @(5157)
    if ($script:answer.ContainsKey('firewall') -and @($script:answer.firewall.ipsec).Count -gt 0) { $ids += 4652, 4653, 4654 }
    $records = @()
    $filter = @{LogName = 'Security'; Id = $ids; StartTime = (Get-Date).AddHours(-6) }
    try { $records = @(Get-WinEvent -FilterHashtable $filter -MaxEvents 200) }
    catch { if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw } }
    $told = @{}
    foreach ($record in $records) {
        $data = Get-EventData $record
        $row = @{at = ConvertTo-UtcText $record.TimeCreated; event_id = [int]$record.Id }
        if ($record.Id -eq 5157) {
            # %%14592 is inbound; protocol 6 is TCP.
            if ($data.Direction -ne '%%14592' -or $data.Protocol -ne '6' -or $data.DestPort -ne "$($script:port)") { continue }
            $row.source = [string]$data.SourceAddress
            if ($data.FilterOrigin -and $script:ownOrigins -notcontains $data.FilterOrigin) {
                try { $null = Get-NetFirewallRule -PolicyStore ActiveStore -Name $data.FilterOrigin }
                catch {
                    if ([string]$_.CategoryInfo.Category -ne 'ObjectNotFound') { throw }
                    $row.origin = [string]$data.FilterOrigin
                }
            }
        }
        else { $row.source = [string]$data.RemoteAddress }
        $key = "$($row.event_id)|$($row.source)|$($row.origin)"
        if ($told.ContainsKey($key) -or $told.Count -ge 8) { continue }
        $told[$key] = $true
        $row
    }
}

function Read-Adapters {
    $found = @{}
    $script:answer.adapters = $found
    try { $found.nics = @(Get-Adapters) }
    catch { Add-Failure 'adapters.nics' $_ }
    try {
        $ghosts = Get-GhostCount
        if ($ghosts -gt 0) { $found.ghosts = $ghosts }
    }
    catch { Add-Failure 'adapters.ghosts' $_ }
    try {
        $proxy = Get-WinHttpProxy
        if ($null -ne $proxy) { $found.proxy = $proxy }
    }
    catch { Add-Failure 'adapters.proxy' $_ }
    try {
        if (-not $script:answer.ContainsKey('os')) { throw 'whether this is a domain member could not be read' }
        if ($script:answer.os.part_of_domain) {
            $lookup = Get-DomainLookup $script:answer.os.domain
            if ($null -ne $lookup) { $found.domain_lookup = $lookup }
        }
    }
    catch { Add-Failure 'adapters.domain_lookup' $_ }
    try {
        $version = Get-NetvscVersion
        if (@('10.0.14393.594', '10.0.15063.0') -contains $version) { $found.netvsc = $version }
    }
    catch { Add-Failure 'adapters.netvsc' $_ }
    try {
        $driver = Get-CrashedDriver
        if ($null -ne $driver) { $found.crashed_driver = $driver }
    }
    catch { Add-Failure 'adapters.crashed_driver' $_ }
    if (-not $script:fullLanguage) {
        foreach ($item in 'blocked', 'wireserver') { Add-Unavailable "adapters.$item" 'not_supported' 'needs FullLanguage' }
        return
    }
    try {
        # The platform's address: 80 tells the agent its tasks, 32526 is the host's side of extensions.
        $wireserver = @{}
        foreach ($port in 80, 32526) {
            $word = Get-PortState '168.63.129.16' $port
            if ($word -ne 'open') { $wireserver["$port"] = $word }
        }
        if ($wireserver.Count -gt 0) { $found.wireserver = $wireserver }
    }
    catch { Add-Failure 'adapters.wireserver' $_ }
    try {
        $blocked = @(Get-Blocked)
        if ($blocked.Count -gt 0) { $found.blocked = $blocked }
    }
    catch { Add-Failure 'adapters.blocked' $_ }
}
