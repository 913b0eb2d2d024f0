# ---- steps_binding.ps1: which certificate the listener is bound to --------------------------------------------------
# Only whether RT\SSLCertificateSHA1Hash names one. No certificate, key or permission is touched.

$script:stepKinds['listener_certificate'] = @{
    get    = {
        param($Target)
        $null = $Target
        $values = Get-RegistryKey $script:shortKeys['RT']
        if ($null -eq $values -or $null -eq $values.SSLCertificateSHA1Hash) { return $null }
        -join @(foreach ($byte in $values.SSLCertificateSHA1Hash) { '{0:X2}' -f $byte })
    }
    set    = {
        param($Target, $Value)
        $null = $Target
        $key = $script:shortKeys['RT']
        if ($null -eq $Value) {
            Remove-ItemProperty -LiteralPath $key -Name SSLCertificateSHA1Hash
            return
        }
        [byte[]]$bytes = for ($at = 0; $at -lt $Value.Length; $at += 2) { [byte]"0x$($Value.Substring($at, 2))" }
        $null = New-ItemProperty -LiteralPath $key -Name SSLCertificateSHA1Hash -PropertyType Binary -Value $bytes -Force
    }
    refuse = {
        param($Target, $Desired)
        $null = $Target
        if ($null -ne $Desired -and $Desired -cnotmatch '^[0-9A-F]{40}$') { return "$Desired is no thumbprint" }
        if ($null -ne (Get-ServiceRow 'TSSDis')) { return 'this is an RD Connection Broker' }
        $null
    }
}
