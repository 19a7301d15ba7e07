"""Pictures and films from a run.

A picture is named by its seed: one number gives its latent vector (and its label, where the run has
labels), in every command and in the grids of training. `run_source` makes a run readable wherever a
data set is, `generate` writes pictures, `walk` and `timelapse` make films.
"""

__all__: list[str] = []
