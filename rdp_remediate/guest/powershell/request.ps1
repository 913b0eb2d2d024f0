# ---- request.ps1: the one parameter -----------------------------------------------------------------------------
# base64url of JSON in ASCII, decoded by arithmetic because ConstrainedLanguage has no [Convert].

function ConvertFrom-Request([string]$Text) {
    if ($Text.Length -eq 0) { return $null }
    if ($Text.Length -gt 7000) { throw "the request has $($Text.Length) characters, more than 7000" }
    if ($Text -cnotmatch '^[A-Za-z0-9_-]+$') { throw 'the request is not base64url' }
    $alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    $value = 0
    $bits = 0
    $characters = foreach ($character in $Text.ToCharArray()) {
        $value = ($value -shl 6) -bor $alphabet.IndexOf($character)
        $bits += 6
        if ($bits -ge 8) {
            $bits -= 8
            $code = ($value -shr $bits) -band 255
            if ($code -lt 32 -or $code -gt 126) { throw 'the request holds bytes that are not printable ASCII' }
            [char]$code
            $value = $value -band ((1 -shl $bits) - 1)
        }
    }
    $request = ConvertFrom-Json -InputObject ($characters -join '')
    if ($request.schema -cne 'rdp-remediate/guest-request/1') { throw "the request's schema is not known here" }
    $request
}
