"""Settings as dataclass fields: a field declares a setting once, all else follows from it."""

import collections.abc
import dataclasses
import os
import typing

from utils.errors import UserError
from utils.files import read_json, write_json

WIDEST, DEEPEST = 1 << 16, 64  # of the sizes in a tuple, and their number
ENDLESS = 1e15  # numbers from here on are no settings; a float cannot count them


def setting(
    default: typing.Any,
    help: str,
    *,
    architecture: bool = False,
    inherited: bool = False,
    resumable: bool = False,
    choices: collections.abc.Collection[str] | None = None,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    multiple: int | None = None,
    length: int | None = None,
    unused: collections.abc.Callable[[typing.Any], str] = lambda config: "",
    flag: bool = True,
    needs_mask: bool = False,
) -> typing.Any:
    """A field of a settings class.

    Args:
        default: the original's value (Wu 2021; DISN, Xu et al. 2019).
        help: one line.
        architecture: weights fit only networks that have the same value.
        inherited: a run that starts from another one's weights takes its value, as it does for
            architecture.
        resumable: a run may resume with another value.
        choices: the values that a string may have.
        least, above, most, multiple: bounds of a number: at least, above, at most, a multiple of.
            Of a tuple of sizes: of each of them.
        length: of a tuple of sizes; None: any.
        unused: config -> why the setting does nothing there ("in binary mode"), or "".
        flag: whether the training command has a flag of this name.
        needs_mask: the setting means nothing for views without a foreground mask.
    """
    return dataclasses.field(default=default, metadata={k: v for k, v in locals().items() if k != "default"})


@dataclasses.dataclass(frozen=True)
class SavedSettings:
    """Settings that are saved with a run as JSON and checked when they are read."""

    KIND: typing.ClassVar[str] = "a network"  # for messages

    def save(self, path: str | os.PathLike[str]) -> None:
        write_json(path, dataclasses.asdict(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> typing.Self:
        """Read a saved configuration.

        A key that an earlier version did not have gets its default.

        Raises:
            UserError: for unknown keys and for values of the wrong type or out of range.
        """
        values = read_json(path)
        if not isinstance(values, dict) or "preset" not in values:
            raise UserError(f"{path} is not a configuration of {cls.KIND} (no JSON object with a preset)")
        values = cls.renamed(values)
        fields = {field.name: field for field in dataclasses.fields(cls)}
        if unknown := sorted(values.keys() - fields.keys()):
            for other in typing.cast("type[SavedSettings]", cls.__base__).__subclasses__():
                if set(unknown) <= {field.name for field in dataclasses.fields(other)}:
                    raise UserError(f"{path} is not a configuration of {cls.KIND} but of {other.KIND}")
            raise UserError(f"{path} is not a configuration of {cls.KIND} of this version (unknown: {unknown})")
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        try:
            for name, value in values.items():
                check_type(fields[name], value)
                check_value(fields[name], value)
            config = cls(**values)
            config.check_size()
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        return config

    def check_size(self) -> None:
        """Refuse a network that is larger than any computer it could run on.

        Raises:
            UserError: names the number of weights.
        """

    def check(self) -> None:
        """Refuse values that are out of bounds or contradict each other.

        Raises:
            UserError: naming the setting, its value and what it may be.
        """
        for field in dataclasses.fields(self):
            check_value(field, getattr(self, field.name))

    @classmethod
    def renamed(cls, values: dict[str, typing.Any]) -> dict[str, typing.Any]:
        """Settings of an earlier version under their present names."""
        return values


def shown(value: typing.Any) -> str:
    """A value of a setting as its flag takes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def architecture(config: SavedSettings) -> dict[str, typing.Any]:
    """{setting: value} that a network must share with the weights it takes."""
    return {f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.metadata["architecture"]}


def needing_masks(config: SavedSettings) -> list[str]:
    """Names of the settings in use that need a foreground mask of every view."""
    fields = dataclasses.fields(config)
    return [field.name for field in fields if field.metadata["needs_mask"] and getattr(config, field.name)]


def seen_masks(config: SavedSettings) -> list[str]:
    """Those of them that a trained network needs too: it sees the mask, or what that cuts out."""
    return [name for name in needing_masks(config) if name in architecture(config)]


def handed_on(config: SavedSettings) -> dict[str, typing.Any]:
    """{setting: value} that a run takes over with the weights of another: what the network is, and
    what it was trained to see and to say.
    """
    fields = dataclasses.fields(config)
    inherited = {f.name: getattr(config, f.name) for f in fields if f.metadata["inherited"]}
    return {**architecture(config), **inherited}


def check_type(field: dataclasses.Field, value: typing.Any) -> None:
    """UserError for a value of another type than the default of a setting(), as a file may hold."""
    kind = type(field.default)
    fits = type(value) in (float, int) if kind is float else type(value) is kind
    if not fits or (kind is tuple and not all(type(size) is int for size in value)):
        raise UserError(f"{field.name} must be of type {kind.__name__}, not {str(value)[:100]!r}")


def check_value(field: dataclasses.Field, value: typing.Any) -> None:
    """UserError for a value outside the bounds that a setting() declares."""
    name, bounds = field.name, field.metadata
    if type(value) in (int, float) and not abs(value) < ENDLESS:
        raise UserError(f"{name} {str(value)[:30]} is not a finite number")
    if bounds["choices"] and value not in bounds["choices"]:
        raise UserError(f"{name} {value[:100]}: give one of {', '.join(bounds['choices'])}")
    if isinstance(value, tuple):
        most, length = bounds["most"] or WIDEST, bounds["length"]
        if not 0 < len(value) <= DEEPEST or min(value) < 1 or max(value) > most or len(value) != (length or len(value)):
            wanted = f"{length or 'some'} numbers from 1 to {most}, such as {shown(field.default)}"
            raise UserError(f"{name} {shown(value)[:100]}: give {wanted}")
    elif bounds["above"] is not None and not value > bounds["above"]:
        raise UserError(f"{name} must be above {bounds['above']}, not {value}")
    elif bounds["most"] is not None and bounds["least"] is not None and not bounds["least"] <= value <= bounds["most"]:
        raise UserError(f"{name} must be in [{bounds['least']}, {bounds['most']}], not {value}")
    elif bounds["most"] is not None and not value <= bounds["most"]:
        raise UserError(f"{name} must be at most {bounds['most']}, not {value}")
    elif bounds["least"] is not None and not value >= bounds["least"]:
        raise UserError(f"{name} must be at least {bounds['least']}, not {value}")
    elif bounds["multiple"] and value % bounds["multiple"]:
        raise UserError(f"{name} {value} must be a multiple of {bounds['multiple']}")
