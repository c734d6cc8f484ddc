"""The words of the page for a result, and for errors and notes."""

import html
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from utils.errors import UserError
from utils.reports.result_folder import category_text, face_count

SIDES = ("front", "front right", "right", "back right", "back", "back left", "left", "front left")
# elevations in degrees below which a camera is called so
HEIGHTS = (
    (-10, "from below"),
    (10, "at its height"),
    (35, "from a little above"),
    (60, "from above"),
    (91, "from far above"),
)
MASK_SOURCES = {
    "alpha": "by its transparency",
    "file": "by the mask file",
    "none": "as you chose",
    "grabcut": "by GrabCut",
    "rembg": "by rembg",
}


def sentence(message: UserError | str, names: Iterable[tuple[str | os.PathLike[str], str]] = ()) -> str:
    """Turn an error or a note into one sentence without paths of the server. It is not escaped.

    Args:
        message: the error or the note.
        names: (path, name that takes its place) pairs. Of other paths the base name is left.
    """
    text = " ".join(str(message).split())
    for path, name in names:
        text = text.replace(str(path), name)
    text = re.sub(r"(?<![\w.])/(?:[^\s/:]+/)+", "", text)  # the folders of absolute paths
    return text if text.endswith((".", "!", "?")) else f"{text}."


def about(results: Mapping[str, Any]) -> str:
    """Describe results.json as an HTML table: camera, object, category, model, notes."""
    camera, surface = results["camera"], results["surface"]
    azimuth, elevation, distance = (camera[name] for name in ("azimuth", "elevation", "distance"))
    share, source = 100 * results["foreground"]["share"], results["foreground"]["source"]
    angles = f"azimuth {azimuth:.0f}°, elevation {elevation:.0f}°"
    closed = "closed" if surface["closed"] else "not closed"
    faces = face_count(surface["faces"], surface["extracted_faces"])
    rows = [
        ("Camera", f"{camera_position(azimuth, elevation)} ({camera['source']})"),
        ("", f"{angles}, distance {distance:.2f} (the object's longest side is 1)"),
        ("Object", f"{share:.0f} % of the image, {MASK_SOURCES.get(source, source)}"),
        *([("Category", category_text(results["category"]))] if results["category"] else []),
        ("Model", f"{faces}, {closed}, {sum(results['seconds'].values()):.1f} s"),
        *([("Colours", _likeness(results["colours"]["psnr"]))] if results["colours"]["psnr"] else []),
        *(("Warning", warning) for warning in results["warnings"]),
        *(("Note", note) for note in results["notes"]),
    ]
    cells = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(sentence(text)[:-1])}</td></tr>" for name, text in rows)
    return f"<table>{''.join(cells)}</table>"


def _likeness(psnr: Mapping[str, float]) -> str:
    """Describe the entry of results.json on how much the model looks like the image."""
    if "photo" not in psnr:
        return f"of the field, {psnr['field']:.1f} dB from the image"
    return f"of the image where it shows the model, {psnr['photo']:.1f} dB from it; the field's: {psnr['field']:.1f} dB"


def camera_position(azimuth: float, elevation: float) -> str:
    """Describe a direction in degrees. Right is that of a viewer who faces the object's front."""
    side = SIDES[round(azimuth / 45) % 8]
    height = next(words for below, words in HEIGHTS if elevation < below)
    return f"from the {side}, {height}"
