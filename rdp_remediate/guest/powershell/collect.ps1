# rdp-remediate collect 1
# Reads what decides whether Remote Desktop answers on this computer, and prints it as one line. It changes nothing.
param([string]$Request = '')

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'

# include request.ps1
# include ascii_json.ps1
# include wire.ps1
# include full_language.ps1
# include firewall.ps1
# include changes.ps1
# include events.ps1
# include adapters.ps1
# include registry_values.ps1
# include sign_ins.ps1
# include sign_in_limits.ps1
# include accounts.ps1
# include system.ps1
# include licensing.ps1
# include remote_desktop.ps1
# include certificates.ps1
# include collector.ps1

Initialize-Answer
$asked = $null
try { $asked = ConvertFrom-Request $Request }
catch { Add-Unavailable 'request' 'malformed' ([string]$_.Exception.Message) }
$selfAddress = ''
$user = ''
if ($null -ne $asked) {
    if ($asked.slice -eq 2) { $script:answer.slice = 2 }
    if ($asked.self_address) { $selfAddress = [string]$asked.self_address }
    if ($asked.user) { $user = [string]$asked.user }
}
Read-Everything $selfAddress $user
Write-Answer
