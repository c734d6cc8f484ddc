"""Furniture libraries of Sweet Home 3D (.sh3f): a zip with a catalogue and the models it lists.

archive.py      the files of the zip, unpacked within limits
catalogue.py    the catalogue: the pieces of furniture and their licences
categories.py   the category of a piece by its name (categories.json)
plan.py         the file of every piece; which are to be written
convert.py      one piece -> GLB: rotated and stretched as the catalogue says
credits.py      the manifest and the credits of a folder of imported models
"""
