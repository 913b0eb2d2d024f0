# ---- remote_desktop.ps1: what decides Remote Desktop beside the listed registry values; reads only -------------------
# Only what is not usual is told, so that a healthy computer's answer hardly grows.

function Read-SessionHost($Seen) {
    # TerminalServerMode: 0 two sessions for administration, 1 the role Remote Desktop Session Host.
    try {
        $setting = Get-CimInstance -Namespace 'root/cimv2/TerminalServices' -ClassName Win32_TerminalServiceSetting
        if ($null -eq $setting -or $null -eq $setting.TerminalServerMode) { throw 'TerminalServerMode was not told' }
        $Seen.session_host = [int]$setting.TerminalServerMode -eq 1
    }
    catch {
        Add-Failure 'remote_desktop.session_host' $_
        return
    }
    if ($Seen.session_host) { Read-Licensing $Seen $setting }
    try {
        # PolicySource of a setting: 0 this server, 1 a group policy, 2 the default. A policy of another store is seen here too.
        $listener = Get-CimInstance -Namespace 'root/cimv2/TerminalServices' -ClassName Win32_TSGeneralSetting -Filter "TerminalName='RDP-Tcp'"
        $owned = @(foreach ($one in @($setting) + @($listener)) {
                foreach ($property in @($one.CimInstanceProperties)) {
                    if ($property.Name -like 'PolicySource*' -and $property.Value -eq 1) { ([string]$property.Name).Substring(12) }
                }
            })
        if ($owned.Count -gt 0) { $Seen.policy_owned = $owned }
    }
    catch { Add-Failure 'remote_desktop.policy_owned' $_ }
}

function Read-TermServiceMemory($Seen) {
    # Megabytes of its process, which are below a hundred on a usual server.
    $process = Get-TermServiceId
    if ($process -eq 0) { return }
    try {
        $size = [int]((Get-Process -Id $process).WorkingSet64 / 1MB)
        if ($size -ge 1024) { $Seen.memory = $size }
    }
    catch { Add-Failure 'remote_desktop.memory' $_ }
}

function Read-TermServiceFile($Seen) {
    # A patched termsrv.dll no longer is what Microsoft signed.
    try {
        $signature = Get-AuthenticodeSignature -LiteralPath "$env:SystemRoot\System32\termsrv.dll"
        if ([string]$signature.Status -ne 'Valid') { $Seen.file_signature = [string]$signature.Status }
    }
    catch { Add-Failure 'remote_desktop.file_signature' $_ }
}

function Read-TermServiceConfiguration($Seen) {
    if (-not $script:answer.ContainsKey('services') -or $null -eq $script:answer.services.TermService) { return }
    $service = $script:answer.services.TermService
    # Windows' own events name a service as it is displayed.
    if ($script:termServiceName -cne 'Remote Desktop Services') { $Seen.display_name = $script:termServiceName }
    try {
        $missing = @(foreach ($name in $service.depends_on) {
                # A name that begins with + is a group of services.
                if ($name -like '+*' -or $script:serviceNames -contains $name) { continue }
                if ($null -eq (Get-RegistryKey "HKLM:\SYSTEM\CurrentControlSet\Services\$name")) { $name }
            })
        if ($missing.Count -gt 0) { $Seen.missing_dependencies = @($missing | Select-Object -First 4) }
    }
    catch { Add-Failure 'remote_desktop.missing_dependencies' $_ }
    if (-not $service.account -or $service.account -eq 'NT AUTHORITY\NetworkService') { return }
    if (-not $script:fullLanguage) {
        Add-Unavailable 'remote_desktop.account_sid' 'not_supported' 'needs FullLanguage'
        return
    }
    try { $Seen.account_sid = Get-AccountSid $service.account }
    catch { Add-Failure 'remote_desktop.account_sid' $_ }
}

function Read-ListenerAdapter($Seen) {
    # The adapter that RT\LanAdapter chooses by its number in lanatable: its state, or missing.
    $number = $script:answer.registry['RT\LanAdapter']
    if ($null -eq $number -or $number -eq 0) { return }
    try {
        $identifier = $null
        foreach ($key in @(Get-ChildItem -LiteralPath "$($script:shortKeys['TS'])\lanatable")) {
            if ((Get-ItemProperty -LiteralPath $key.PSPath).LanaId -eq $number) { $identifier = [string]$key.PSChildName }
        }
        $Seen.listener_adapter = 'missing'
        foreach ($adapter in @(Get-NetAdapter)) {
            if ([string]$adapter.InterfaceGuid -eq $identifier) { $Seen.listener_adapter = [string]$adapter.Status }
        }
    }
    catch {
        $Seen.Remove('listener_adapter')
        Add-Failure 'remote_desktop.listener_adapter' $_
    }
}

function Read-PortOwner($Seen) {
    # Services inside the process that has the RDP port although it is not TermService's.
    if (-not $script:answer.ContainsKey('listener')) { return }
    $own = $script:answer.listener.term_service_pid
    $foreign = @($script:answer.listener.rows | Where-Object { $_.port -eq $script:port -and $_.pid -ne $own })
    if ($foreign.Count -eq 0) { return }
    try {
        $hosted = @(Get-CimInstance -ClassName Win32_Service -Filter "ProcessId=$($foreign[0].pid)")
        if ($hosted.Count -gt 0) { $Seen.port_services = @($hosted | Select-Object -First 4 | ForEach-Object { [string]$_.Name }) }
    }
    catch { Add-Failure 'remote_desktop.port_services' $_ }
}

function Read-LimitDrops($Seen) {
    # Sessions that a limit has ended in seven days: event 40 with reason 3 (idle) or 4 (time); only where a limit is set.
    $limited = @(foreach ($key in 'RT', 'POL') {
            foreach ($name in 'MaxIdleTime', 'MaxConnectionTime') {
                $value = $script:answer.registry["$key\$name"]
                if ($null -ne $value -and $value -ne 0) { $name }
            }
        })
    if ($limited.Count -eq 0) { return }
    try {
        $filter = @{LogName = 'Microsoft-Windows-TerminalServices-LocalSessionManager/Operational'; Id = 40
            StartTime = (Get-Date).AddDays(-7)
        }
        $records = @()
        try { $records = @(Get-WinEvent -FilterHashtable $filter -MaxEvents 300) }
        catch { if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw } }
        $drops = @{idle = 0; time = 0 }
        foreach ($record in $records) {
            $reason = [string]$record.Properties[1].Value
            if ($reason -eq '3') { $drops.idle++ }
            elseif ($reason -eq '4') { $drops.time++ }
        }
        if ($records.Count -ge 300 -and $drops.idle + $drops.time -eq 0) {
            Add-Unavailable 'remote_desktop.limit_drops' 'truncated' 'only the newest 300 events 40 were read'
        }
        else { $Seen.limit_drops = $drops }
    }
    catch { Add-Failure 'remote_desktop.limit_drops' $_ }
}

function Read-RemoteDesktop {
    $seen = @{}
    Read-SessionHost $seen
    Read-TermServiceFile $seen
    Read-TermServiceConfiguration $seen
    Read-TermServiceMemory $seen
    if ($script:answer.ContainsKey('registry')) {
        Read-ListenerAdapter $seen
        Read-LimitDrops $seen
    }
    Read-PortOwner $seen
    $script:answer.remote_desktop = $seen
}
