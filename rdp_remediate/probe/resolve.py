"""Name resolution that neither waits in a queue nor keeps the process alive.

asyncio's own runs in a small pool of threads: a few names whose servers stay silent keep all others waiting past their
deadlines, and the pool is waited for when the process ends.
"""

import asyncio
import errno
import socket
import threading

Found = list[str] | OSError | UnicodeError


async def resolve(host: str, port: int) -> list[str]:
    """Gives the addresses of a name, in the order of the system's preference.

    Raises:
        OSError: The name was not resolved, or this computer has no thread left for it.
        UnicodeError: The name cannot be a host's.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Found] = loop.create_future()

    def tell(found: Found) -> None:
        if not answer.done():
            answer.set_result(found)

    def look_up() -> None:
        found: Found
        try:
            found = [str(address[0]) for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            found = error
        try:
            loop.call_soon_threadsafe(tell, found)
        except RuntimeError:
            return  # The loop is closed: nobody waits for this name any more.

    try:
        threading.Thread(target=look_up, name="rdp-probe-resolve", daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, "no thread left to resolve the name") from error
    found = await answer
    if isinstance(found, (OSError, UnicodeError)):
        raise found
    return list(dict.fromkeys(found))
