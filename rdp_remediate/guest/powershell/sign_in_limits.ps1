# ---- sign_in_limits.ps1: who holds the rights of a sign-in, an account's hours and workstations ---------------------
# Read by programs that could also write, so this part stands apart. They are asked only where Windows refused a sign-in for
# that reason (C000015B, C000006F, C0000070) or nobody seems to grant it, so a healthy computer is not touched.

function Get-UserRights {
    # secedit can only write a file: one that only administrators can make, and that is removed again.
    $file = Join-Path $env:windir "security\rdp-remediate-$PID.inf"
    try {
        $null = secedit.exe /export /areas USER_RIGHTS /cfg $file /quiet
        if ($LASTEXITCODE -ne 0) { throw "secedit ended with $LASTEXITCODE" }
        $lines = @(Get-Content -LiteralPath $file)
    }
    finally { if (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file -Force } }
    if ($lines.Count -lt 3) { throw 'secedit wrote nothing that is known here' }
    # A right that nobody holds has no line.
    $rights = @{}
    foreach ($name in 'SeRemoteInteractiveLogonRight', 'SeDenyRemoteInteractiveLogonRight', 'SeNetworkLogonRight',
        'SeDenyNetworkLogonRight') {
        $rights[$name] = @()
    }
    foreach ($line in $lines) {
        if ($line -notmatch '^(Se\w+) *= *(.*)$' -or -not $rights.ContainsKey($Matches[1])) { continue }
        $name = $Matches[1]
        $rights[$name] = @(foreach ($holder in $Matches[2] -split ',') { if ($holder.Trim()) { $holder.Trim() -replace '^\*', '' } })
    }
    $rights
}

function Get-Restrictions([string]$Name) {
    # net user's labels are translated, the order of its lines is not: blocks are parted by empty lines, the third begins
    # with the workstations, the fourth holds the hours. The word for "all" is the one that the guest account has.
    $words = @{}
    $guest = Get-CimInstance -ClassName Win32_UserAccount -Filter "LocalAccount=TRUE AND SID LIKE 'S-1-5-21-%-501'"
    foreach ($who in $Name, [string]$guest.Name) {
        $blocks = @(, @())
        foreach ($line in @(net.exe user $who)) {
            if (([string]$line).Trim()) { $blocks[-1] = @($blocks[-1]) + @([string]$line) }
            elseif (@($blocks[-1]).Count -gt 0) { $blocks += , @() }
        }
        if ($blocks.Count -lt 5) { throw 'net user printed lines of another form' }
        $words[$who] = @{workstations = ($blocks[2][0] -split ' {2,}')[-1].Trim()
            hours = (@($blocks[3]) -join '|') -replace '^.*? {2,}', ''
        }
    }
    $own, $usual = $words[$Name], $words[[string]$guest.Name]
    @{hours = $own.hours -ne $usual.hours; workstations = $own.workstations -ne $usual.workstations }
}
