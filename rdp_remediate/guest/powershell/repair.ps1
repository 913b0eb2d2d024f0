# rdp-remediate repair 1
# Applies the steps of one request to this computer, each only if what it expects is still so, and prints the outcomes
# together with what the read-only collector sees afterwards, as one line.
param([string]$Request = '')

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
$ConfirmPreference = 'None'

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
# include certificates.ps1
# include licensing.ps1
# include remote_desktop.ps1
# include collector.ps1
# include record.ps1
# include steps.ps1
# include steps_accounts.ps1
# include steps_adapters.ps1
# include steps_binding.ps1
# include steps_certificate.ps1
# include steps_network.ps1
# include steps_service.ps1
# include steps_system.ps1

Initialize-Answer
$asked = $null
try {
    $asked = ConvertFrom-Request $Request
    if ($null -eq $asked) { throw 'a repair needs a request' }
}
catch { Add-Unavailable 'request' 'malformed' ([string]$_.Exception.Message) }
$selfAddress = ''
$user = ''
if ($null -ne $asked) {
    if ($asked.self_address) { $selfAddress = [string]$asked.self_address }
    if ($asked.user) { $user = [string]$asked.user }
    Invoke-Repair $asked
    $script:answer.collected_at = ConvertTo-UtcText ([DateTime]::UtcNow)
}
Read-Everything $selfAddress $user
Write-Answer
