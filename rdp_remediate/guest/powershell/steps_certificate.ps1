# ---- steps_certificate.ps1: the access lists of RDP's private keys --------------------------------------------------
# One entry is added or taken away: read for NETWORK SERVICE on one key file, or everyone's usual one on the folder.

function Get-KeyPath($Target) {
    # The folder goes by its name, because ProgramData may be on another drive.
    if ($Target.path -ceq 'MachineKeys') { return $script:machineKeys }
    [string]$Target.path
}

$script:stepKinds['key_acl'] = @{
    get = { param($target) [string](Get-Acl -LiteralPath (Get-KeyPath $target)).Sddl }
    set = {
        param($target, $value)
        $acl = Get-Acl -LiteralPath (Get-KeyPath $target)
        $acl.SetSecurityDescriptorSddlForm($value, [System.Security.AccessControl.AccessControlSections]::Access)
        Set-Acl -LiteralPath (Get-KeyPath $target) -AclObject $acl
    }
    refuse = {
        param($target, $desired)
        $path = Get-KeyPath $target
        $entry = '(A;;FR;;;NS)'
        if ($path -eq $script:machineKeys) { $entry = '(A;;0x12019f;;;WD)' }
        else {
            $folders = $script:machineKeys, "$env:ProgramData\Microsoft\Crypto\Keys"
            if ($folders -notcontains (Split-Path -Parent $path)) { return 'this is no private key of the computer' }
            if ([string](Get-Item -LiteralPath $path -Force).Attributes -match 'ReparsePoint|Directory') { return 'this is no file' }
        }
        $present = [string](Get-Acl -LiteralPath $path).Sddl
        if ($desired -cne $present -and $desired -cne "$present$entry" -and "$desired$entry" -cne $present) {
            return "only the entry $entry is added or removed"
        }
        $null
    }
}
