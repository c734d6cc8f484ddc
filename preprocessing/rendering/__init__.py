"""Views and volumes of meshes, written as a raw folder."""
