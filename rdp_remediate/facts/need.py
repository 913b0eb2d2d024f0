"""How judgement reads a fact: with the value, or not at all."""

from typing import TypeVar

from rdp_remediate.models.fact import Fact, Unavailable

T = TypeVar("T")


class UnseenError(Exception):
    """A check asked for a fact that could not be read; the check ends as unknown with that reason."""

    def __init__(self, unavailable: Unavailable) -> None:
        super().__init__(unavailable.detail)
        self.unavailable = unavailable


def need(fact: Fact[T]) -> T:
    """The value of a fact.

    Raises:
        UnseenError: The fact is unavailable.
    """
    if isinstance(fact, Unavailable):
        raise UnseenError(fact)
    return fact.value
