# ---- licensing.ps1: what a Remote Desktop Session Host needs to admit users; reads only ------------------------------
# Two sessions for administration need no license: read only where the role is installed.

function Get-LicenseServers($Setting) {
    # Name -> whether its endpoint mapper (RPC, port 135) accepts a connection; the first three are tried.
    $told = Invoke-CimMethod -InputObject $Setting -MethodName GetSpecifiedLicenseServerList
    if ($null -eq $told -or [int]$told.ReturnValue -ne 0) { throw 'the license servers were not told' }
    $servers = @{}
    foreach ($name in @($told.SpecifiedLSList)) {
        if (-not $name) { continue }
        $servers[[string]$name] = 'not_tried'
        if ($script:fullLanguage -and $servers.Count -le 3) { $servers[[string]$name] = Get-PortState ([string]$name) 135 }
    }
    $servers
}

function Read-Licensing($Seen, $Setting) {
    $licensing = @{}
    try {
        if ($null -eq $Setting.LicensingType) { throw 'LicensingType was not told' }
        $licensing.mode = [int]$Setting.LicensingType
        $grace = Invoke-CimMethod -InputObject $Setting -MethodName GetGracePeriodDays
        if ($null -eq $grace -or [int]$grace.ReturnValue -ne 0) { throw 'the days of grace were not told' }
        $licensing.grace_days = [int]$grace.DaysLeft
        $licensing.servers = Get-LicenseServers $Setting
        $Seen.licensing = $licensing
    }
    catch { Add-Failure 'remote_desktop.licensing' $_ }
}
