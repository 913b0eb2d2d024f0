# ---- sign_ins.ps1: who tried to sign in and how it ended, from the event logs; reads only ---------------------------
# Other people's sign-ins are counted only; names are compared here and never told.

# Status or SubStatus of a sign-in that may have guessed a name or a password; a lockout (C0000234) is what guessing ends in.
$script:guessed = '0', 'C0000064', 'C000006A', 'C000006D', 'C0000234'

function Get-Logged([hashtable]$Filter, [int]$Limit) {
    # The newest first; no event, no such log and no such provider are the same: nothing was logged.
    try { Get-WinEvent -FilterHashtable $Filter -MaxEvents $Limit }
    catch { if ($_.FullyQualifiedErrorId -notmatch '^NoMatching(Events|Logs|Providers)Found') { throw } }
}

function ConvertTo-StatusText($Value) {
    # 0xC000006D as eight digits, whether Windows gave a number or its text; no reason, or one of another form, is 0.
    if ($Value -is [string]) { $text = '00000000' + ($Value -replace '^0[xX]', '').ToUpperInvariant() }
    else { $text = '00000000{0:X8}' -f $Value }
    $text = $text.Substring($text.Length - 8)
    if ($text -eq '00000000' -or $text -notmatch '^[0-9A-F]{8}$') { return '0' }
    $text
}

function Split-User([string]$User) {
    # A domain before a backslash, one behind an @, or none.
    $place, $name = '', $User
    if ($User -match '^([^\\]*)\\(.+)$') {
        $place = $Matches[1]
        $name = $Matches[2]
    }
    if ($place -eq '.' -and $script:answer.ContainsKey('os')) { $place = $script:answer.os.computer_name }
    @{place = $place; name = $name; short = ($name -split '@')[0] }
}

function Test-Asked($Asked, [string]$Name, [string]$Place) {
    # Windows logs the name as it was typed. Outside a domain whatever stands before the backslash means this computer.
    if ($Name -ne $Asked.name -and $Name -ne $Asked.short) { return $false }
    if (-not $Asked.place -or -not $Place -or $Place -eq $Asked.place) { return $true }
    if ($Place -like "$($Asked.place).*" -or $Asked.place -like "$Place.*") { return $true }
    $entra = $Asked.place -eq 'AzureAD' -or $Place -eq 'AzureAD'
    -not $entra -and $script:answer.ContainsKey('os') -and -not $script:answer.os.part_of_domain
}

function Get-AskedRecords($Ids, $Names) {
    # The newest of a day. Data compares as it is written, so it only helps out where there are too many to look at all.
    $filter = @{LogName = 'Security'; Id = $Ids; StartTime = (Get-Date).AddDays(-1) }
    if ($Names) { $filter.Data = $Names }
    $records = @(Get-Logged $filter 1000)
    if ($records.Count -lt 1000) { return $records }
    if ($Names) {
        Add-Unavailable 'sign_ins.asked.older' 'truncated' "only the newest 1000 events of $($Ids -join ', ') were read"
        return $records
    }
    Get-AskedRecords $Ids $script:spellings
}

function Get-Desktops {
    # 4624 of type 10, a new session, and 7, one that is taken up again; the other types are many.
    $since = (Get-Date).AddDays(-1).ToUniversalTime().ToString('s') + '.000Z'
    $types = "Data[@Name='LogonType']='10' or Data[@Name='LogonType']='7'"
    $query = "*[System[(EventID=4624) and TimeCreated[@SystemTime>='$since']] and EventData[$types]]"
    try { Get-WinEvent -LogName Security -FilterXPath $query -MaxEvents 300 }
    catch { if ($_.FullyQualifiedErrorId -notlike 'NoMatchingEventsFound*') { throw } }
}

