"""Where and how a run runs: none of it changes what is learnt."""

from dataclasses import dataclass

from pgan_toolkit.progress import ProgressMode

__all__ = ["RunOptions"]


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the user says beside the settings.

    Attributes
    ----------
    device : str
        "auto", "cpu", "cuda" or "cuda:N"; a process of torchrun takes the GPU of its local rank.
    workers : int | None
        Threads that decode pictures, of each process; None: those that share a machine have one a
        core together.
    cache : bool
        Keep reduced copies of the pictures on disk.
    tensorboard : bool
        Write curves as well.
    mode : {"auto", "quiet"}
        Whether progress is shown.
    """

    device: str = "auto"
    workers: int | None = None
    cache: bool = True
    tensorboard: bool = False
    mode: ProgressMode = "auto"
