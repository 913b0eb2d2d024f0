# ---- system.ps1: disk, memory, processors, boot options, pending restart and ports; reads only ---------------------

function Read-SystemDrive {
    try {
        $drive = Get-CimInstance -ClassName Win32_LogicalDisk -Filter "DeviceID='$env:SystemDrive'"
        if ($null -eq $drive -or $null -eq $drive.FreeSpace) { throw "$env:SystemDrive has no free space that could be read" }
        $script:answer.system.disk = [long]($drive.FreeSpace / 1MB)
    }
    catch { Add-Failure 'system.disk' $_ }
}

function Read-Memory {
    # Megabytes: memory and what is free of it, then what may be committed (with the page file) and what is free of that.
    try {
        $system = Get-CimInstance -ClassName Win32_OperatingSystem
        $numbers = @(foreach ($part in $system.TotalVisibleMemorySize, $system.FreePhysicalMemory,
                $system.TotalVirtualMemorySize, $system.FreeVirtualMemory) { [long]($part / 1KB) })
        if ($numbers.Count -ne 4 -or $numbers[0] -le 0 -or $numbers[2] -le 0) { throw 'the sizes of memory could not be read' }
        $script:answer.system.memory = $numbers
        if ($numbers[1] * 20 -ge $numbers[0] -and $numbers[3] * 20 -ge $numbers[2]) { return }
        $largest = Get-Process | Sort-Object -Property WorkingSet64 -Descending | Select-Object -First 1
        $script:answer.system.top_memory = [string]$largest.ProcessName
    }
    catch { Add-Failure 'system.memory' $_ }
}

function Get-Load {
    $loads = @(Get-CimInstance -ClassName Win32_Processor | ForEach-Object { $_.LoadPercentage } | Where-Object { $null -ne $_ })
    if ($loads.Count -eq 0) { throw 'the load of the processors could not be read' }
    [int]($loads | Measure-Object -Average).Average
}

function Read-Processors {
    # Each reading is the average of about a second in which this script itself waits. A peak is not a load: it is read twice.
    try {
        $load = Get-Load
        if ($load -ge 90) {
            $before = @{}
            foreach ($process in @(Get-Process)) { $before["$($process.Id)"] = [double]$process.CPU }
            $again = Get-Load
            $most = 0
            foreach ($process in @(Get-Process)) {
                $used = [double]$process.CPU - [double]$before["$($process.Id)"]
                if ($process.Id -ne 0 -and $process.Id -ne $PID -and $used -gt $most) {
                    $most = $used
                    $script:answer.system.top_cpu = [string]$process.ProcessName
                }
            }
            if ($again -lt $load) { $load = $again }
        }
        $script:answer.system.cpu = $load
    }
    catch { Add-Failure 'system.cpu' $_ }
}

function Get-BootOptions {
    # The names of elements and Yes and No are the same in every language; headings and descriptions are translated.
    $options = @{}
    foreach ($line in @(bcdedit.exe /enum '{current}')) {
        if ([string]$line -match '^([a-z]+) {2,}(\S.*)$') { $options[$Matches[1]] = $Matches[2].Trim() }
    }
    if (-not $options.ContainsKey('osdevice')) { throw 'bcdedit printed no boot entry that is known here' }
    if ($options.ContainsKey('ems') -and @('Yes', 'No') -cnotcontains $options.ems) { throw "bcdedit says ems $($options.ems)" }
    $options
}

function Read-BootOptions {
    try {
        $options = Get-BootOptions
        $script:answer.system.ems = 'absent'
        if ($options.ContainsKey('ems')) { $script:answer.system.ems = [string]$options.ems }
        if ($options.ContainsKey('safeboot')) { $script:answer.system.safe_boot = [string]$options.safeboot }
    }
    catch { Add-Failure 'system.boot' $_ }
}

function Read-PendingRestart {
    # What waits for the next start of Windows: servicing, Windows Update, files that are to be renamed.
    try {
        $current = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
        $waiting = @()
        # A key without values, so its presence is asked for.
        if (Test-Path -LiteralPath "$current\Component Based Servicing\RebootPending") { $waiting += 'servicing' }
        if (Test-Path -LiteralPath "$current\WindowsUpdate\Auto Update\RebootRequired") { $waiting += 'update' }
        $manager = Get-ItemProperty -LiteralPath 'HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager'
        if (@($manager.PendingFileRenameOperations | Where-Object { $_ }).Count -gt 0) { $waiting += 'renames' }
        if ($waiting.Count -gt 0) { $script:answer.system.pending_restart = $waiting }
    }
    catch { Add-Failure 'system.pending_restart' $_ }
}

function Read-Ports {
    # Ports for outgoing connections in use now, from half of them on, and who holds most. netstat is quick even with thousands
    # (-q: bound ones too); its words are translated, its columns are not.
    try {
        # One range for all settings but Automatic, which has none of its own.
        $setting = Get-NetTCPSetting -SettingName Internet
        $first = [int]$setting.DynamicPortRangeStartPort
        $range = [int]$setting.DynamicPortRangeNumberOfPorts
        if ($range -le 0) { throw 'the range of dynamic ports was not told' }
        $ports = @{}
        $holders = @{}
        $rows = 0
        foreach ($line in @(netstat.exe -anoq -p TCP)) {
            if ($line -notmatch '^\s*TCP\s+\S+:(\d+)\s+\S+\s.*?(\d+)\s*$') { continue }
            $rows++
            $port = [int]$Matches[1]
            $process = $Matches[2]
            if ($port -lt $first -or $port -ge $first + $range -or $ports.ContainsKey($port)) { continue }
            $ports[$port] = $true
            $holders[$process] = 1 + [int]$holders[$process]
        }
        if ($rows -eq 0) { throw 'netstat printed no connection' }
        if ($ports.Count * 2 -lt $range) { return }
        $most = @($holders.Keys | Sort-Object { $holders[$_] } -Descending)[0]
        $name = ''
        try { $name = [string](Get-Process -Id ([int]$most)).ProcessName }
        catch { if ([string]$_.CategoryInfo.Category -ne 'ObjectNotFound') { throw } }
        $script:answer.system.ports = @{
            range = $range; used = $ports.Count; held = $holders[$most]; pid = [int]$most; process = $name
        }
    }
    catch { Add-Failure 'system.ports' $_ }
}

function Read-System {
    $script:answer.system = @{}
    Read-SystemDrive
    Read-Memory
    Read-Processors
    Read-BootOptions
    Read-PendingRestart
    Read-Ports
}
