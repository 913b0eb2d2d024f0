# ---- full_language.ps1: what needs .NET; never called in ConstrainedLanguage --------------------------------------

function Compress-Text([string]$Text) {
    $bytes = [System.Text.Encoding]::ASCII.GetBytes($Text)
    $memory = New-Object System.IO.MemoryStream
    $deflate = New-Object System.IO.Compression.DeflateStream($memory, [System.IO.Compression.CompressionMode]::Compress)
    $deflate.Write($bytes, 0, $bytes.Length)
    $deflate.Close()
    [System.Convert]::ToBase64String($memory.ToArray())
}

function Get-AccountSid([string]$Account) {
    # A dot stands for this computer; LocalSystem has no other name.
    $name = $Account -replace '^\.\\', "$env:COMPUTERNAME\"
    if ($Account -eq 'LocalSystem') { $name = 'NT AUTHORITY\SYSTEM' }
    try {
        $principal = New-Object System.Security.Principal.NTAccount($name)
        $principal.Translate([System.Security.Principal.SecurityIdentifier]).Value
    }
    catch [System.Security.Principal.IdentityNotMappedException] { 'none' }
}

function Get-SocketWord($Failure) {
    $code = [string]$Failure.Exception.GetBaseException().SocketErrorCode
    if ($code -eq 'ConnectionRefused') { return 'refused' }
    if ($code -eq 'TimedOut') { return 'timeout' }
    if ($code -eq 'HostUnreachable' -or $code -eq 'NetworkUnreachable') { return 'unreachable' }
    'error'
}

function Get-PortState([string]$Address, [int]$Port) {
    # A TCP connect of at most 1.5 s; nothing is sent.
    $client = New-Object System.Net.Sockets.TcpClient
    try {
        if ($client.ConnectAsync($Address, $Port).Wait(1500)) { return 'open' }
        'timeout'
    }
    catch { Get-SocketWord $_ }
    finally { $client.Close() }
}

function Get-SelfProbe([string]$Address, [int]$Port) {
    # TCP, then an X.224 Connection Request that offers TLS, CredSSP and CredSSP with early authorisation (0x0B):
    # MS-RDPBCGR 2.2.1.1 and 2.2.1.2. The connection is closed before anything else is said.
    $probe = @{address = $Address; port = $Port; tcp = 'error'; x224 = $null; selected_protocol = $null
        negotiation_failure = $null
    }
    $client = New-Object System.Net.Sockets.TcpClient
    try {
        try {
            if (-not $client.ConnectAsync($Address, $Port).Wait(3000)) {
                $probe.tcp = 'timeout'
                return $probe
            }
        }
        catch {
            $probe.tcp = Get-SocketWord $_
            return $probe
        }
        $probe.tcp = 'open'
        $probe.x224 = 'no_answer'
        [byte[]]$request = 3, 0, 0, 19, 14, 224, 0, 0, 0, 0, 0, 1, 0, 8, 0, 11, 0, 0, 0
        $reply = New-Object byte[] 64
        try {
            $stream = $client.GetStream()
            $stream.ReadTimeout = 3000
            $stream.Write($request, 0, $request.Length)
            $count = $stream.Read($reply, 0, $reply.Length)
        }
        catch { return $probe }
        if ($count -eq 0) { return $probe }
        if ($count -lt 11 -or $reply[0] -ne 3 -or $reply[5] -ne 208) {
            $probe.x224 = 'not_rdp'
            return $probe
        }
        $probe.x224 = 'answered'
        if ($count -ge 19 -and $reply[11] -eq 2) { $probe.selected_protocol = [int]$reply[15] + 256 * $reply[16] }
        elseif ($count -ge 19 -and $reply[11] -eq 3) { $probe.negotiation_failure = [int]$reply[15] + 256 * $reply[16] }
        else { $probe.selected_protocol = 0 }
        $probe
    }
    finally { $client.Close() }
}

function Get-EventData($Record) {
    # The event's own names: positions differ between builds of Windows. Binary is the data of classic events.
    $data = @{}
    $xml = [xml]$Record.ToXml()
    foreach ($element in $xml.SelectNodes("//*[local-name()='EventData']/*[local-name()='Data']")) {
        $data[[string]$element.GetAttribute('Name')] = [string]$element.InnerText
    }
    $binary = $xml.SelectSingleNode("//*[local-name()='EventData']/*[local-name()='Binary']")
    if ($null -ne $binary) { $data['Binary'] = [string]$binary.InnerText }
    $data
}

function Get-RsaKeyName($Certificate) {
    $key = [System.Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($Certificate)
    if ($null -ne $key) { $key.Key.UniqueName }
}

function Get-KeyError($Failure) {
    # The code with which a key does not open; null if that was not it, or if access was denied (5, NTE_PERM).
    $base = $Failure.Exception.GetBaseException()
    if ($base -isnot [System.Security.Cryptography.CryptographicException]) { return $null }
    $code = '0x{0:X8}' -f $base.HResult
    if (@('0x80070005', '0x80090010') -contains $code) { return $null }
    $code
}
