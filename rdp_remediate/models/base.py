"""The base of every stored or sent document."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, PlainSerializer

JsonObject = dict[str, Any]
"""A raw JSON object."""


def _iso(value: Any) -> str:
    return str(value.isoformat().replace("+00:00", "Z"))


UtcTime = Annotated[AwareDatetime, PlainSerializer(_iso, return_type=str, when_used="json")]
"""An aware time, written as ISO 8601 with Z."""


class Document(BaseModel):
    """A frozen model; unknown keys are ignored, so that readers survive additions within a major version."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True, populate_by_name=True)


__all__ = ["Document", "JsonObject", "UtcTime"]
