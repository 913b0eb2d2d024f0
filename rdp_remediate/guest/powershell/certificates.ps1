# ---- certificates.ps1: the certificate of the listener and who may read its key; reads only ------------------------

$script:machineKeys = "$env:ProgramData\Microsoft\Crypto\RSA\MachineKeys"

function Get-KeyName($Certificate) {
    # The name of the key's file; a key of the newer kind (CNG) has no container and is asked otherwise.
    $name = $null
    try { $name = $Certificate.PrivateKey.CspKeyContainerInfo.UniqueKeyContainerName }
    catch { if (-not $script:fullLanguage) { throw } }
    if (-not $name -and $script:fullLanguage) {
        $name = Get-RsaKeyName $Certificate
    }
    if ([string]$name -notmatch '^[\w.-]+$') { throw 'the key of the certificate has no file of its own' }
    [string]$name
}

function Read-CertificateKey($Certificate) {
    # What is as Windows sets it up is left out: NETWORK SERVICE reads the key, everyone may put a key into the folder.
    $folder = [string](Get-Acl -LiteralPath $script:machineKeys).Sddl
    if ($folder -notmatch '\(A;;0x12019f;;;WD\)' -or $folder -match '\((D|XD);') { $script:answer.certificate.folder_acl = $folder }
    if ($null -eq $Certificate) { return }
    $name = $null
    try { $name = Get-KeyName $Certificate }
    catch {
        $code = $null
        if ($script:fullLanguage -and -not $script:answer.certificate.custom) { $code = Get-KeyError $_ }
        if ($null -eq $code) { throw }
        # Windows' own certificate has its key in a file whose name is known: that of its container and of this computer.
        $computer = (Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\Cryptography').MachineGuid
        $path = "$($script:machineKeys)\f686aace6942fb7f7ceb231212eef4a4_$computer"
        if (-not (Test-Path -LiteralPath $path)) { throw }
        $script:answer.certificate.key_acl = [string](Get-Acl -LiteralPath $path).Sddl
        $script:answer.certificate.key_file = $path
        $script:answer.certificate.key_error = $code
        return
    }
    $file = @("$($script:machineKeys)\$name", "$env:ProgramData\Microsoft\Crypto\Keys\$name") |
        Where-Object { Test-Path -LiteralPath $_ } | Select-Object -First 1
    if ($null -eq $file) { throw 'the file of the key is not there' }
    $acl = [string](Get-Acl -LiteralPath $file).Sddl
    if ($acl -match '\(A;[^;]*;(FA|FR|GA|GR);;;NS\)' -and $acl -notmatch '\((D|XD);') { return }
    $script:answer.certificate.key_acl = $acl
    $script:answer.certificate.key_file = $file
}

function Read-Certificate {
    $found = $null
    try {
        $wanted = $null
        $bound = $script:answer.registry['RT\SSLCertificateSHA1Hash']
        if ($bound -is [hashtable]) { $wanted = $bound.Binary }
        $own = @(Get-ChildItem -Path 'Cert:\LocalMachine\Remote Desktop')
        if ($wanted) {
            $found = @($own) + @(Get-ChildItem -Path 'Cert:\LocalMachine\My') |
                Where-Object { $_.Thumbprint -eq $wanted } | Select-Object -First 1
        }
        $custom = $null -ne $found
        # Without a binding, or when the bound one is not there (events 1051, 1055), the self-signed one is used.
        if ($null -eq $found) { $found = $own | Sort-Object NotAfter -Descending | Select-Object -First 1 }
        $thumbprint = $null
        $until = $null
        if ($null -ne $found) {
            $thumbprint = ([string]$found.Thumbprint).ToUpperInvariant()
            $until = ConvertTo-UtcText $found.NotAfter
        }
        $script:answer.certificate = @{bound_thumbprint = $thumbprint; custom = $custom; not_after = $until }
    }
    catch {
        Add-Failure 'certificate' $_
        return
    }
    try { Read-CertificateKey $found }
    catch { Add-Failure 'certificate.key' $_ }
}
