# ---- ascii_json.ps1: JSON in ASCII and its checksum ----------------------------------------------------------------
# ConvertTo-Json of Windows PowerShell leaves non-ASCII text as it is, so JSON is written here.

function ConvertTo-AsciiJson($Value) {
    if ($null -eq $Value) { return 'null' }
    if ($Value -is [bool]) {
        if ($Value) { return 'true' }
        return 'false'
    }
    if ($Value -is [hashtable]) {
        $members = foreach ($key in @($Value.Keys) | Sort-Object) {
            (ConvertTo-AsciiJson ([string]$key)) + ':' + (ConvertTo-AsciiJson $Value[$key])
        }
        return '{' + ($members -join ',') + '}'
    }
    if ($Value -is [array]) {
        $items = foreach ($item in $Value) { ConvertTo-AsciiJson $item }
        return '[' + ($items -join ',') + ']'
    }
    if ($Value -is [int] -or $Value -is [long] -or $Value -is [uint32] -or $Value -is [uint64] -or
        $Value -is [uint16] -or $Value -is [byte]) {
        return [string]$Value
    }
    $text = ([string]$Value).Replace('\', '\\').Replace('"', '\"')
    if ($text -cmatch '[^\x20-\x7e]') {
        $text = -join @(foreach ($character in $text.ToCharArray()) {
            $code = [int]$character
            if ($code -ge 32 -and $code -le 126) { $character } else { '\u{0:x4}' -f $code }
        })
    }
    '"' + $text + '"'
}

function Get-Crc32([string]$Text) {
    $table = foreach ($index in 0..255) {
        [long]$entry = $index
        foreach ($bit in 1..8) {
            if ($entry -band 1) { $entry = 3988292384 -bxor ($entry -shr 1) } else { $entry = $entry -shr 1 }
        }
        $entry
    }
    [long]$crc = 4294967295
    foreach ($character in $Text.ToCharArray()) {
        $crc = $table[($crc -bxor [int]$character) -band 255] -bxor ($crc -shr 8)
    }
    '{0:x8}' -f ($crc -bxor 4294967295)
}
