<#
.SYNOPSIS
Says where your connection to an Azure VM ends. Run it on the computer that cannot connect; it changes nothing and needs no rights.
.DESCRIPTION
Looks at the name, the connection, the certificate, proxy settings, this computer's firewall and its security products. It sends no
user name and no password, and contacts only the hosts that you name. With -Save the answer is written as JSON (schema
rdp-remediate/client-check/1) for the people who look after the VM; without it the JSON is printed.
.EXAMPLE
powershell -ExecutionPolicy Bypass -File client-check.ps1 -Dial vm1.example.com -Control web.example.com -Save check.json
#>
param(
    [string]$Dial,
    [string]$RdpFile,
    [string]$Control,
    [string]$SecondRdp,
    [string]$ExpectedAddress,
    [string]$MyAddress,
    [string]$Save,
    [int]$WaitS = 6
)
$ErrorActionPreference = 'Stop'
$script:unavailable = @()
$script:waitMs = 1000 * [Math]::Max(1, [Math]::Min(60, $WaitS))

function Get-Line([string]$Text) {
    $line = ($Text -replace '[\x00-\x1f\x7f]', ' ').Trim()
    if ($line.Length -gt 300) { $line = $line.Substring(0, 300) }
    $line
}

function Add-Unavailable([string]$Fact, $Failure) {
    $reason = 'server_error'
    $name = [string]$Failure.FullyQualifiedErrorId
    if ($name -match 'NotFound|InvalidClass|InvalidNamespace|0x8004100e') { $reason = 'not_found' }
    if ($name -match 'UnauthorizedAccess|AccessDenied|0x80041003') { $reason = 'forbidden' }
    $script:unavailable += @{ fact = $Fact; reason = $reason; detail = Get-Line "$Failure" }
}

# Any user name and password in a proxy's address stay here.
function Remove-Login([string]$Text) { $Text -replace '[^/@;=\s]*@', '' }

function Split-Endpoint([string]$Text, [int]$Port) {
    $name = $Text.Trim()
    if ($name -match '^\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?$') { $name = $Matches[1]; $number = $Matches[2] }
    elseif ($name -match '^([^:\s]+):([0-9]{1,5})$') { $name = $Matches[1]; $number = $Matches[2] }
    else { $number = '' }
    if ($number) { $Port = [int]$number }
    if ($name -eq '' -or $name -match '[\s/@?#]' -or $Port -lt 1 -or $Port -gt 65535) { throw "'$Text' is no HOST or HOST:PORT." }
    @{ host = $name; port = $Port }
}

function Read-RdpFile([string]$Path) {
    $file = Get-Item -LiteralPath $Path
    if ($file.Length -gt 262144) { throw "$Path is larger than 256 KiB; a .rdp file is not." }
    # mstsc writes UTF-16 with a byte order mark, which Get-Content sees; without one it is UTF-8.
    $values = @{}
    foreach ($line in @(Get-Content -LiteralPath $Path -Encoding UTF8)) {
        if ($line -match '^\s*([^:]+):[sibSIB]:(.*)$') { $values[$Matches[1].Trim().ToLowerInvariant()] = $Matches[2].Trim() }
    }
    if (-not $values['full address']) { throw "$Path names no computer: the line 'full address:s:' is missing or empty." }
    $found = @{ full_address = Get-Line $values['full address'] }
    if ($values['alternate full address']) { $found.alternate_full_address = Get-Line $values['alternate full address'] }
    if ($values['server port'] -match '^[1-9][0-9]{0,4}$') { $found.server_port = [int]$values['server port'] }
    if ($values['gatewayhostname']) { $found.gateway_host = Get-Line $values['gatewayhostname'] }
    if ($values['gatewayusagemethod'] -match '^[0-4]$') { $found.gateway_usage = [int]$values['gatewayusagemethod'] }
    $found
}

