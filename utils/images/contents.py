"""What the bytes of an image file are: complete, or something else than an image."""

import struct
import zlib

OTHER_CONTENTS = {
    b"%PDF": "a PDF",
    b"%!PS": "PostScript",
    b"<svg": "an SVG drawing",
    b"<?xm": "an SVG drawing or other XML",
    b"<!DO": "a web page",
    b"<htm": "a web page",
    b"PK\x03\x04": "a ZIP archive",
}
HEIC_BRANDS = tuple(b"heic heix heim heis hevc hevx hevm hevs heif mif1 msf1".split())


def check_png(data: bytes) -> None:
    """Check that a PNG is complete and fits its checksums, as Pillow's decoder does not.

    Pillow's verify() does most of this, but the image must be opened again after it, which makes
    reading a small view a third slower.

    Raises:
        OSError: the file is damaged.
    """
    start, kind, view = 8, b"", memoryview(data)  # a signature of 8 bytes, then chunks
    while kind != b"IEND":
        try:
            length, kind = struct.unpack_from(">I4s", data, start)
            (checksum,) = struct.unpack_from(">I", data, start + 8 + length)
        except struct.error:
            raise OSError("the end of the PNG is missing") from None
        if zlib.crc32(view[start + 4 : start + 8 + length]) != checksum:
            raise OSError("a checksum of the PNG is wrong")
        start += 12 + length


def other_content(data: bytes) -> str:
    """What a file that Pillow does not recognise seems to be: "is ..."."""
    if data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS:
        return "is a HEIC photo, which cannot be read"
    head = data[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    for start, content in OTHER_CONTENTS.items():
        if head[: len(start)].lower() == start.lower():
            return f"is {content}, not an image of pixels"
    return "is not an image that can be read"
