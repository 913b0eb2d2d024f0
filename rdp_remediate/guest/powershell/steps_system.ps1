# ---- steps_system.ps1: EMS of the current boot entry; it takes effect at the next restart -----------------------------

function Invoke-BootEdit {
    $null = bcdedit.exe @args
    if ($LASTEXITCODE -ne 0) { throw "bcdedit $args ended with $LASTEXITCODE" }
}

$script:stepKinds['boot_ems'] = @{
    get    = { param($target) (Get-BootOptions).ems }
    set    = {
        param($target, $value)
        if ($value -ceq 'Yes') { Invoke-BootEdit /ems '{current}' on }
        elseif ($value -ceq 'No') { Invoke-BootEdit /ems '{current}' off }
        else { Invoke-BootEdit /deletevalue '{current}' ems }
    }
    refuse = {
        param($target, $desired)
        if ($null -ne $desired -and $desired -cne 'Yes' -and $desired -cne 'No') { return "$desired is no setting of ems" }
        $null
    }
}