function Read-HostsFile([string]$Name) {
    $path = "$env:SystemRoot\System32\drivers\etc\hosts"
    if (-not (Test-Path -LiteralPath $path)) { return }
    foreach ($line in @(Get-Content -LiteralPath $path)) {
        $words = @(($line -replace '#.*$', '').Trim() -split '\s+')
        if ($words.Count -gt 1 -and $words[0] -match '^[0-9A-Fa-f:.]+$' -and $words[1..($words.Count - 1)] -contains $Name) { $words[0] }
    }
}

function Read-Resolution([string]$Name) {
    $found = @{ addresses = @(); not_found = $false; hosts_file = @(Read-HostsFile $Name) }
    try {
        $found.addresses = @([System.Net.Dns]::GetHostAddresses($Name) | ForEach-Object { $_.ToString() -replace '%.*$', '' } |
                Select-Object -First 32)
    }
    catch {
        $code = [string]$_.Exception.GetBaseException().SocketErrorCode
        if ($code -ne 'HostNotFound' -and $code -ne 'NoData') { throw }
        $found.not_found = $true
    }
    $found
}

function Test-Endpoint([string]$Name, [int]$Port, [bool]$Rdp) {
    $seen = @{ host = $Name; port = $Port; outcome = 'error'; detail = '' }
    $client = $null
    try {
        $address = @([System.Net.Dns]::GetHostAddresses($Name))[0]
        $seen.address = $address.ToString() -replace '%.*$', ''
    }
    catch {
        $seen.outcome = 'not_resolved'
        $seen.detail = Get-Line "$_"
        return $seen
    }
    try {
        $client = New-Object System.Net.Sockets.TcpClient -ArgumentList $address.AddressFamily
        try {
            if (-not $client.ConnectAsync($seen.address, $Port).Wait($script:waitMs)) {
                $seen.outcome = 'timeout'
                return $seen
            }
        }
        catch {
            $base = $_.Exception.GetBaseException()
            $words = @{ ConnectionRefused = 'refused'; TimedOut = 'timeout'; HostUnreachable = 'unreachable'
                NetworkUnreachable = 'unreachable'; AccessDenied = 'local_denied'; ConnectionReset = 'reset'
            }
            $code = [string]$base.SocketErrorCode
            if ($words.ContainsKey($code)) { $seen.outcome = $words[$code] }
            $seen.detail = Get-Line $base.Message
            return $seen
        }
        $seen.outcome = 'open'
        if ($Rdp) { Read-Handshake $client $seen }
        $seen
    }
    finally { if ($null -ne $client) { $client.Close() } }
}

function Read-Handshake($Client, $Seen) {
    # MS-RDPBCGR 2.2.1.1: a connection request that offers TLS and CredSSP; nothing else is said before TLS.
    $Seen.outcome = 'no_answer'
    [byte[]]$request = 3, 0, 0, 19, 14, 224, 0, 0, 0, 0, 0, 1, 0, 8, 0, 11, 0, 0, 0
    $reply = New-Object byte[] 64
    try {
        $stream = $Client.GetStream()
        $stream.ReadTimeout = $script:waitMs
        $stream.Write($request, 0, $request.Length)
        $count = $stream.Read($reply, 0, $reply.Length)
    }
    catch {
        $inner = $_.Exception.GetBaseException()
        if ([string]$inner.SocketErrorCode -eq 'ConnectionReset') { $Seen.outcome = 'reset' }
        $Seen.detail = Get-Line $inner.Message
        return
    }
    if ($count -eq 0) { $Seen.outcome = 'closed'; return }
    if ($count -lt 11 -or $reply[0] -ne 3 -or $reply[5] -ne 208) { $Seen.outcome = 'not_rdp'; return }
    $Seen.outcome = 'answered'
    if ($count -lt 19 -or $reply[11] -ne 2 -or $reply[15] -eq 0) { return }
    $tls = $null
    try {
        # The certificate is looked at, not trusted: nothing secret follows.
        $tls = New-Object System.Net.Security.SslStream -ArgumentList $stream, $false, { $true }
        # TLS 1.2 by name: this PowerShell's own default is TLS 1.0 on many computers.
        $tls.AuthenticateAsClient($Seen.host, $null, [System.Security.Authentication.SslProtocols]::Tls12, $false)
        $certificate = $tls.RemoteCertificate
        $Seen.thumbprint = $certificate.GetCertHashString().ToUpperInvariant()
        $Seen.issuer = Get-Line $certificate.Issuer
        $Seen.subject = Get-Line $certificate.Subject
        $Seen.outcome = 'handshake'
    }
    catch {
        $inner = $_.Exception.GetBaseException()
        $Seen.detail = Get-Line "TLS: $($inner.Message)"
        # Only the network and TLS speak for the other side; what this PowerShell lacks leaves it at 'answered'.
        if ($inner.GetType().Name -match '^(IOException|SocketException|AuthenticationException|Win32Exception)$') {
            $Seen.outcome = 'tls_failed'
        }
    }
    finally { if ($null -ne $tls) { $tls.Close() } }
}

