# ---- wire.ps1: the answer on stdout -----------------------------------------------------------------------------
# Run Command keeps the last 4,096 bytes of stdout, so the answer is one line of at most 4,000 ASCII characters:
# "#rdpr1 <z|p> <slice> <crc32 of the payload> <its length> <payload>#end". z: base64 of raw deflate of JSON, p: JSON.

function ConvertTo-WireAnswer {
    # What repeats in every answer goes without names: a key's values in the order of the table, a service's as a row.
    $wire = $script:answer.Clone()
    if ($wire.ContainsKey('registry')) {
        $packed = @{}
        foreach ($key in @($script:registryValues.Keys)) {
            $names = @($script:registryValues[$key])
            # A key that could not be read is not in the answer; its values are there together or not at all.
            if ($names.Count -eq 0 -or -not $script:answer.registry.ContainsKey("$key\$($names[0])")) { continue }
            if ($script:fullLanguage) {
                $packed[$key] = @(foreach ($name in $names) { , $script:answer.registry["$key\$name"] })
                continue
            }
            # Constrained Language Mode reads a share of the values, so they keep their names.
            $packed[$key] = @{}
            foreach ($name in $names) { $packed[$key][$name] = $script:answer.registry["$key\$name"] }
        }
        $wire.registry = $packed
    }
    if ($wire.ContainsKey('services')) {
        $rows = @{}
        foreach ($name in @($script:answer.services.Keys)) {
            $service = $script:answer.services[$name]
            $rows[$name] = $null
            if ($null -eq $service) { continue }
            $rows[$name] = @($service.state, $service.start_type, $service.account, $service.pid, $service.exit_code,
                @($service.depends_on))
        }
        $wire.services = $rows
    }
    $wire
}

function Write-Answer {
    # Sections in order of need; the second slice turns the order round, so that it holds what the first had to drop.
    $droppable = @('events', 'changes', 'adapters', 'system', 'remote_desktop', 'self_probe', 'accounts', 'certificate',
        'addresses', 'sign_ins', 'sessions', 'listener', 'firewall', 'services', 'registry')
    if ($script:answer.slice -eq 2) { $droppable = @($droppable[($droppable.Count - 1)..0]) }
    $next = 0
    while ($true) {
        $script:answer.script_ms = [int]((Get-Date) - $script:started).TotalMilliseconds
        $payload = ConvertTo-AsciiJson (ConvertTo-WireAnswer)
        $mode = 'p'
        if ($script:fullLanguage) {
            $mode = 'z'
            $payload = Compress-Text $payload
        }
        if ($payload.Length -le 3960) { break }
        # What is shorter than the line that would tell of it is not dropped.
        while ($next -lt $droppable.Count -and (-not $script:answer.ContainsKey($droppable[$next]) -or
                (ConvertTo-AsciiJson $script:answer[$droppable[$next]]).Length -lt 120)) { $next++ }
        if ($next -lt $droppable.Count) {
            $script:answer.Remove($droppable[$next])
            # What could not be read inside a section that is not sent is told by the section's own line.
            $script:answer.unavailable = @($script:answer.unavailable | Where-Object {
                    $_.fact -notlike "$($droppable[$next]).*" })
            Add-Unavailable $droppable[$next] 'truncated' 'the answer has no room for this section'
        }
        elseif (@($script:answer.unavailable | Where-Object { $_.detail }).Count -gt 0) {
            $script:answer.unavailable = @(foreach ($entry in $script:answer.unavailable) {
                    @{fact = $entry.fact; reason = $entry.reason; detail = '' } })
        }
        else { break }
    }
    "#rdpr1 $mode $($script:answer.slice) $(Get-Crc32 $payload) $($payload.Length) $payload#end"
}
