"""What every mapping of ``params.yaml`` has in common."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


def nearest(name: str, valid: Iterable[str]) -> str:
    """A hint that ends an error message: the nearest valid name, else all of them."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"valid names are: {', '.join(names)}" if names else "none are defined"


def impossible(message: str) -> PydanticCustomError:
    """A fault of a section as pydantic collects it; ``parse`` names the file and key."""
    return PydanticCustomError("impossible", "{message}", {"message": message})


class Section(BaseModel):
    """A mapping of ``params.yaml``; unknown keys are errors with the nearest valid name."""

    model_config = ConfigDict(
        defer_build=True,  # most commands use few sections
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        strict=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _reject_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            for key in data:
                if key not in cls.model_fields:
                    hint = nearest(str(key), cls.model_fields)
                    raise impossible(f"unknown parameter '{key}'; {hint}")
        return data
