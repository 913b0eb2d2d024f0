"""The one error that the parsers of received bytes raise."""


class MalformedError(ValueError):
    """Received bytes break their protocol; the text says which part does.

    Bytes that are merely not complete yet are not malformed: the readers answer None for those.
    """
