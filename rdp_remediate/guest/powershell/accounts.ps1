# ---- accounts.ps1: the account that was asked about, the way to its domain, the clock; reads only -------------------
# What has its usual value is left out. No account but the asked one is named.

function Get-AccountGroups($Asked, [string]$Sid, $Groups) {
    # Which of the groups hold the account itself; the members are compared by SID, for an account of a domain by name;
    # who is in a group of the domain is the domain's knowledge.
    $held = @()
    foreach ($group in $Groups) {
        foreach ($member in @(Get-LocalGroupMember -SID $group)) {
            $identifier = [string]$member.SID
            if ($Sid -and $identifier -eq $Sid) { $held += $group }
            elseif (-not $Sid -and [string]$member.Name -eq "$($Asked.place)\$($Asked.name)") { $held += $group }
            # Everyone, Authenticated Users, INTERACTIVE, Local account: they hold every account that can sign in.
            elseif (@('S-1-1-0', 'S-1-5-11', 'S-1-5-4', 'S-1-5-113') -contains $identifier) { $held += $group }
        }
    }
    , @($held | Sort-Object -Unique)
}

function Add-LocalAccount($Found, $Asked) {
    if ($Asked.name -match '["/\\\[\]:;|=,+*?<>@]') { return }
    try { $user = Get-LocalUser -Name $Asked.name }
    catch {
        if ([string]$_.CategoryInfo.Category -ne 'ObjectNotFound') { throw }
        return
    }
    $now = Get-Date
    $Found.local = $true
    $Found.sid = [string]$user.SID
    if (-not $user.Enabled) { $Found.disabled = $true }
    if ($null -ne $user.AccountExpires -and $user.AccountExpires -le $now) {
        $Found.expired = ConvertTo-UtcText $user.AccountExpires
    }
    if ($null -ne $user.PasswordExpires -and $user.PasswordExpires -le $now) { $Found.password_expired = $true }
    if ($null -eq $user.PasswordLastSet) { $Found.must_change = $true }
    $row = Get-CimInstance -ClassName Win32_UserAccount -Filter "LocalAccount=TRUE AND SID='$($Found.sid)'"
    if ($null -eq $row) { throw 'Win32_UserAccount does not show the account' }
    if ($row.Lockout) { $Found.locked = $true }
}

function Get-ProfileTrouble($Asked, [string]$Sid) {
    # A profile whose key Windows put aside, and a sign-in of the same account that got a temporary one instead (1511).
    # An account of a domain is known here by the folder of its profile only.
    $list = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList'
    foreach ($key in @(Get-ChildItem -LiteralPath $list | Where-Object { $_.PSChildName -match '^S-1-5-21-[\d-]+\.bak$' })) {
        $owner = $key.PSChildName -replace '\.bak$', ''
        if ($Sid) { $own = $owner -eq $Sid }
        else {
            $folder = (([string](Get-ItemProperty -LiteralPath $key.PSPath).ProfileImagePath) -split '\\')[-1]
            $own = $folder -eq $Asked.short -or $folder -like "$($Asked.short).*"
        }
        if (-not $own) { continue }
        $filter = @{LogName = 'Application'; ProviderName = 'Microsoft-Windows-User Profiles Service'; Id = 1511
            UserID = $owner; StartTime = (Get-Date).AddDays(-7)
        }
        $record = Get-Logged $filter 1
        if ($null -ne $record) { return ConvertTo-UtcText $record.TimeCreated }
    }
}

function Get-LastReason {
    # Why Windows refused the asked account last, as eight digits.
    if (-not $script:answer.ContainsKey('sign_ins') -or $null -eq $script:answer.sign_ins.asked) { return '0' }
    $last = @($script:answer.sign_ins.asked.failures | Sort-Object { $_.last } -Descending)
    if ($last.Count -eq 0) { return '0' }
    if ($last[0].sub_status -ne '0') { return $last[0].sub_status }
    $last[0].status
}

function Test-Denied {
    # 4825, and no desktop since.
    if (-not $script:answer.ContainsKey('sign_ins') -or $null -eq $script:answer.sign_ins.asked) { return $false }
    $seen = $script:answer.sign_ins.asked
    $seen.denied -and (-not $seen.signed_in -or $seen.denied -gt $seen.signed_in)
}

function Read-Asked([string]$User) {
    $asked = Split-User $User
    $os = $script:answer.os
    $found = @{}
    $script:answer.accounts.asked = $found
    $entra = $asked.place -eq 'AzureAD'
    if ($os.domain_role -lt 4 -and -not $entra) {
        # Outside a domain every other name before the backslash means this computer as well.
        $own = -not $os.part_of_domain -or -not $asked.place -or $asked.place -eq $os.computer_name
        if ($own) {
            $found.local = $false
            try { Add-LocalAccount $found $asked }
            catch {
                $script:answer.accounts.Remove('asked')
                throw
            }
        }
        if (-not $own -or $found.local -or $os.part_of_domain) {
            try {
                $found.groups = Get-AccountGroups $asked ([string]$found.sid) ('S-1-5-32-544', 'S-1-5-32-555')
            }
            catch { Add-Failure 'accounts.asked.groups' $_ }
        }
        if ($found.sid -or -not $own) {
            try {
                $temporary = Get-ProfileTrouble $asked ([string]$found.sid)
                if ($temporary) { $found.temporary_profile = $temporary }
            }
            catch { Add-Failure 'accounts.asked.profile' $_ }
        }
    }
    $reason = Get-LastReason
    # A right that Windows refused, or an account of this computer in neither group: who holds the rights decides.
    if ($reason -eq 'C000015B' -or (Test-Denied) -or ($found.local -and $null -ne $found.groups -and @($found.groups).Count -eq 0)) {
        try {
            $found.rights = Get-UserRights
            if ($found.sid) {
                $all = @(foreach ($group in @(Get-LocalGroup)) { [string]$group.SID })
                $found.groups = Get-AccountGroups $asked $found.sid $all
            }
        }
        catch { Add-Failure 'accounts.asked.rights' $_ }
    }
    if (($reason -eq 'C000006F' -or $reason -eq 'C0000070') -and $found.local) {
        try {
            $limits = Get-Restrictions $asked.name
            if ($limits.hours) { $found.limited_hours = $true }
            if ($limits.workstations) { $found.limited_workstations = $true }
        }
        catch { Add-Failure 'accounts.asked.limits' $_ }
    }
}

