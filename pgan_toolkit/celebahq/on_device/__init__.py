"""The recipe from the restored photograph to the score in torch, for a GPU; it runs on a CPU too.

Geometry, constants and the arithmetic of the score are those of the modules that work with NumPy
and OpenCV; here is what is done to pixels. A test holds the two to one grey level.
"""
