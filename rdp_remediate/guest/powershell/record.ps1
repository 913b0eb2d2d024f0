# ---- record.ps1: the access list of the record's folder; needs .NET, never called in ConstrainedLanguage ------------

function Protect-Folder([string]$Path) {
    # Owner Administrators; full control for SYSTEM and Administrators, nothing inherited, nobody else.
    $security = New-Object System.Security.AccessControl.DirectorySecurity
    $security.SetSecurityDescriptorSddlForm('O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)')
    Set-Acl -LiteralPath $Path -AclObject $security
}