function Read-Proxy {
    $found = @()
    foreach ($name in 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY') {
        $value = [Environment]::GetEnvironmentVariable($name)
        if ($value) { $found += Get-Line "$name=$(Remove-Login $value)" }
    }
    $key = 'HKCU:\Software\Microsoft\Windows\CurrentVersion\Internet Settings'
    if (Test-Path -LiteralPath $key) {
        $settings = Get-ItemProperty -LiteralPath $key
        if ($settings.ProxyEnable -eq 1) { $found += Get-Line "ProxyServer=$(Remove-Login $settings.ProxyServer)" }
        if ($settings.AutoConfigURL) { $found += Get-Line "AutoConfigURL=$(Remove-Login $settings.AutoConfigURL)" }
    }
    # The words of netsh are translated; an address with a port is not.
    foreach ($line in @(netsh.exe winhttp show proxy)) {
        if ($line -match ':\s+(\S+:[0-9]{1,5}\S*)\s*$') { $found += Get-Line "WinHTTP=$(Remove-Login $Matches[1])" }
    }
    @{ settings = @($found | Select-Object -First 16) }
}

function Test-PortFilter($Rule, [int]$Port) {
    $filter = $Rule | Get-NetFirewallPortFilter
    if (@('Any', 'TCP', '6') -notcontains [string]$filter.Protocol) { return $false }
    foreach ($part in @($filter.RemotePort)) {
        if ($part -eq 'Any' -or $part -eq [string]$Port) { return $true }
        if ($part -match '^([0-9]+)-([0-9]+)$' -and $Port -ge [int]$Matches[1] -and $Port -le [int]$Matches[2]) { return $true }
    }
    $false
}

function Read-LocalFirewall([int]$Port) {
    $found = @{ outbound_blocks = @(); active = @(); products = @() }
    foreach ($one in @(Get-NetFirewallProfile -PolicyStore ActiveStore)) {
        if ([string]$one.Enabled -eq 'True') {
            $found.active += [string]$one.Name
            if ([string]$one.DefaultOutboundAction -eq 'Block') { $found.outbound_blocks += "profile $($one.Name) blocks by default" }
        }
    }
    if ($found.active.Count -gt 0) {
        foreach ($rule in @(Get-NetFirewallRule -PolicyStore ActiveStore | Where-Object {
                    [string]$_.Direction -eq 'Outbound' -and [string]$_.Enabled -eq 'True' -and [string]$_.Action -eq 'Block' })) {
            # A rule for one program or service other than the RDP client says nothing about mstsc.
            $program = [string]($rule | Get-NetFirewallApplicationFilter).Program
            if ($program -ne 'Any' -and $program -notmatch 'mstsc\.exe$') { continue }
            if (Test-PortFilter $rule $Port) { $found.outbound_blocks += Get-Line "rule $($rule.DisplayName)" }
        }
    }
    foreach ($class in 'FirewallProduct', 'AntiVirusProduct') {
        try { $found.products += @(Get-CimInstance -Namespace root/SecurityCenter2 -ClassName $class | ForEach-Object { Get-Line $_.displayName }) }
        catch { Add-Unavailable "local_firewall.$class" $_ }
    }
    $found.outbound_blocks = @($found.outbound_blocks | Select-Object -First 16)
    $found.products = @($found.products | Select-Object -Unique -First 16)
    $found
}