function Get-ClockOffset([string]$Computer) {
    # How many seconds this clock is behind the other one, negative: ahead.
    $line = [string](@(w32tm.exe /stripchart "/computer:$Computer" /samples:1 /dataonly) | Select-Object -Last 1)
    if ($line -notmatch ', *([+-]\d+)[.,]\d+s\s*$') { throw "the time of the domain controller could not be read: $line" }
    [int]$Matches[1]
}

function Get-Controller([string]$Domain) {
    # The name of a domain controller, or the error with which none was found.
    $lines = @(nltest.exe "/dsgetdc:$Domain")
    $text = $lines -join ' '
    if ($text -match '\\\\([\w.-]+)') { return @{name = $Matches[1]; error = 0 } }
    if ($text -match '= (\d+) 0x') { return @{name = $null; error = [int]$Matches[1] } }
    throw 'nltest printed something that is not known here'
}

function Read-Domain {
    $os = $script:answer.os
    if (-not $os.part_of_domain -or $os.domain_role -ge 4) { return }
    $accounts = $script:answer.accounts
    $controller = $null
    try {
        $found = Get-Controller $os.domain
        $controller = $found.name
        if ($found.error -ne 0) { $accounts.controller_error = $found.error }
    }
    catch { Add-Failure 'accounts.controller' $_ }
    try {
        $netlogon = Get-CimInstance -ClassName Win32_Service -Filter "Name='Netlogon'"
        if ($null -eq $netlogon -or $netlogon.State -ne 'Running') {
            Add-Unavailable 'accounts.channel' 'not_running' 'Netlogon does not run, so there is no secure channel to test'
        }
        elseif (-not (Test-ComputerSecureChannel)) {
            # The test only says no; the status says why.
            $text = @(nltest.exe "/sc_query:$($os.domain)") -join ' '
            if ($text -notmatch 'Status = (\d+) 0x' -or [int]$Matches[1] -eq 0) { throw 'the secure channel has no status' }
            $accounts.channel_error = [int]$Matches[1]
        }
    }
    catch { Add-Failure 'accounts.channel' $_ }
    try {
        if (-not $controller) { Add-Unavailable 'accounts.clock' 'unreachable' 'no domain controller to compare the clock with' }
        else {
            $offset = Get-ClockOffset $controller
            if ($offset -ge 60 -or $offset -le -60) { $accounts.offset_s = $offset }
        }
    }
    catch { Add-Failure 'accounts.clock' $_ }
}

function Read-EntraJoin([string]$User) {
    # On a member of a domain dsregcmd tests the network for seconds, so there only where an Entra account is asked about.
    if ($script:answer.os.part_of_domain -and $User -notlike 'AzureAD\*') { return }
    try {
        $lines = @(dsregcmd.exe /status)
        $joined = @($lines | Where-Object { $_ -match '^\s*AzureAdJoined\s*:\s*(YES|NO)\s*$' })
        if ($joined.Count -ne 1) { throw 'dsregcmd printed something that is not known here' }
        if ($joined[0] -match 'YES') { $script:answer.accounts.entra_joined = $true }
    }
    catch { Add-Failure 'accounts.entra_joined' $_ }
}

$script:certificateStoreKey = 'HKLM:\SOFTWARE\Microsoft\SystemCertificates\Remote Desktop\Certificates'

function Read-CertificateStoreAccess {
    # Told only where no group that holds every remote user may read: Users, Authenticated Users, Everyone, Remote Desktop Users.
    try {
        if (-not (Test-Path -LiteralPath $script:certificateStoreKey)) { return }
        $sddl = [string](Get-Acl -LiteralPath $script:certificateStoreKey).Sddl
        if (-not $sddl) { throw 'the access list is empty' }
        $readers = @($sddl -split '\(' | Where-Object {
                $_ -match '^A;(?:(?!IO)..)*;(KR|KA|GR|GA|KX);[^;]*;[^;]*;(BU|AU|WD|RD|IU|S-1-5-32-555)\)' })
        if ($readers.Count -eq 0) { $script:answer.accounts.certificate_store_acl = $sddl }
    }
    catch { Add-Failure 'accounts.certificate_store_acl' $_ }
}

function Read-Accounts([string]$User) {
    if (-not $script:answer.ContainsKey('os')) {
        Add-Unavailable 'accounts' 'not_found' 'the computer, its role and its domain could not be read'
        return
    }
    $script:answer.accounts = @{}
    Read-CertificateStoreAccess
    Read-Domain
    Read-EntraJoin $User
    if (-not $User) { return }
    try { Read-Asked $User }
    catch { Add-Failure 'accounts.asked' $_ }
}
