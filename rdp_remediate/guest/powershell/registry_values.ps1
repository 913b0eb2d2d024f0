# ---- registry_values.ps1: which registry values and services are read --------------------------------------------

$script:shortKeys = @{
    TS    = 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server'
    RT    = 'HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp'
    POL   = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows NT\Terminal Services'
    SCH   = 'HKLM:\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL'
    FWP   = 'HKLM:\SOFTWARE\Policies\Microsoft\WindowsFirewall'
    LSA   = 'HKLM:\SYSTEM\CurrentControlSet\Control\Lsa'
    SETUP = 'HKLM:\SYSTEM\Setup'
    SVC   = 'HKLM:\SYSTEM\CurrentControlSet\Services'
    CV    = 'HKLM:\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    SYS   = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System'
    SSL   = 'HKLM:\SOFTWARE\Policies\Microsoft\Cryptography\Configuration\SSL'
}

# Short key -> the values that are looked for, one statement a key. A value that is not there is answered as null.
# The answer holds a key's values in this order and without their names; guest/protocol.py reads this file for them.
$script:registryValues = @{
    'TS' = 'fDenyTSConnections', 'TSEnabled', 'TSUserEnabled', 'TSServerDrainMode', 'fSingleSessionPerUser'
    'RT' = 'fEnableWinStation', 'fLogonDisabled', 'PortNumber', 'LanAdapter', 'SecurityLayer', 'UserAuthentication',
    'MinEncryptionLevel', 'fAllowSecProtocolNegotiation', 'SSLCertificateSHA1Hash', 'MaxInstanceCount',
    'KeepAliveTimeout', 'MaxIdleTime', 'MaxConnectionTime', 'MaxDisconnectionTime', 'fInheritMaxIdleTime',
    'fInheritMaxSessionTime', 'fInheritMaxDisconnectionTime', 'fQueryUserConfigFromLocalMachine',
    'fQueryUserConfigFromDC', 'WdName', 'PdName', 'LoadableProtocol_Object'
    'POL' = 'fDenyTSConnections', 'UserAuthentication', 'SecurityLayer', 'MinEncryptionLevel', 'MaxInstanceCount',
    'KeepAliveEnable', 'KeepAliveInterval', 'fDisableAutoReconnect', 'fQueryUserConfigFromDC',
    'fQueryUserConfigFromLocalMachine', 'LicensingMode', 'LicenseServers', 'MaxIdleTime', 'MaxConnectionTime',
    'MaxDisconnectionTime', 'fSingleSessionPerUser', 'CertTemplateName', 'fPromptForPassword', 'SelectTransport'
    'TS\WinStations' = , 'SelfSignedCertStore'
    'TS\RCM\Licensing Core' = , 'LicensingMode'
    'SCH\Protocols\TLS 1.2\Server' = 'Enabled', 'DisabledByDefault'
    'SCH\Protocols\TLS 1.3\Server' = 'Enabled', 'DisabledByDefault'
    'SCH\Protocols\TLS 1.1\Server' = 'Enabled', 'DisabledByDefault'
    'SCH\Protocols\TLS 1.0\Server' = 'Enabled', 'DisabledByDefault'
    'SSL\00010002' = , 'Functions'
    'LSA' = 'disabledomaincreds', 'DisableRestrictedAdmin'
    'LSA\MSV1_0' = , 'RestrictReceivingNTLMTraffic'
    'LSA\Kerberos\Parameters' = , 'MaxTokenSize'
    'LSA\pku2u' = , 'AllowOnlineID'
    'TS\ClusterSettings' = , 'SessionDirectoryRedirectionIP'
    'SVC\TermService\Parameters' = , 'ServiceDll'
    'SVC\TermService\Parameters\LicenseServers' = , 'SpecifiedLicenseServers'
    'CV' = , 'UBR'
    'CV\Winlogon' = , 'WinStationsDisabled'
    'CV\ProfileList' = , 'ProgramData'
    'SYS\CredSSP\Parameters' = , 'AllowEncryptionOracle'
    'LSA\FIPSAlgorithmPolicy' = , 'Enabled'
    'SETUP' = 'SystemSetupInProgress', 'OOBEInProgress'
    'FWP\DomainProfile' = 'EnableFirewall', 'DoNotAllowExceptions', 'DefaultInboundAction', 'AllowLocalPolicyMerge'
    'FWP\PrivateProfile' = 'EnableFirewall', 'DoNotAllowExceptions', 'DefaultInboundAction', 'AllowLocalPolicyMerge'
    'FWP\PublicProfile' = 'EnableFirewall', 'DoNotAllowExceptions', 'DefaultInboundAction', 'AllowLocalPolicyMerge'
    'FWP\StandardProfile' = 'EnableFirewall', 'DoNotAllowExceptions', 'DefaultInboundAction', 'AllowLocalPolicyMerge'
    'FWP\DomainProfile\Services\RemoteDesktop' = , 'Enabled'
    'FWP\PrivateProfile\Services\RemoteDesktop' = , 'Enabled'
    'FWP\PublicProfile\Services\RemoteDesktop' = , 'Enabled'
    'FWP\StandardProfile\Services\RemoteDesktop' = , 'Enabled'
}

$script:serviceNames = 'TermService', 'UmRdpService', 'SessionEnv', 'RpcSs', 'RpcEptMapper', 'DcomLaunch', 'BFE', 'mpssvc',
'IKEEXT', 'CertPropSvc', 'KeyIso', 'CryptSvc', 'Dhcp', 'Dnscache', 'nsi', 'NlaSvc', 'iphlpsvc', 'Netlogon',
'LanmanWorkstation', 'W32Time', 'LSM', 'ProfSvc', 'gpsvc', 'SamSs', 'EventLog', 'TSSDis', 'sacsvr', 'RdAgent',
'WindowsAzureGuestAgent'