function Get-Verdict($Check) {
    $tried = $Check.target
    if ($Check.resolution -and $Check.resolution.not_found) { return "This computer finds no address for $($Check.host)." }
    if ($ExpectedAddress -and $Check.resolution -and $Check.resolution.addresses -notcontains $ExpectedAddress) {
        return "$($Check.host) leads to $($Check.resolution.addresses -join ', ') here, but Azure shows $ExpectedAddress."
    }
    if ($tried.outcome -eq 'handshake') { return 'RDP answers this computer. What fails later is the sign-in.' }
    if ($Check.local_firewall -and $Check.local_firewall.outbound_blocks.Count -gt 0) {
        return "This computer's own firewall blocks the port outwards: $($Check.local_firewall.outbound_blocks[0])."
    }
    "$($Check.host):$($Check.port) ended as $($tried.outcome). Send the file to the people who look after the VM."
}

try {
    if ([bool]$Dial -eq [bool]$RdpFile) { throw 'Say what you dial: -Dial HOST[:PORT], or -RdpFile FILE.' }
    $file = $null
    if ($RdpFile) {
        $file = Read-RdpFile $RdpFile
        $Dial = $file.full_address
        if ($file.alternate_full_address) { $Dial = $file.alternate_full_address }
    }
    $port = 3389
    if ($file -and $file.server_port) { $port = $file.server_port }
    $end = Split-Endpoint $Dial $port
    $second = $null
    if ($SecondRdp) { $second = Split-Endpoint $SecondRdp 3389 }
    $other = $null
    if ($Control) { $other = Split-Endpoint $Control $end.port }
    foreach ($text in $ExpectedAddress, $MyAddress) {
        $parsed = $null
        if ($text -and -not [System.Net.IPAddress]::TryParse($text, [ref]$parsed)) { throw "'$text' is no IP address." }
    }
}
catch {
    [Console]::Error.WriteLine("client-check: $_")
    exit 2
}

$check = [ordered]@{
    schema = 'rdp-remediate/client-check/1'
    made_at = [DateTime]::UtcNow.ToString('yyyy-MM-ddTHH:mm:ssZ', [System.Globalization.CultureInfo]::InvariantCulture)
    made_by = 'powershell'
    system = @{ os = 'windows'; version = [Environment]::OSVersion.Version.ToString() }
    host = $end.host
    port = $end.port
}
$library = "$env:SystemRoot\System32\tspkg.dll"
if (Test-Path -LiteralPath $library) {
    $about = (Get-Item -LiteralPath $library).VersionInfo
    $check.system.tspkg_version = "$($about.FileMajorPart).$($about.FileMinorPart).$($about.FileBuildPart).$($about.FilePrivatePart)"
}
if ($ExpectedAddress) { $check.expected_address = $ExpectedAddress }
if ($MyAddress) { $check.client_address = $MyAddress }
if ($file) { $check.rdp_file = $file }
[Console]::Error.WriteLine("looking up $($end.host)")
try { $check.resolution = Read-Resolution $end.host } catch { Add-Unavailable 'resolution' $_ }
try { $check.proxy = Read-Proxy } catch { Add-Unavailable 'proxy' $_ }
try { $check.local_firewall = Read-LocalFirewall $end.port } catch { Add-Unavailable 'local_firewall' $_ }
[Console]::Error.WriteLine("connecting to $($end.host):$($end.port)")
$check.target = Test-Endpoint $end.host $end.port $true
if ($other) {
    $check.control_https = Test-Endpoint $other.host 443 $false
    $check.control_rdp = Test-Endpoint $other.host $other.port $false
}
if ($second) { $check.second_rdp = Test-Endpoint $second.host $second.port $true }
$check.unavailable = @($script:unavailable)
$json = $check | ConvertTo-Json -Depth 5
if ($Save) {
    # Without a byte order mark, which 5.1's own cmdlets would write.
    [System.IO.File]::WriteAllText($ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($Save), $json)
    Get-Verdict $check
}
else { $json }
