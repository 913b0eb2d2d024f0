# ---- steps_accounts.ps1: steps on accounts, rights and the clock ----------------------------------------------------
# Accounts are named by SID. Nothing here sets a password, and nothing puts anybody into Administrators.

function Get-RefusedAccount([string]$Sid) {
    # Why steps leave this account alone, or null; built-in accounts but the administrator are not for people.
    if ($Sid -cnotmatch '^S-1-5-21-\d+-\d+-\d+-\d+$') { return 'the account is not named by its SID' }
    if ($Sid -match '-(501|503|504)$') { return 'a built-in account that is not for people' }
    $null
}

function Get-AccountRow([string]$Sid) {
    $row = Get-CimInstance -ClassName Win32_UserAccount -Filter "LocalAccount=TRUE AND SID='$Sid'"
    if ($null -eq $row) { throw 'there is no such local account' }
    $row
}

function Get-RightHolders([string]$Right) {
    # In the order of the characters' codes: Sort-Object's depends on the culture and leaves hyphens out.
    [string[]]$holders = @((Get-UserRights)[$Right])
    [Array]::Sort($holders, [System.StringComparer]::Ordinal)
    $holders -join ','
}

function Set-RightHolders([string]$Right, [string]$Holders) {
    # secedit takes the rights that the file names and leaves the others; the folder is the protected one of the record.
    $file = Join-Path (Split-Path -Parent $script:record) 'right'
    $entries = @(foreach ($holder in $Holders -split ',') {
            if ($holder -match '^S-1-') { "*$holder" } elseif ($holder) { $holder }
        })
    $lines = '[Unicode]', 'Unicode=yes', '[Version]', 'signature="$CHICAGO$"', 'Revision=1', '[Privilege Rights]',
    "$Right = $($entries -join ',')"
    try {
        Set-Content -LiteralPath "$file.inf" -Value $lines -Encoding Unicode
        $null = secedit.exe /configure /db "$file.sdb" /cfg "$file.inf" /areas USER_RIGHTS /quiet
        if ($LASTEXITCODE -ne 0) { throw "secedit ended with $LASTEXITCODE" }
    }
    finally {
        foreach ($used in "$file.inf", "$file.sdb", "$file.jfm") {
            if (Test-Path -LiteralPath $used) { Remove-Item -LiteralPath $used -Force }
        }
    }
}

$script:stepKinds['account_enabled'] = @{
    get = { param($target) [bool](Get-LocalUser -SID $target.sid).Enabled }
    set = {
        param($target, $value)
        if ($value) { Enable-LocalUser -SID $target.sid } else { Disable-LocalUser -SID $target.sid }
    }
    refuse = {
        param($target, $desired)
        if ($desired -isnot [bool]) { return 'an account is enabled or not' }
        Get-RefusedAccount $target.sid
    }
}

$script:stepKinds['account_locked'] = @{
    get = { param($target) [bool](Get-AccountRow $target.sid).Lockout }
    set = {
        param($target, $value)
        if ($value) { throw 'an account is never locked here' }
        Set-CimInstance -InputObject (Get-AccountRow $target.sid) -Property @{Lockout = $false }
    }
    refuse = {
        param($target, $desired)
        if ($desired -isnot [bool] -or $desired) { return 'a lockout is only taken away' }
        Get-RefusedAccount $target.sid
    }
}

$script:stepKinds['account_expires'] = @{
    get = { param($target) ConvertTo-UtcText (Get-LocalUser -SID $target.sid).AccountExpires }
    set = {
        param($target, $value)
        if ($null -eq $value) { Set-LocalUser -SID $target.sid -AccountNeverExpires }
        else {
            $culture = [System.Globalization.CultureInfo]::InvariantCulture
            $style = [System.Globalization.DateTimeStyles]::AdjustToUniversal
            $time = [datetime]::Parse($value, $culture, $style).ToLocalTime()
            Set-LocalUser -SID $target.sid -AccountExpires $time
        }
    }
    refuse = {
        param($target, $desired)
        if ($null -ne $desired -and $desired -cnotmatch '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$') { return 'the end is no time' }
        Get-RefusedAccount $target.sid
    }
}

$script:stepKinds['group_member'] = @{
    get = {
        param($target)
        @(Get-LocalGroupMember -SID $target.group | Where-Object { [string]$_.SID -eq $target.sid }).Count -gt 0
    }
    set = {
        param($target, $value)
        if ($value) { Add-LocalGroupMember -SID $target.group -Member $target.sid }
        else { Remove-LocalGroupMember -SID $target.group -Member $target.sid }
    }
    refuse = {
        param($target, $desired)
        if ($target.group -cne 'S-1-5-32-555') { return 'only Remote Desktop Users gets or loses members here' }
        if ($desired -isnot [bool]) { return 'an account is a member or not' }
        Get-RefusedAccount $target.sid
    }
}

$script:stepKinds['user_right'] = @{
    get = { param($target) Get-RightHolders $target.right }
    set = { param($target, $value) Set-RightHolders $target.right $value }
    refuse = {
        param($target, $desired)
        $rights = 'SeRemoteInteractiveLogonRight', 'SeDenyRemoteInteractiveLogonRight', 'SeDenyNetworkLogonRight'
        if ($rights -cnotcontains $target.right) { return 'this right is not changed here' }
        if ($desired -isnot [string] -or $desired -cnotmatch '^[A-Za-z0-9 ._,\\-]*$') { return 'the holders are no list' }
        if ((Get-CimInstance -ClassName Win32_ComputerSystem).PartOfDomain) { return 'a policy of the domain may decide this right' }
        $null
    }
}

$script:stepKinds['certificate_store_acl'] = @{
    get = { param($target) [string](Get-Acl -LiteralPath $script:certificateStoreKey).Sddl }
    set = {
        param($target, $value)
        $acl = Get-Acl -LiteralPath $script:certificateStoreKey
        $acl.SetSecurityDescriptorSddlForm($value, [System.Security.AccessControl.AccessControlSections]::Access)
        Set-Acl -LiteralPath $script:certificateStoreKey -AclObject $acl
    }
    refuse = {
        param($target, $desired)
        # The present list with, or without, the one entry that lets Remote Desktop Users read; nothing else.
        $present = [string](Get-Acl -LiteralPath $script:certificateStoreKey).Sddl
        $entry = '(A;CI;KR;;;RD)'
        if ($desired -cne $present -and $desired -cne "$present$entry" -and "$desired$entry" -cne $present) {
            return 'only the entry of Remote Desktop Users is added or removed'
        }
        $null
    }
}

$script:stepKinds['clock'] = @{
    # off: five minutes or more from a domain controller, beyond what Kerberos allows; right: less.
    get = {
        param($target)
        $controller = (Get-Controller ([string](Get-CimInstance -ClassName Win32_ComputerSystem).Domain)).name
        if (-not $controller) { throw 'no domain controller answers' }
        $offset = Get-ClockOffset $controller
        if ($offset -ge 300 -or $offset -le -300) { return 'off' }
        'right'
    }
    set = {
        param($target, $value)
        if ($value -cne 'right') { throw 'a clock is never put wrong' }
        $null = w32tm.exe /resync
        if ($LASTEXITCODE -ne 0) { throw "w32tm ended with $LASTEXITCODE" }
    }
    refuse = {
        param($target, $desired)
        if ($desired -cne 'right') { return 'a clock is only put right' }
        $null
    }
}
