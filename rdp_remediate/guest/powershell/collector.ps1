# ---- collector.ps1: what Windows says about itself; reads only ----------------------------------------------------

$script:builtInRules = 'RemoteDesktop-UserMode-In-TCP', 'RemoteDesktop-UserMode-In-UDP'

function Add-Unavailable([string]$Fact, [string]$Reason, [string]$Detail) {
    $text = $Detail
    if ($text.Length -gt 160) { $text = $text.Substring(0, 160) }
    $script:answer.unavailable = @($script:answer.unavailable) + @(@{fact = $Fact; reason = $Reason; detail = $text })
}

function Get-Reason($Failure) {
    # The error's category, identifier and HRESULT: none of them depends on the language.
    $category = [string]$Failure.CategoryInfo.Category
    $identifier = [string]$Failure.FullyQualifiedErrorId
    $code = [string]$Failure.Exception.HResult
    if ($category -eq 'PermissionDenied' -or $category -eq 'SecurityError' -or $code -eq '-2147024891') {
        return 'forbidden'
    }
    if ($identifier -like 'CommandNotFoundException*' -or $identifier -like 'MethodInvocationNotSupported*' -or
        $category -eq 'NotImplemented' -or $category -eq 'NotInstalled' -or $category -eq 'InvalidType') {
        return 'not_supported'
    }
    if ($category -eq 'ObjectNotFound') { return 'not_found' }
    if ($category -eq 'OperationTimeout') { return 'timeout' }
    if ($category -eq 'ResourceBusy') { return 'busy' }
    if ($category -eq 'InvalidData' -or $category -eq 'ParserError') { return 'malformed' }
    'server_error'
}

function Add-Failure([string]$Fact, $Failure) {
    # Each item fails alone: what can't be read is named with its reason, the rest arrives.
    Add-Unavailable $Fact (Get-Reason $Failure) ([string]$Failure.Exception.Message)
}

function ConvertTo-UtcText($Time) {
    if ($null -eq $Time) { return $null }
    $Time.ToUniversalTime().ToString('s') + 'Z'
}

