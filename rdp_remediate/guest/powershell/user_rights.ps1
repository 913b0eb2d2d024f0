# ---- user_rights.ps1: who holds the rights that a sign-in needs -----------------------------------------------------
# secedit can only write a file: one that only administrators can make, and that is removed again. It is asked only when
# Windows itself says that a right is missing (C000015B), so a healthy computer is not touched.

function Get-UserRights {
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
