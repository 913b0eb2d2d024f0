# ---- system.ps1: disk, memory, processors and boot options of this computer; reads only -----------------------------

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

function Read-System {
    $script:answer.system = @{}
    Read-SystemDrive
    Read-Memory
    Read-Processors
    Read-BootOptions
}