function Get-RegistryPath([string]$ShortKey) {
    $name, $rest = $ShortKey -split '\\', 2
    if ($rest) { return $script:shortKeys[$name] + '\' + $rest }
    $script:shortKeys[$name]
}

function Get-RegistryKey([string]$Path) {
    # The key's values as properties, or null if there is no such key.
    try { Get-ItemProperty -LiteralPath $Path }
    catch {
        if ([string]$_.CategoryInfo.Category -ne 'ObjectNotFound') { throw }
        $null
    }
}

function ConvertTo-RegistryFact($Value) {
    if ($Value -is [byte[]]) { return @{Binary = -join @(foreach ($byte in $Value) { '{0:X2}' -f $byte }) } }
    if ($Value -is [array]) { return , @(foreach ($text in $Value) { [string]$text }) }
    if ($Value -is [int] -and $Value -lt 0) { return [long]$Value + 4294967296 }
    $Value
}

function Read-Os {
    try {
        $system = Get-CimInstance -ClassName Win32_OperatingSystem
        $computer = Get-CimInstance -ClassName Win32_ComputerSystem
        $windows = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
        $safe = Get-RegistryKey 'HKLM:\SYSTEM\CurrentControlSet\Control\SafeBoot\Option'
        $mode = $null
        if ($null -ne $safe) { $mode = @{1 = 'Minimal'; 2 = 'Network'; 3 = 'DsRepair' }[[int]$safe.OptionValue] }
        elseif ($env:SAFEBOOT_OPTION) {
            $mode = @{MINIMAL = 'Minimal'; NETWORK = 'Network'; DSREPAIR = 'DsRepair' }[$env:SAFEBOOT_OPTION]
        }
        $script:answer.os = @{
            computer_name = [string]$computer.Name; caption = [string]$system.Caption
            version = [string]$system.Version; build = [int]$system.BuildNumber
            product_type = [int]$system.ProductType; installation_type = [string]$windows.InstallationType
            domain_role = [int]$computer.DomainRole; part_of_domain = [bool]$computer.PartOfDomain
            domain = [string]$computer.Domain; last_boot = ConvertTo-UtcText $system.LastBootUpTime; safe_mode = $mode
        }
    }
    catch { Add-Failure 'os' $_ }
}

function Read-Registry {
    $script:answer.registry = @{}
    foreach ($key in @($script:registryValues.Keys)) {
        try {
            $values = Get-RegistryKey (Get-RegistryPath $key)
            foreach ($name in $script:registryValues[$key]) {
                $value = $null
                if ($null -ne $values) { $value = ConvertTo-RegistryFact $values.$name }
                $script:answer.registry["$key\$name"] = $value
            }
        }
        catch { Add-Failure "registry.$key" $_ }
    }
    # Absent is Windows' default; a port that could not be read is not guessed.
    $script:port = 0
    if ($script:answer.registry.ContainsKey('RT\PortNumber')) {
        $script:port = 3389
        if ($script:answer.registry['RT\PortNumber'] -is [int]) { $script:port = $script:answer.registry['RT\PortNumber'] }
    }
}

function Assert-Port { if ($script:port -eq 0) { throw 'the RDP port (RT\PortNumber) could not be read' } }

function Read-Services {
    try {
        $names = @(foreach ($name in $script:serviceNames) { "Name='$name'" }) -join ' OR '
        $found = @{}
        foreach ($service in @(Get-CimInstance -ClassName Win32_Service -Filter $names)) {
            $found[[string]$service.Name] = $service
        }
        $services = @{}
        foreach ($name in $script:serviceNames) {
            $services[$name] = $null
            $service = $found[$name]
            if ($null -eq $service) { continue }
            $start = [string]$service.StartMode
            if ($start -eq 'Auto' -and $service.DelayedAutoStart) { $start = 'AutoDelayed' }
            $key = Get-RegistryKey "HKLM:\SYSTEM\CurrentControlSet\Services\$name"
            $depends = @()
            if ($null -ne $key -and $null -ne $key.DependOnService) {
                $depends = @(foreach ($other in $key.DependOnService) { if ($other) { [string]$other } })
            }
            $account = $null
            if ($service.StartName) { $account = [string]$service.StartName }
            $services[$name] = @{
                state = ([string]$service.State) -replace ' ', ''; start_type = $start; account = $account
                pid = [int]$service.ProcessId; exit_code = [long]$service.ExitCode; depends_on = $depends
            }
        }
        if ($null -ne $found['TermService']) { $script:termServiceName = [string]$found['TermService'].DisplayName }
        $script:answer.services = $services
    }
    catch { Add-Failure 'services' $_ }
}

function Get-TermServiceId {
    if (-not $script:answer.ContainsKey('services') -or $null -eq $script:answer.services.TermService) { return 0 }
    $script:answer.services.TermService.pid
}

function Read-Listener {
    try {
        Assert-Port
        $owner = Get-TermServiceId
        $listening = @()
        try { $listening = @(Get-NetTCPConnection -State Listen) }
        catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
        $rows = foreach ($row in $listening) {
            $process = [int]$row.OwningProcess
            if ([int]$row.LocalPort -ne $script:port -and ($owner -eq 0 -or $process -ne $owner)) { continue }
            $name = $null
            try { $name = [string](Get-Process -Id $process).ProcessName }
            catch { if ([string]$_.CategoryInfo.Category -ne 'ObjectNotFound') { throw } }
            @{address = [string]$row.LocalAddress; port = [int]$row.LocalPort; pid = $process; process = $name }
        }
        $identifier = $null
        if ($owner -ne 0) { $identifier = $owner }
        $script:answer.listener = @{
            rows = @($rows | Sort-Object { $_.address }, { $_.port }); term_service_pid = $identifier
        }
    }
    catch { Add-Failure 'listener' $_ }
}

function Get-Sessions {
    # qwinsta is translated, its columns are not: mark, name (18), user (20), id right-aligned, state.
    $lines = @(qwinsta.exe)
    $sessions = foreach ($line in @($lines | Select-Object -Skip 1)) {
        if (-not ([string]$line).Trim()) { continue }
        if ($line -notmatch '^[ >](.{18})(.{20}) *(\d+) +(\S+)') { throw "qwinsta printed a line of another form: $line" }
        $name = $Matches[1].Trim()
        $user = $Matches[2].Trim()
        $id = [int]$Matches[3]
        $state = $Matches[4]
        if (@('Active', 'Conn', 'ConnQ', 'Shadow', 'Disc', 'Idle', 'Listen', 'Reset', 'Down', 'Init') -cnotcontains $state) {
            # Another language: the id of a listener is 65536 or more, a disconnected session has no name.
            if ($id -ge 65536) { $state = 'Listen' }
            elseif (-not $name -or $id -eq 0) { $state = 'Disc' }
            elseif ($user) { $state = 'Active' }
            else { $state = 'Conn' }
        }
        @{id = $id; name = $name; user = $user; state = $state }
    }
    if (@($sessions).Count -eq 0) { throw 'qwinsta printed no session' }
    , @($sessions | Sort-Object { $_.id })
}

function Read-Sessions {
    try { $script:answer.sessions = Get-Sessions }
    catch { Add-Failure 'sessions' $_ }
}

function Read-Addresses {
    try {
        $addresses = foreach ($row in @(Get-NetIPAddress)) {
            $address = [string]$row.IPAddress
            if ($address -like '127.*' -or $address -eq '::1' -or $address -like 'fe80:*') { continue }
            @{
                address = $address; prefix_length = [int]$row.PrefixLength; interface = [string]$row.InterfaceAlias
                origin = [string]$row.PrefixOrigin
            }
        }
        $script:answer.addresses = @($addresses | Sort-Object { $_.address })
    }
    catch { Add-Failure 'addresses' $_ }
}

function Read-SelfProbe([string]$Address) {
    if (-not $script:fullLanguage) {
        Add-Unavailable 'self_probe' 'not_supported' 'needs FullLanguage'
        return
    }
    try {
        $target = $Address
        if (-not $target -and $script:answer.ContainsKey('addresses')) {
            $target = $script:answer.addresses | ForEach-Object { $_.address } |
                Where-Object { $_ -match '^[\d.]+$' } | Select-Object -First 1
        }
        if (-not $target) {
            Add-Unavailable 'self_probe' 'not_found' 'the computer has no IPv4 address'
            return
        }
        Assert-Port
        $script:answer.self_probe = Get-SelfProbe $target $script:port
    }
    catch { Add-Failure 'self_probe' $_ }
}

function Select-Share([int]$Slice) {
    # A plain answer has room for less. The first slice holds what is decided on first, the second the other values.
    $first = @{
        'TS' = 'fDenyTSConnections', 'TSEnabled', 'TSServerDrainMode'
        'RT' = 'fEnableWinStation', 'fLogonDisabled', 'PortNumber', 'LanAdapter', 'SecurityLayer', 'UserAuthentication',
        'MinEncryptionLevel', 'fAllowSecProtocolNegotiation', 'SSLCertificateSHA1Hash'
        'POL' = 'fDenyTSConnections', 'SecurityLayer', 'UserAuthentication'
        'FWP\DomainProfile\Services\RemoteDesktop' = , 'Enabled'
        'FWP\PrivateProfile\Services\RemoteDesktop' = , 'Enabled'
        'FWP\PublicProfile\Services\RemoteDesktop' = , 'Enabled'
        'FWP\StandardProfile\Services\RemoteDesktop' = , 'Enabled'
    }
    $services = 'TermService', 'UmRdpService', 'SessionEnv', 'RpcSs', 'BFE', 'mpssvc'
    if ($Slice -eq 1) {
        $script:registryValues = $first
        $script:serviceNames = $services
        return
    }
    $script:serviceNames = 'RpcEptMapper', 'DcomLaunch', 'CertPropSvc', 'KeyIso', 'CryptSvc', 'Dhcp', 'Dnscache', 'nsi',
    'Netlogon', 'LanmanWorkstation', 'W32Time', 'RdAgent', 'WindowsAzureGuestAgent'
    # Whether a policy owns a firewall profile is told by the first slice's firewall section.
    foreach ($key in @($script:registryValues.Keys)) { if ($key -like 'FWP*') { $script:registryValues.Remove($key) } }
    foreach ($key in @($first.Keys)) {
        if (-not $script:registryValues.ContainsKey($key)) { continue }
        $script:registryValues[$key] = @($script:registryValues[$key] | Where-Object { $first[$key] -notcontains $_ })
    }
}

function Read-Everything([string]$SelfAddress, [string]$User) {
    if (-not $script:fullLanguage) { Select-Share $script:answer.slice }
    Read-Os
    Read-Registry
    Read-Services
    if (-not $script:fullLanguage -and $script:answer.slice -eq 2) {
        Read-System
        Read-Adapters
        return
    }
    Read-Listener
    Read-Firewall
    Read-Sessions
    Read-SignIns $User
    Read-Addresses
    Read-Certificate
    Read-SelfProbe $SelfAddress
    Read-Accounts $User
    Read-RemoteDesktop
    Read-Changes
    Read-Events
    if ($script:fullLanguage) {
        Read-System
        Read-Adapters
    }
}

function Initialize-Answer {
    $script:started = Get-Date
    $script:answer = @{schema = 'rdp-remediate/guest/1'; slice = 1; unavailable = @() }
    $script:answer.collected_at = ConvertTo-UtcText ([DateTime]::UtcNow)
    $script:answer.language_mode = [string]$ExecutionContext.SessionState.LanguageMode
    $script:fullLanguage = $script:answer.language_mode -eq 'FullLanguage'
    $script:port = 3389
    $script:termServiceName = 'Remote Desktop Services'
}
