"""What may be in a job file."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr


class JobFile(BaseModel):
    """``run`` is a verb, ``with`` its options and arguments by name; ``address`` is the dashboard
    of the cluster that it runs on, none for this machine."""

    model_config = ConfigDict(extra="forbid")

    run: StrictStr
    options: dict[StrictStr, Scalar | list[Scalar]] = Field(alias="with", default_factory=dict)
    address: StrictStr | None = None
