"""Numbers and objects that all parts of the header of a glTF file consist of."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

LARGEST = 2**40  # no index, count or offset of a file that can be read is larger


def whole(value: Any) -> Any:
    """4.0 -> 4: some exporters write all numbers as floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Index = Annotated[int, Field(strict=True, ge=0, le=LARGEST), BeforeValidator(whole)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Vector2 = tuple[Number, Number]
Vector3 = tuple[Number, Number, Number]
Vector4 = tuple[Number, Number, Number, Number]
Matrix = Annotated[list[Number], Field(min_length=16, max_length=16)]  # column by column


class SchemaObject(BaseModel):
    """A part of a header, whose names are in camel case there."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)
