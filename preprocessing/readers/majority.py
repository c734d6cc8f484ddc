"""What the files of a data set have in common and do not say: found out from some of its objects, by majority."""

import collections

import numpy as np
from tqdm import tqdm

from preprocessing.readers import im2avatar, original
from preprocessing.recovery import dlt
from utils.errors import UserError

VOTERS = 16  # objects that vote


def majority(objects, read, name):
    """(value, its votes, all votes) of read(object) over up to VOTERS objects, drawn at random; None if none can be read."""
    votes = []
    with tqdm(total=min(VOTERS, len(objects)), desc=name, unit="object") as bar:
        for at in np.random.default_rng(0).permutation(len(objects)):
            try:
                votes.append(read(objects[at]))
            except UserError:
                continue  # reported when the object's turn comes
            bar.update()
            if len(votes) == VOTERS:
                break
    return (*collections.Counter(votes).most_common(1)[0], len(votes)) if votes else None


def vote_on_axes(objects, read):
    """Axes A of the volumes (p = A q) of objects that do not say them; prints the outcome."""
    found = majority(objects, read, "axes") if objects else None
    if not found:
        return dlt.IDENTITY
    axes, count, voters = found
    done = "as they are" if axes == dlt.IDENTITY else f"turned: (x, y, z) = ({dlt.describe(axes)}) of the file"
    source = (
        "no cameras.h5 for {} objects: cameras from the flow volumes, axes"
        if read is im2avatar.read_axes
        else "axes of {} objects"
    )
    print(f"{source.format(len(objects))} {done} ({count} of {voters} objects agree)")
    return axes


def vote_on_channels(objects):
    """'rgb' or 'bgr', the order of the colour channels in the original's views; prints the outcome."""
    found = majority(objects, original.read_channels, "channels")
    if not found:
        print("views: all objects are grey, their channels are taken as RGB")
        return "rgb"
    channels, count, voters = found
    print(f"views: channels are {channels.upper()} ({count} of {voters} objects agree)")
    return channels


def find_out(layout, objects):
    """The fields axes and channels of Options for the objects of a layout."""
    if layout == "im2avatar":
        return {"axes": vote_on_axes([raw for raw in objects if not raw.cameras.exists()], im2avatar.read_axes)}
    if layout == "original":
        return {"axes": vote_on_axes(objects, original.read_axes), "channels": vote_on_channels(objects)}
    return {}
