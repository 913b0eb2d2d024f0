# ---- steps.ps1: compare, record, set, read again --------------------------------------------------------------------
# Every step names what it expects and what it wants. Undoing a step is the same step with both exchanged.

# What may be written, and as what. Policy keys, SCHANNEL and NLA are not here on purpose.
$script:writableValues = @{
    'TS\fDenyTSConnections' = 'DWord'; 'TS\TSEnabled' = 'DWord'; 'TS\TSUserEnabled' = 'DWord'
    'TS\TSServerDrainMode' = 'DWord'; 'TS\fSingleSessionPerUser' = 'DWord'; 'TS\WinStations\SelfSignedCertStore' = 'String'
    'RT\fEnableWinStation' = 'DWord'; 'RT\fLogonDisabled' = 'DWord'; 'RT\PortNumber' = 'DWord'; 'RT\LanAdapter' = 'DWord'
    'RT\SecurityLayer' = 'DWord'; 'RT\MinEncryptionLevel' = 'DWord'; 'RT\fAllowSecProtocolNegotiation' = 'DWord'
    'RT\MaxInstanceCount' = 'DWord'; 'RT\KeepAliveTimeout' = 'DWord'; 'RT\MaxIdleTime' = 'DWord'
    'RT\MaxConnectionTime' = 'DWord'; 'RT\MaxDisconnectionTime' = 'DWord'; 'RT\fInheritMaxIdleTime' = 'DWord'
    'RT\fInheritMaxSessionTime' = 'DWord'; 'RT\fInheritMaxDisconnectionTime' = 'DWord'
    'RT\fQueryUserConfigFromLocalMachine' = 'DWord'; 'RT\fQueryUserConfigFromDC' = 'DWord'
    'TS\ClusterSettings\SessionDirectoryRedirectionIP' = 'String'
    'LSA\disabledomaincreds' = 'DWord'; 'LSA\Kerberos\Parameters\MaxTokenSize' = 'DWord'
    'CV\Winlogon\WinStationsDisabled' = 'String'
}

$script:changeableServices = 'TermService', 'UmRdpService', 'SessionEnv', 'CertPropSvc', 'KeyIso', 'CryptSvc', 'RpcSs',
'RpcEptMapper', 'Dhcp', 'Dnscache', 'nsi', 'NlaSvc', 'BFE', 'mpssvc', 'IKEEXT', 'iphlpsvc', 'Netlogon', 'LanmanWorkstation',
'W32Time', 'TSSDis'

# Kinds with a file of their own: kind -> what reads the target, sets it, and refuses (null: nothing against it).
$script:stepKinds = @{}

$script:startTypes = @{Auto = 'Automatic'; Manual = 'Manual'; Disabled = 'Disabled' }

function Test-Same($Left, $Right) {
    # Absent, text, number and truth stay apart: an absent value is not 0, and the text "0" is not the number 0.
    if ($null -eq $Left -or $null -eq $Right) { return ($null -eq $Left -and $null -eq $Right) }
    if (($Left -is [string]) -ne ($Right -is [string])) { return $false }
    if (($Left -is [bool]) -ne ($Right -is [bool])) { return $false }
    [string]$Left -ceq [string]$Right
}