function Get-AskedSignIns([string]$User) {
    $asked = Split-User $User
    $found = @{failures = @() }
    $failures = @{}
    $more = @()
    $script:spellings = @(foreach ($name in $asked.name, $asked.short) {
            $name
            $name.ToLowerInvariant()
            $name.ToUpperInvariant()
            $name.Substring(0, 1).ToUpperInvariant() + $name.Substring(1).ToLowerInvariant()
        }) | Sort-Object -Unique
    foreach ($record in @(Get-AskedRecords (4625, 4740, 4825))) {
        $values = @(foreach ($property in $record.Properties) { , $property.Value })
        $at = ConvertTo-UtcText $record.TimeCreated
        if ($record.Id -eq 4740) {
            # The domain of a lockout is the computer that the attempt came from.
            if ((Test-Asked $asked ([string]$values[0]) '') -and -not $found.locked_out) { $found.locked_out = $at }
            continue
        }
        if ($record.Id -eq 4825) {
            if ((Test-Asked $asked ([string]$values[0]) ([string]$values[1])) -and -not $found.denied) { $found.denied = $at }
            continue
        }
        if (-not (Test-Asked $asked ([string]$values[5]) ([string]$values[6]))) { continue }
        $row = @{status = ConvertTo-StatusText $values[7]; sub_status = ConvertTo-StatusText $values[9]
            type = [int]$values[10]; address = [string]$values[19]; last = $at; count = 1
        }
        $key = "$($row.status)|$($row.sub_status)|$($row.type)"
        if ($failures.ContainsKey("$key|$($row.address)")) {
            $failures["$key|$($row.address)"].count++
            continue
        }
        $failures["$key|$($row.address)"] = $row
        # The newest of each kind are told before further addresses of the same kind, as an attack has them.
        if ($failures.ContainsKey($key)) { $more += $row }
        else {
            $failures[$key] = $true
            $found.failures = @($found.failures) + @($row)
        }
    }
    $rows = @($found.failures) + @($more)
    if ($rows.Count -gt 6) { Add-Unavailable 'sign_ins.asked.older' 'truncated' "$($rows.Count) kinds of failures, 6 are told" }
    $found.failures = @($rows | Select-Object -First 6)
    foreach ($record in @(Get-Desktops)) {
        $values = @(foreach ($property in $record.Properties) { , $property.Value })
        if (-not (Test-Asked $asked ([string]$values[5]) ([string]$values[6]))) { continue }
        $found.signed_in = ConvertTo-UtcText $record.TimeCreated
        break
    }
    # Type 3 is NLA's stage, or a file share; it is only looked for under the usual spellings.
    foreach ($record in @(Get-Logged @{LogName = 'Security'; Id = 4624; StartTime = (Get-Date).AddDays(-1); Data = $script:spellings } 300)) {
        $values = @(foreach ($property in $record.Properties) { , $property.Value })
        if ([int]$values[8] -ne 3 -or -not (Test-Asked $asked ([string]$values[5]) ([string]$values[6]))) { continue }
        $found.authenticated = ConvertTo-UtcText $record.TimeCreated
        break
    }
    $log = 'Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational'
    foreach ($record in @(Get-Logged @{LogName = $log; Id = 1149; StartTime = (Get-Date).AddDays(-1) } 300)) {
        $values = @(foreach ($property in $record.Properties) { , $property.Value })
        if (-not (Test-Asked $asked ([string]$values[0]) ([string]$values[1]))) { continue }
        $at = ConvertTo-UtcText $record.TimeCreated
        if (-not $found.authenticated -or $at -gt $found.authenticated) { $found.authenticated = $at }
        break
    }
    if ($asked.place -eq 'AzureAD') { $found.entra = @(Get-EntraRefusals) }
    $found
}

function Get-EntraRefusals {
    # What Microsoft Entra ID answered to this computer; only the code of the answer, which is the same in every language.
    $told = @{}
    $filter = @{LogName = 'Microsoft-Windows-AAD/Operational'; Id = 1081, 1098; StartTime = (Get-Date).AddDays(-1) }
    foreach ($record in @(Get-Logged $filter 100)) {
        $text = @(foreach ($property in $record.Properties) { [string]$property.Value }) -join ' '
        if ($text -notmatch 'AADSTS(\d{4,9})' -or $told.ContainsKey($Matches[1]) -or $told.Count -ge 4) { continue }
        $told[$Matches[1]] = $true
        @{code = $Matches[1]; last = ConvertTo-UtcText $record.TimeCreated }
    }
}

function Read-SignIns([string]$User) {
    try {
        $window = 900
        $failed = @(Get-Logged @{LogName = 'Security'; Id = 4625; StartTime = (Get-Date).AddSeconds(-$window) } 1000)
        $sources = @{}
        $other = 0
        foreach ($record in $failed) {
            $address = [string]$record.Properties[19].Value
            if ($address -and $address -ne '-') { $sources[$address] = $true }
            $reason = ConvertTo-StatusText $record.Properties[9].Value
            if ($reason -eq '0') { $reason = ConvertTo-StatusText $record.Properties[7].Value }
            if ($script:guessed -notcontains $reason) { $other++ }
        }
        $script:answer.sign_ins = @{window_s = $window; failed = $failed.Count; sources = $sources.Count }
        if ($other -gt 0) { $script:answer.sign_ins.not_guessed = $other }
    }
    catch {
        Add-Failure 'sign_ins' $_
        return
    }
    if (-not $User) { return }
    try { $script:answer.sign_ins.asked = Get-AskedSignIns $User }
    catch { Add-Failure 'sign_ins.asked' $_ }
}
