# ---- steps_service.ps1: TermService's account, dependencies and hung process, a session, the port's owner ------------

$script:networkService = 'NT AUTHORITY\NetworkService'
# Ending one of these ends Windows, or what carries this script.
$script:neverEnded = 'System', 'Idle', 'Registry', 'smss', 'csrss', 'wininit', 'winlogon', 'services', 'lsass', 'svchost',
'WaAppAgent', 'WindowsAzureGuestAgent', 'WaSecAgentProv'

function Invoke-ServiceControl([string[]]$Arguments) {
    # Its texts are translated, its exit code is the error.
    $null = sc.exe @Arguments
    if ($LASTEXITCODE -ne 0) { throw "sc.exe $($Arguments[0]) ended with error $LASTEXITCODE" }
}

function Get-HostedServices([int]$Process) {
    @(Get-CimInstance -ClassName Win32_Service -Filter "ProcessId=$Process" | ForEach-Object { [string]$_.Name })
}

function Get-PortOwner([int]$Port) {
    # The process that listens on the port and is not TermService's, or null.
    $own = [int](Get-ServiceRow 'TermService').ProcessId
    $rows = @()
    try { $rows = @(Get-NetTCPConnection -State Listen | Where-Object { [int]$_.LocalPort -eq $Port }) }
    catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
    $foreign = @(foreach ($row in $rows) { if ($own -eq 0 -or [int]$row.OwningProcess -ne $own) { [int]$row.OwningProcess } })
    if ($foreign.Count -eq 0) { return $null }
    $foreign[0]
}

function Wait-Until([scriptblock]$Condition) {
    foreach ($attempt in 1..20) {
        if (& $Condition) { return }
        Start-Sleep -Milliseconds 500
    }
}

function Get-TermServiceRefusal($Target, $Desired, $Default, $Present) {
    if ($Target.service -cne 'TermService') { return 'only TermService is changed so' }
    # Back to the default, or from the default back to what was before.
    if ($Desired -ine $Default -and $Present -ine $Default) { return "$Desired is not the default" }
    $null
}

$script:stepKinds['service_account'] = @{
    get    = { param($target) [string](Get-ServiceRow $target.service).StartName }
    set    = { param($target, $value) Invoke-ServiceControl @('config', $target.service, 'obj=', $value) }
    refuse = {
        param($target, $desired)
        Get-TermServiceRefusal $target $desired $script:networkService ([string](Get-ServiceRow 'TermService').StartName)
    }
}

function Get-Dependencies([string]$Service) {
    $key = Get-RegistryKey "HKLM:\SYSTEM\CurrentControlSet\Services\$Service"
    if ($null -eq $key -or $null -eq $key.DependOnService) { return '' }
    @(foreach ($name in $key.DependOnService) { if ($name) { [string]$name } }) -join '/'
}

$script:stepKinds['service_dependencies'] = @{
    get    = { param($target) Get-Dependencies $target.service }
    set    = {
        param($target, $value)
        # "/" alone takes every dependency away.
        if (-not $value) { $value = '/' }
        Invoke-ServiceControl @('config', $target.service, 'depend=', $value)
    }
    refuse = { param($target, $desired) Get-TermServiceRefusal $target $desired 'RPCSS' (Get-Dependencies 'TermService') }
}

$script:stepKinds['service_recovery'] = @{
    get    = { param($target) ([string](Get-ServiceRow $target.service).State) -replace ' ', '' }
    set    = {
        param($target, $value)
        if ($value -cne 'Running') { throw 'a process that was ended cannot be put back' }
        $process = [int](Get-ServiceRow $target.service).ProcessId
        if ($process -gt 0) { Stop-Process -Id $process -Force }
        Wait-Until { (Get-ServiceRow $target.service).State -eq 'Stopped' }
        Start-Service -Name $target.service
    }
    refuse = {
        param($target, $desired)
        if ($target.service -cne 'TermService') { return 'only TermService is recovered' }
        if ($desired -cne 'Running') { return 'a process that was ended cannot be put back' }
        $process = [int](Get-ServiceRow 'TermService').ProcessId
        $others = @()
        if ($process -gt 0) { $others = @(Get-HostedServices $process | Where-Object { $_ -ne 'TermService' }) }
        if ($others.Count -gt 0) { return "its process also hosts $($others -join ', ')" }
        $null
    }
}

function Get-SessionState($Target) {
    foreach ($session in @(Get-Sessions)) {
        foreach ($one in @($session)) {
            if ($one.id -eq [int]$Target.session_id -and $one.user -eq [string]$Target.user) { return $one.state }
        }
    }
    $null
}

$script:stepKinds['session'] = @{
    get    = { param($target) Get-SessionState $target }
    set    = {
        param($target, $value)
        if ($null -ne $value) { throw 'a session that was ended cannot be put back' }
        $null = logoff.exe ([string][int]$target.session_id)
        if ($LASTEXITCODE -ne 0) { throw "logoff.exe ended with error $LASTEXITCODE" }
        Wait-Until { $null -eq (Get-SessionState $target) }
    }
    refuse = {
        param($target, $desired)
        if ($null -ne $desired) { return 'a session that was ended cannot be put back' }
        $state = Get-SessionState $target
        if ($null -ne $state -and $state -cne 'Disc') { return "the session is $state, and only a disconnected one is ended" }
        $null
    }
}

$script:stepKinds['port_owner'] = @{
    get    = { param($target) Get-PortOwner ([int]$target.port) }
    set    = {
        param($target, $value)
        if ($null -ne $value) { throw 'a process that was ended cannot be put back' }
        $process = Get-PortOwner ([int]$target.port)
        $services = Get-HostedServices $process
        # A service that is only ended would be started again by the service manager.
        foreach ($name in @($services)) { Stop-Service -Name $name -Force }
        if (@($services).Count -eq 0) { Stop-Process -Id $process -Force }
        Wait-Until { $null -eq (Get-PortOwner ([int]$target.port)) }
    }
    refuse = {
        param($target, $desired)
        if ($null -ne $desired) { return 'a process that was ended cannot be put back' }
        $process = Get-PortOwner ([int]$target.port)
        if ($null -eq $process) { return $null }
        $name = [string](Get-Process -Id $process).ProcessName
        if ($script:neverEnded -contains $name) { return "the port belongs to $name, which is not ended here" }
        if ($name -ine $target.process) { return "the port belongs to $name now" }
        $null
    }
}