function Split-ValuePath([string]$Path) {
    # "TS\WinStations\SelfSignedCertStore" -> the key's path in the provider, the value's name.
    $parts = @($Path -split '\\')
    $last = $parts.Count - 1
    @((Get-RegistryPath (@($parts[0..($last - 1)]) -join '\')), $parts[$last])
}

function Get-RuleState([string]$Name) {
    try { $rule = Get-NetFirewallRule -Name $Name }
    catch {
        if ([string]$_.CategoryInfo.Category -ne 'ObjectNotFound') { throw }
        return $null
    }
    [string]$rule.Enabled -eq 'True'
}

function Get-ServiceRow([string]$Name) { Get-CimInstance -ClassName Win32_Service -Filter "Name='$Name'" }

function Get-StepValue($Step) {
    # What the step's target is now, in the words of the collector's answer.
    $target = $Step.target
    $own = $script:stepKinds[[string]$Step.kind]
    if ($null -ne $own) { return & $own.get $target }
    switch -CaseSensitive ([string]$Step.kind) {
        'registry' {
            $key, $name = Split-ValuePath $target.path
            $values = Get-RegistryKey $key
            if ($null -eq $values) { return $null }
            return ConvertTo-RegistryFact $values.$name
        }
        'firewall_rule' { return Get-RuleState $target.rule }
        'firewall_profile' {
            $setting = Get-NetFirewallProfile -PolicyStore ActiveStore -Name $target.profile
            return [string]$setting.AllowInboundRules -ne 'False'
        }
    }
    $service = Get-ServiceRow $target.service
    if ($null -eq $service) { return $null }
    switch -CaseSensitive ([string]$Step.kind) {
        'service_start' {
            $start = [string]$service.StartMode
            if ($start -eq 'Auto' -and $service.DelayedAutoStart) { return 'AutoDelayed' }
            return $start
        }
        'service_state' { return ([string]$service.State) -replace ' ', '' }
        'service_restart' { return [int]$service.ProcessId }
    }
}

function Set-StepValue($Step, $Value) {
    $target = $Step.target
    $own = $script:stepKinds[[string]$Step.kind]
    if ($null -ne $own) {
        $null = & $own.set $target $Value
        return
    }
    switch -CaseSensitive ([string]$Step.kind) {
        'registry' {
            $key, $name = Split-ValuePath $target.path
            if ($null -eq $Value) { Remove-ItemProperty -LiteralPath $key -Name $name }
            else {
                $type = $script:writableValues[[string]$target.path]
                $null = New-ItemProperty -LiteralPath $key -Name $name -PropertyType $type -Value $Value -Force
            }
        }
        'service_start' { Set-Service -Name $target.service -StartupType $script:startTypes[[string]$Value] }
        'service_state' {
            if ($Value -ceq 'Running') { Start-Service -Name $target.service }
            else { Stop-Service -Name $target.service }
        }
        'service_restart' {
            # A restart stops what depends on the service; what ran before runs again afterwards.
            $redirector = Get-ServiceRow 'UmRdpService'
            Restart-Service -Name $target.service -Force
            if ($target.service -eq 'TermService' -and $null -ne $redirector -and $redirector.State -eq 'Running') {
                Start-Service -Name UmRdpService
            }
        }
        'firewall_rule' {
            if ($Value) { Enable-NetFirewallRule -Name $target.rule } else { Disable-NetFirewallRule -Name $target.rule }
        }
        'firewall_profile' {
            $word = 'False'
            if ($Value) { $word = 'True' }
            Set-NetFirewallProfile -Name $target.profile -AllowInboundRules $word
        }
    }
}

function Get-Refusal($Step) {
    # Why this script does not do such a step at all, or null.
    $target = $Step.target
    if ($null -eq $target) { return 'the step names no target' }
    $desired = $Step.desired
    $own = $script:stepKinds[[string]$Step.kind]
    if ($null -ne $own) { return & $own.refuse $target $desired }
    switch -CaseSensitive ([string]$Step.kind) {
        'registry' {
            $path = [string]$target.path
            $type = $script:writableValues[$path]
            if (-not $type) { return "$path is not a value that this script writes" }
            if ($null -ne $desired) {
                $isText = $desired -is [string]
                if (($type -eq 'String') -ne $isText -or $desired -is [bool]) { return "$path is a $type" }
                if (-not $isText -and ($desired -lt 0 -or $desired -gt 4294967295)) { return "$path is a DWord" }
            }
            $name = @($path -split '\\')[-1]
            $policy = Get-RegistryKey $script:shortKeys['POL']
            if ($null -ne $policy -and $null -ne $policy.$name -and -not (Test-Same $policy.$name $desired)) {
                return "a policy decides $name"
            }
            return $null
        }
        'service_start' {
            if (-not $script:startTypes.ContainsKey([string]$desired)) { return "$desired is no start type" }
        }
        'service_state' {
            if (@('Running', 'Stopped') -cnotcontains $desired) { return "$desired is no state" }
        }
        'service_restart' {
            if ($target.service -ne 'TermService') { return 'only TermService is restarted' }
            if ($script:restarted) { return 'one restart per request' }
        }
        'firewall_rule' {
            if ($script:builtInRules -cnotcontains $target.rule) { return "the rule $($target.rule) is not ours to switch" }
            if ($desired -isnot [bool]) { return 'a rule is on or off' }
            return $null
        }
        'firewall_profile' {
            if (@('Domain', 'Private', 'Public') -cnotcontains $target.profile) { return 'there is no such profile' }
            if ($target.setting -cne 'allow_inbound_rules') { return "the setting $($target.setting) is not changed here" }
            if ($desired -isnot [bool]) { return 'the setting is on or off' }
            $keys = @("$($target.profile)Profile")
            if ($target.profile -eq 'Private') { $keys += 'StandardProfile' }
            foreach ($key in $keys) {
                $policy = Get-RegistryKey (Get-RegistryPath "FWP\$key")
                if ($null -ne $policy -and $null -ne $policy.DoNotAllowExceptions) { return 'a policy decides this profile' }
            }
            return $null
        }
        default { return "the kind $($Step.kind) is not known" }
    }
    if ($script:changeableServices -notcontains $target.service) { return "$($target.service) is not ours to change" }
    $null
}

function Test-Restored($Step, $Before) {
    # Puts a target back to what it was; true if it is that afterwards. A restart cannot be taken back.
    if ($Step.kind -ceq 'service_restart') { return $true }
    try {
        if (-not (Test-Same (Get-StepValue $Step) $Before)) { Set-StepValue $Step $Before }
        Test-Same (Get-StepValue $Step) $Before
    }
    catch { $false }
}

function Get-SessionList {
    $sessions = Get-Sessions
    foreach ($session in $sessions) { if ($session.user) { [int]$session.id } }
}

function Test-Protected([string]$Path) {
    # Only SYSTEM and the administrators, by SID, and no reparse point.
    if ([string](Get-Item -LiteralPath $Path -Force).Attributes -match 'ReparsePoint') { return $false }
    $sddl = [string](Get-Acl -LiteralPath $Path).Sddl
    if ($sddl -notmatch '^O:(SY|BA)' -or $sddl -notmatch 'D:[A-Z]*P') { return $false }
    $entries = @($sddl -split '\(' | Select-Object -Skip 1)
    $entries.Count -gt 0 -and @($entries | Where-Object { $_ -notmatch ';;;(SY|BA)\)' }).Count -eq 0
}

function Open-Record {
    # ProgramData lets every user make folders: a folder that was there before is used only if nobody else can write to it.
    $folder = Join-Path $env:ProgramData 'rdp-remediate'
    if (-not (Test-Path -LiteralPath $folder)) {
        $null = New-Item -ItemType Directory -Path $folder
        Protect-Folder $folder
        if (@(Get-ChildItem -LiteralPath $folder -Force).Count -gt 0) { throw "somebody put files into $folder" }
    }
    if (-not (Test-Protected $folder)) { throw "others than the administrators can write to $folder" }
    $script:record = Join-Path $folder "$($script:runId).json"
}

function Add-Record($Entry) {
    # One JSON object a line; the before-value is on disk before the change is made.
    if (-not $script:record) { Open-Record }
    $Entry.at = ConvertTo-UtcText ([DateTime]::UtcNow)
    Add-Content -LiteralPath $script:record -Value (ConvertTo-AsciiJson $Entry) -Encoding ASCII
}

function Invoke-Step($Step) {
    # One step's outcome: applied, already_true, stale, failed, not_started or refused.
    $outcome = @{id = [string]$Step.id; outcome = 'failed'; before = $null; after = $null; detail = $null }
    if ($script:refuseAll) {
        $outcome.outcome = 'refused'
        $outcome.detail = $script:refuseAll
        return $outcome
    }
    if (((Get-Date) - $script:started).TotalSeconds -ge $script:deadline) {
        $outcome.outcome = 'not_started'
        $outcome.detail = 'the deadline had passed'
        return $outcome
    }
    try {
        $refusal = Get-Refusal $Step
        if ($refusal) {
            $outcome.outcome = 'refused'
            $outcome.detail = $refusal
            return $outcome
        }
        $before = Get-StepValue $Step
    }
    catch {
        $outcome.detail = "could not be read: $($_.Exception.Message)"
        return $outcome
    }
    $outcome.before = $before
    $outcome.after = $before
    $restart = $Step.kind -ceq 'service_restart'
    if (-not $restart -and (Test-Same $before $Step.desired)) {
        $outcome.outcome = 'already_true'
        return $outcome
    }
    if (-not (Test-Same $before $Step.expected)) {
        $outcome.outcome = 'stale'
        $outcome.detail = 'it is no longer what the plan expected'
        return $outcome
    }
    try {
        if ($null -ne $Step.sessions) {
            $now = @(Get-SessionList | Sort-Object) -join ','
            $seen = @($Step.sessions | Sort-Object) -join ','
            if ($now -ne $seen) {
                $outcome.outcome = 'stale'
                $outcome.detail = "people's sessions are $now now, the plan saw $seen"
                return $outcome
            }
        }
        Add-Record @{event = 'before'; id = $outcome.id; kind = [string]$Step.kind; before = $before; desired = $Step.desired }
        if ($restart) { $script:restarted = $true }
        Set-StepValue $Step $Step.desired
        $outcome.after = Get-StepValue $Step
        if ($restart) { $reached = $outcome.after -gt 0 -and $outcome.after -ne $before }
        else { $reached = Test-Same $outcome.after $Step.desired }
        if ($reached) { $outcome.outcome = 'applied' }
        else { $outcome.detail = 'it was set, but did not become that' }
    }
    catch { $outcome.detail = [string]$_.Exception.Message }
    if ($outcome.outcome -eq 'failed') {
        if (-not (Test-Restored $Step $before)) { $outcome.detail = "$($outcome.detail) It could not be put back." }
        try { $outcome.after = Get-StepValue $Step }
        catch { $outcome.after = $null }
    }
    $outcome
}

function Undo-Group([string]$Group, $Done) {
    # The applied steps of a group whose later step failed, in reverse.
    $applied = @($Done | Where-Object { $_.step.group -ceq $Group -and $_.outcome.outcome -eq 'applied' })
    for ($index = $applied.Count - 1; $index -ge 0; $index--) {
        $step = $applied[$index].step
        $outcome = $applied[$index].outcome
        if (Test-Restored $step $outcome.before) {
            $outcome.outcome = 'undone'
            $outcome.detail = 'a later step of its group did not succeed'
        }
        else {
            $outcome.outcome = 'failed'
            $outcome.detail = 'a later step of its group did not succeed, and this one could not be put back'
        }
        try { $outcome.after = Get-StepValue $step }
        catch { $outcome.after = $null }
        Write-Outcome $outcome
    }
}

function Write-Outcome($Outcome) {
    # Only of what was touched: a request that changes nothing leaves no file.
    if (-not $script:record) { return }
    try { Add-Record @{event = 'outcome'; id = $Outcome.id; outcome = $Outcome.outcome; after = $Outcome.after } }
    catch { Add-Failure 'repair.record' $_ }
}

function Wait-Listener {
    # TermService opens its port a moment after it runs; what follows reads it.
    $port = (Get-RegistryKey $script:shortKeys['RT']).PortNumber
    foreach ($attempt in 1..10) {
        try {
            if (@(Get-NetTCPConnection -State Listen | Where-Object { $_.LocalPort -eq $port }).Count -gt 0) { return }
        }
        catch { if ($_.FullyQualifiedErrorId -notlike 'CmdletizationQuery_NotFound*') { throw } }
        Start-Sleep -Milliseconds 500
    }
}

function Invoke-Repair($Asked) {
    $script:runId = [string]$Asked.run_id
    $script:deadline = [int]$Asked.deadline_s
    $script:record = $null
    $script:restarted = $false
    $script:refuseAll = $null
    if (-not $script:fullLanguage) {
        # The record's folder could not be closed to others here, and nothing is changed without a record.
        $script:refuseAll = 'ConstrainedLanguage: repairs are done by hand'
    }
    if ($script:runId -cnotmatch '^[A-Za-z0-9_-]{1,64}$') { $script:refuseAll = 'the run id is not one' }
    try {
        $role = [int](Get-CimInstance -ClassName Win32_ComputerSystem).DomainRole
        if ($role -ge 4 -and $Asked.allow_domain_controller -ne $true) {
            $script:refuseAll = 'this is a domain controller'
        }
    }
    catch { $script:refuseAll = 'whether this is a domain controller could not be read' }
    $done = @()
    $stopped = @{}
    foreach ($step in @($Asked.steps)) {
        if ($null -eq $step) { continue }
        $group = [string]$step.group
        if ($stopped[$group]) {
            $outcome = @{id = [string]$step.id; outcome = 'not_started'; before = $null; after = $null }
            $outcome.detail = 'an earlier step of its group did not succeed'
            $done += @{step = $step; outcome = $outcome }
            continue
        }
        $outcome = Invoke-Step $step
        $done += @{step = $step; outcome = $outcome }
        if ($outcome.outcome -eq 'applied' -or $outcome.outcome -eq 'already_true') {
            if ($outcome.outcome -eq 'applied') { Write-Outcome $outcome }
            continue
        }
        $stopped[$group] = $true
        if ($outcome.outcome -eq 'failed') { Write-Outcome $outcome }
        Undo-Group $group $done
    }
    $outcomes = @(foreach ($entry in $done) { $entry.outcome })
    $script:answer.repair = @{run_id = $script:runId; steps = $outcomes }
    if (@($outcomes | Where-Object { $_.outcome -eq 'applied' }).Count -gt 0) {
        try { Wait-Listener }
        catch { Add-Failure 'repair.listener' $_ }
    }
}
