"""What a folder of meshes holds, before it is rendered.

measure.py  one mesh: its faces, parts, textures, inside and warnings, and a picture of it
table.py    all meshes: the table, its totals, its files
sheet.py    the contact sheet of a category
"""
