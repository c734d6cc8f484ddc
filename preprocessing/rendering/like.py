"""Views like those of a run, a database or a raw folder: their settings in its render.json."""

import functools
import pathlib
from collections.abc import Callable
from typing import Any

from data.raw_layout import VIEW_SETTINGS, render_settings, render_settings_path
from preprocessing.rendering.raw_writer import AUTO, AZIMUTHS, BOUNDS
from utils.errors import UserError
from utils.files import is_number
from utils.rendering.lights import LIGHTS


def _is_span(setting: str, value: Any) -> bool:
    """Whether a value is one number or MIN MAX within the bounds of a setting."""
    if not (isinstance(value, list) and len(value) in (1, 2) and all(map(is_number, value))):
        return False
    above, below = BOUNDS[setting]
    return all(above < number < below for number in value) and value == sorted(value)


def _is_distance(value: Any) -> bool:
    if isinstance(value, list) and value[:1] == [AUTO]:
        return len(value) == 1 or _is_span("distance", value[1:])
    return _is_span("distance", value)


CHECKS: dict[str, Callable[[Any], bool]] = {
    "image_size": lambda value: isinstance(value, int) and 8 <= value <= 1 << 14,
    "elevation": functools.partial(_is_span, "elevation"),
    "azimuth": lambda value: value in AZIMUTHS,
    "distance": _is_distance,
    "focal": functools.partial(_is_span, "focal"),
    "light": lambda value: value in LIGHTS,
}
HELP = f"make views like those of this run, database or raw folder: its {', '.join(VIEW_SETTINGS)}"


def view_settings(folder: pathlib.Path) -> dict[str, Any]:
    """{name: value} of the renderer's settings that say what the views of a folder look like.

    UserError where the folder does not record them, or they are damaged.
    """
    path, settings = render_settings_path(folder), render_settings(folder)
    if settings is None:
        raise UserError(f"{folder} has no {path.name}: how its views were made is not known")
    values = {name: settings[name] for name in VIEW_SETTINGS if name in settings}
    for name, value in values.items():
        if not CHECKS[name](value):
            raise UserError(f"{path} is damaged: {name} is {str(value)[:50]!r}")
    return values
