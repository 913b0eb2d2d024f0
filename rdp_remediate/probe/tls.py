"""A TLS client over memory, so that every stage has one deadline and RDP's bytes before TLS stay in our hands."""

import functools
import ssl
import warnings

# The context reports what a server does, so it accepts what nobody should use. Nothing secret is ever sent over it.
_CIPHERS = "ALL:COMPLEMENTOFALL:!eNULL:!aNULL:@SECLEVEL=0"
_OP_LEGACY_SERVER_CONNECT = 0x4
_OP_DONT_INSERT_EMPTY_FRAGMENTS = 0x800
_READ_BYTES = 64 * 1024


@functools.cache
def reporting_context() -> ssl.SSLContext:
    """Makes the context that connects to any server from TLS 1.0 on and verifies nothing; once per process."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.options |= _OP_LEGACY_SERVER_CONNECT | _OP_DONT_INSERT_EMPTY_FRAGMENTS
    context.set_ciphers(_CIPHERS)
    return context


class TlsClient:
    """One TLS connection whose bytes the caller moves."""

    def __init__(self, already_received: bytes = b"") -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        # No server name: Windows ignores it, and a name would tell middleboxes what is looked for.
        self._tls = reporting_context().wrap_bio(self._incoming, self._outgoing, server_side=False)
        self.received(already_received)

    def received(self, data: bytes) -> None:
        """Takes bytes from the wire."""
        if data:
            self._incoming.write(data)

    def to_send(self) -> bytes:
        """Gives the bytes that are due on the wire, also after a failure (an alert)."""
        return self._outgoing.read()

    def handshake(self) -> bool:
        """Advances the handshake; True when it is complete, False when more bytes are needed.

        Raises:
            ssl.SSLError: The handshake failed.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def write(self, data: bytes) -> None:
        """Encrypts application data; `to_send` gives the result.

        Raises:
            ssl.SSLError: The connection failed.
        """
        self._tls.write(data)

    def read(self) -> bytes | None:
        """Decrypts application data; None when more bytes are needed, empty when the peer closed TLS.

        Raises:
            ssl.SSLError: The peer sent an alert or bytes that are no TLS.
        """
        try:
            return self._tls.read(_READ_BYTES)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            return b""

    @property
    def version(self) -> str | None:
        """The protocol version, such as TLSv1.3."""
        return self._tls.version()

    @property
    def cipher(self) -> str | None:
        """OpenSSL's name of the cipher suite."""
        cipher = self._tls.cipher()
        return cipher[0] if cipher else None

    @property
    def certificate(self) -> bytes | None:
        """The server's certificate in DER."""
        return self._tls.getpeercert(binary_form=True)
