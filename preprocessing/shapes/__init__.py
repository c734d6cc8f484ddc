"""Parametric textured objects, to train and to try the system on without a data set.

parts.py       UV-mapped closed primitives, and how they become one scene
textures.py    procedural images and colours; an atlas that is painted in an object's own coordinates
supports.py    what chairs and tables stand on
car.py, chair.py, guitar.py, table.py    make(rng) -> list of parts, one family each

An object is modelled with y up and its front towards +z. Structure, proportions and colours are drawn independently, so
that neither the shape nor the colour of an object follows from its category.
"""
