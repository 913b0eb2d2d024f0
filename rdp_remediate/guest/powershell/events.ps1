# ---- events.ps1: what Windows logged about its own faults in the last days; reads only ------------------------------
# One query for each provider: a filter takes about twenty ids at most, and many events of one do not crowd out others.

$script:eventDays = 7

# log, provider, ids. The texts of events are translated, their numbers and data are not.
$script:eventQueries = @(
    , @('System', 'Microsoft-Windows-TerminalServices-RemoteConnectionManager', @(1006, 1035, 1036, 1050, 1051, 1052, 1053,
            1054, 1055, 1057, 1058, 1059, 1064, 1065, 1068, 1069, 1128))
    , @('Microsoft-Windows-TerminalServices-RemoteConnectionManager/Admin',
        'Microsoft-Windows-TerminalServices-RemoteConnectionManager', @(1068, 1069, 1128, 20499))
    , @('System', 'Schannel', @(36870, 36871, 36872, 36874, 36886, 36888))
    , @('System', 'TermDD', @(50, 56))
    , @('System', 'Service Control Manager', @(7000, 7001, 7003, 7009, 7011, 7022, 7023, 7024, 7031, 7034, 7038))
    , @('System', 'NETLOGON', @(3210, 5719, 5722))
    , @('System', 'Microsoft-Windows-Security-Kerberos', @(, 6))
    , @('System', 'Microsoft-Windows-Directory-Services-SAM', @(, 16965))
    , @('System', 'Tcpip', @(4199, 4227, 4231))
    , @('System', 'Microsoft-Windows-WER-SystemErrorReporting', @(, 1001))
    , @('System', 'Microsoft-Windows-Kernel-Power', @(, 41))
    , @('System', 'EventLog', @(, 6008))
    , @('System', 'Microsoft-Windows-Resource-Exhaustion-Detector', @(, 2004))
    , @('System', 'disk', @(153, 157))
)

function Get-EventRows([string]$Log, [string]$Provider, $Ids) {
    $filter = @{LogName = $Log; ProviderName = $Provider; Id = $Ids; StartTime = (Get-Date).AddDays(-$script:eventDays) }
    $records = @()
    try { $records = @(Get-WinEvent -FilterHashtable $filter -MaxEvents 200) }
    catch {
        # No event, no such log or no such provider on this Windows: nothing was logged.
        if ($_.FullyQualifiedErrorId -notmatch '^NoMatching(Events|Logs|Providers)Found') { throw }
    }
    # Each retried disk request names its block; the device is enough.
    $values = 4
    if ($Provider -eq 'disk') { $values = 1 }
    $quarter = (Get-Date).AddMinutes(-15)
    foreach ($record in $records) {
        $xml = [xml]$record.ToXml()
        $nodes = @($xml.SelectNodes("//*[local-name()='EventData']/*[local-name()='Data']"))
        $data = @(foreach ($node in @($nodes | Select-Object -First $values)) {
                $text = [string]$node.InnerText
                if ($text.Length -gt 80) { $text = $text.Substring(0, 80) }
                $text
            })
        @{
            log = $Log; provider = $Provider; id = [int]$record.Id; at = ConvertTo-UtcText $record.TimeCreated; data = $data
            recent = [int]($record.TimeCreated -ge $quarter)
        }
    }
}

function Read-Events {
    if (-not $script:fullLanguage) {
        Add-Unavailable 'events' 'not_supported' 'needs FullLanguage'
        return
    }
    # Each query fails alone; the same event with the same data is told once, with its latest time and its number.
    $told = @{}
    $rows = @()
    foreach ($query in $script:eventQueries) {
        try { $found = @(Get-EventRows $query[0] $query[1] $query[2]) }
        catch {
            Add-Failure "events.$($query[1])" $_
            continue
        }
        foreach ($row in $found) {
            $key = "$($row.log)|$($row.provider)|$($row.id)|$($row.data -join '|')"
            if ($told.ContainsKey($key)) {
                $told[$key].count++
                $told[$key].recent += $row.recent
                if ($row.at -gt $told[$key].at) { $told[$key].at = $row.at }
            }
            else {
                $row.count = 1
                $told[$key] = $row
                $rows += $row
            }
        }
    }
    foreach ($row in $rows) { if ($row.recent -lt 2) { $row.Remove('recent') } }
    $sorted = @($rows | Sort-Object { $_.at }, { $_.provider }, { $_.id })
    if ($sorted.Count -gt 24) { Add-Unavailable 'events.older' 'truncated' "$($sorted.Count) kinds of events, the newest 24 are told" }
    $script:answer.events = @($sorted | Select-Object -Last 24)
}
