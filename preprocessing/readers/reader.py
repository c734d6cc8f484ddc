"""The parts that every reader of a data layout declares (see registry.py for the table of them)."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from data.shard_format import ObjectRecord
from preprocessing.meshes.distances import DEFAULT_SIGN
from preprocessing.readers.majority import Convention
from preprocessing.recovery import dlt

MeshPaths = Mapping[tuple[str, str], pathlib.Path]  # (category name, object id) -> mesh file


@dataclasses.dataclass(frozen=True)
class Options:
    """How objects are read, whatever their layout."""

    image_size: int  # side of the stored views, pixels
    sdf_points: int  # at most; files may hold fewer
    surface_points: int  # likewise
    axes: dlt.Axes = dlt.IDENTITY  # p = A q for volumes whose axes are unknown; q is as the volume is stored
    channels: str = "rgb"  # order of the colour channels, where the files do not state it
    sdf_offset: float = 0.0  # subtracted from the distances, in their own units
    sign: str = DEFAULT_SIGN  # how the inside of meshes is told, one of preprocessing.meshes.distances.SIGNS


@dataclasses.dataclass(frozen=True)
class DataFolders:
    """The folders that a data set is read from."""

    root: pathlib.Path
    images: pathlib.Path | None = None  # the views, where they are in a folder of their own
    meshes: pathlib.Path | None = None  # the meshes that the objects were made of


class Source(Protocol):
    """One object of a data set: a RawObject or an ExternalObject."""

    @property
    def category(self) -> str: ...  # as its folder is called
    @property
    def object_id(self) -> str: ...
    @property
    def folder(self) -> pathlib.Path: ...


@dataclasses.dataclass(frozen=True)
class Reader:
    """A data layout.

    Attributes:
        name: the value of the flag --format.
        description: a few lines for the help.
        glob: pattern below the root; a folder in which it matches has this layout.
        find: (root, folder of views or None, known meshes or None) -> the objects, sorted by
            category and id; UserError where there is none.
        read: (object, options) -> its record; UserError names the file and what is wrong with it.
        uses: optional settings that have an effect (images, meshes, sdf_offset, sign) -> what they
            do.
        needs: those of them that must be given.
        conventions: what a majority of the objects decides, since no file states it.
        settings: (options, folders) -> settings that shards of this layout record in addition.
    """

    name: str
    description: str
    glob: str
    find: Callable[[pathlib.Path, pathlib.Path | None, MeshPaths | None], Sequence[Source]]
    read: Callable[[Any, Options], ObjectRecord]
    uses: Mapping[str, str] = dataclasses.field(default_factory=dict)
    needs: tuple[str, ...] = ()
    conventions: tuple[Convention, ...] = ()
    settings: Callable[[Options, DataFolders], dict[str, Any]] = lambda options, folders: {}
