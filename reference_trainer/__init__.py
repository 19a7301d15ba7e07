"""The progressive GAN trainer: a consumer of pgan_toolkit's public names.

`configuration` says what a run is, `networks`, `losses` and `schedule` are the paper, `reals` gives
it pictures, `training` runs it, `runs` keeps it, and `sampling` draws from it.
"""

__all__: list[str] = []
