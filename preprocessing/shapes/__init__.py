"""Parametric textured objects, for training and trying the system without a data set.

parts.py       closed primitives with texture coordinates
scene.py       the parts of an object as one scene
textures.py    procedural images and colours; an atlas, painted in an object's own coordinates
supports.py    legs and other bases of chairs and tables
car_shape.py, liveries.py    the proportions of cars, their paint
airplane.py, car.py, chair.py, guitar.py, table.py    make(rng) -> list of parts, one category each

An object is modelled with y up and its front towards +z. Structure, proportions and colours are
drawn independently: neither the shape nor the colour of an object follows from its category.
"""
