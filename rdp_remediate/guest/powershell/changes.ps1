# ---- changes.ps1: who changed what, from the event logs of seven days; reads only ----------------------------------

function Get-Records([hashtable]$Filter, [int]$Limit) {
    # The newest events first. Older ones beyond the limit are named as not seen.
    $Filter.StartTime = (Get-Date).AddDays(-7)
    $records = @()
    try { $records = @(Get-WinEvent -FilterHashtable $Filter -MaxEvents $Limit) }
    catch { if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw } }
    if ($records.Count -ge $Limit) {
        Add-Unavailable 'changes.older' 'truncated' "only the newest $Limit events of $($Filter.Id -join ', ') were read"
    }
    $records
}

function Get-SystemRecords {
    # One query each, so that the many events of one kind do not crowd out the few of another.
    $manager = 'Service Control Manager'
    Get-Records @{LogName = 'System'; ProviderName = $manager; Id = 7040 } 500
    Get-Records @{LogName = 'System'; ProviderName = $manager; Id = 7036; Data = $script:termServiceName } 50
    Get-Records @{LogName = 'System'; ProviderName = 'User32'; Id = 1074 } 50
}

function Get-SystemChanges {
    foreach ($record in @(Get-SystemRecords)) {
        $data = Get-EventData $record
        $change = @{at = ConvertTo-UtcText $record.TimeCreated; log = 'System'; event_id = [int]$record.Id }
        $change.user_sid = $null
        if ($null -ne $record.UserId) { $change.user_sid = [string]$record.UserId.Value }
        if ($record.Id -eq 7040) {
            if ($script:serviceNames -notcontains $data.param4) { continue }
            $change.what = 'service_start_type'
            $change.object = $data.param4
            $change.value = $data.param3
        }
        elseif ($record.Id -eq 1074) {
            $change.what = 'shutdown'
            $change.object = 'Windows'
            $change.value = $data.param7
        }
        else {
            # The text is translated; the binary data is not: UTF-16 of "TermService/1" (stopped) or "/4" (running).
            if ($data.Binary -like '5400650072006D005300650072007600690063006500*') {
                if ($data.Binary -notlike '*002F003100*') { continue }
                $change.value = 'stopped'
            }
            elseif (-not $data.Binary -and $data.param1 -eq $script:termServiceName -and $data.param2 -ne 'running') {
                $change.value = $data.param2
            }
            else { continue }
            $change.what = 'service_state'
            $change.object = 'TermService'
            $change.user_sid = $null
        }
        $change
    }
}

function Get-FirewallChanges {
    $names = @($script:builtInRules)
    if ($script:answer.ContainsKey('firewall')) {
        $names += @(foreach ($rule in $script:answer.firewall.rules) { $rule.name })
    }
    $log = 'Microsoft-Windows-Windows Firewall With Advanced Security/Firewall'
    # Settings 2002, 2003, 2008; rules 2004 to 2006, and from Windows 11 and later updates 2052, 2071, 2073, 2097, 2099.
    $ids = 2002, 2003, 2004, 2005, 2006, 2008, 2033, 2052, 2071, 2073, 2097, 2099
    foreach ($record in @(Get-Records @{LogName = $log; Id = $ids } 300)) {
        $data = Get-EventData $record
        $change = @{at = ConvertTo-UtcText $record.TimeCreated; log = 'Firewall'; event_id = [int]$record.Id; value = $null }
        $change.user_sid = $null
        if ($data.ModifyingUser) { $change.user_sid = $data.ModifyingUser }
        if ($data.RuleId) {
            $touches = @(foreach ($item in ([string]$data.LocalPorts) -split ',') { $item.Trim() }) -contains "$($script:port)"
            if ($names -notcontains $data.RuleId -and -not $touches) { continue }
            $change.what = 'firewall_rule'
            $change.object = $data.RuleId
            if ($null -ne $data.Active) { $change.value = "Active=$($data.Active)" }
        }
        else {
            $change.what = 'firewall_setting'
            $change.object = 'Firewall'
            if ($data.Profiles) { $change.object = $data.Profiles }
            if ($data.SettingType) { $change.value = "$($data.SettingType)=$($data.SettingValueString)" }
        }
        $change
    }
}

function Read-Changes {
    if (-not $script:fullLanguage) {
        Add-Unavailable 'changes' 'not_supported' 'needs FullLanguage'
        return
    }
    $script:found = @()
    try { $script:found = @($script:found) + @(Get-SystemChanges) }
    catch { Add-Failure 'changes.system' $_ }
    try { $script:found = @($script:found) + @(Get-FirewallChanges) }
    catch { Add-Failure 'changes.firewall' $_ }
    $sorted = @($script:found | Sort-Object { $_.at }, { $_.event_id }, { $_.object })
    if ($sorted.Count -gt 20) { Add-Unavailable 'changes.older' 'truncated' "$($sorted.Count) changes, the newest 20 are told" }
    $script:answer.changes = @($sorted | Select-Object -Last 20)
}
