"""Images from any file: decoding, foreground masks, crops, resizing."""
