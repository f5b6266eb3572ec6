"""Kinds of values that several options have, for the annotations of sections and of registered classes."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _whole_number(value: Any) -> Any:
    """BasicSR's files write counts as `!!float 5e3` too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Iterations = Annotated[int, Field(gt=0), BeforeValidator(_whole_number)]
Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]  # 0: none
Range = Annotated[Sequence[float], Field(min_length=2, max_length=2)]  # low, high
Colour = Annotated[Sequence[float], Field(min_length=3, max_length=3)]  # RGB
