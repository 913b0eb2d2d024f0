# rdp-remediate neighbour 1
# Tries one address and port of another computer: TCP, then an X.224 Connection Request. It changes nothing.
param([string]$Request = '')

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'

# include request.ps1
# include ascii_json.ps1
# include full_language.ps1

$answer = @{schema = 'rdp-remediate/neighbour/1'; run_id = ''; address = ''; port = 0; tcp = $null; x224 = $null
    failed = $null
}
try {
    if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') { throw 'needs FullLanguage' }
    $asked = ConvertFrom-Request $Request
    if ($null -eq $asked) { throw 'there is no request' }
    $answer.run_id = [string]$asked.run_id
    if ([string]$asked.address -cnotmatch '^[0-9a-f.:]{2,45}$') { throw 'the address is no address' }
    $answer.address = [string]$asked.address
    $answer.port = [int]$asked.port
    if ($answer.port -lt 1 -or $answer.port -gt 65535) { throw 'the port is no port' }
    $probe = Get-SelfProbe $answer.address $answer.port
    $answer.tcp = $probe.tcp
    $answer.x224 = $probe.x224
}
catch { $answer.failed = ([string]$_.Exception.Message -replace '[^\x20-\x7e]', '?') }
$payload = ConvertTo-AsciiJson $answer
"#rdpr1 p 1 $(Get-Crc32 $payload) $($payload.Length) $payload#end"
