"""What a checkpoint says beside its tensors, and what of it may be otherwise on a resume."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import Tensor

from pgan_toolkit.errors import DataError, PganError
from reference_trainer.configuration import RunSettings
from reference_trainer.configuration.layers import build_settings, layer_of_table
from reference_trainer.runs.record import DataFacts, data_facts_of

__all__ = [
    "GeneratorState",
    "Saved",
    "TrainingState",
    "describe_changes",
    "forbidden_changes",
    "saved_of",
]

_MAY_CHANGE = {
    "schedule.total_kimg",
    "schedule.minibatch_sizes",
    "optimization.microbatch_size",
    "optimization.precision",
}
"""How long, and what a resolution that does not fit into memory asks for. `output` may change as a
whole."""


@dataclass(frozen=True, kw_only=True)
class TrainingState:
    """Where a run is.

    Attributes
    ----------
    images_shown : int
        Reals shown to D, by all processes.
    steps : int
        Steps of G. All random numbers of a step derive from the seed and this.
    step_state : mapping of str to float
        What else `TrainingStep.state` keeps: the running mean of the adaptive noise.
    scores : mapping of str to float
        What was measured of exactly this state: {"swd": 12.5}; empty where nothing was.
    protocols : mapping of str to str
        How: of how many images, by which definition. Scores of others do not compare with them.
    measurement_due : bool
        Whether a measurement of this state was given up, and is to be made on a resume.
    world_size : int
        Processes that trained it.
    device : str
        What they computed on.
    """

    images_shown: int
    steps: int
    step_state: Mapping[str, float] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    protocols: Mapping[str, str] = field(default_factory=dict)
    measurement_due: bool = False
    world_size: int = 1
    device: str = "cpu"

    @property
    def kimg(self) -> float:
        """Thousands of reals shown."""
        return self.images_shown / 1000


@dataclass(frozen=True, kw_only=True)
class Saved:
    """All that a checkpoint says.

    Attributes
    ----------
    state : TrainingState
        Where the run was.
    settings : RunSettings
        Of the run.
    data : DataFacts
        Of its reals.
    """

    state: TrainingState
    settings: RunSettings
    data: DataFacts

    def as_json(self) -> dict[str, object]:
        """Return what `saved_of` takes."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class GeneratorState:
    """What pictures are drawn from.

    Attributes
    ----------
    saved : Saved
        Where the run was, its settings and its data.
    weights : mapping of str to Tensor
        State dictionary of the average generator, on the CPU.
    """

    saved: Saved
    weights: Mapping[str, Tensor]


def saved_of(found: Mapping[str, object], *, where: Path) -> Saved:
    """Return what a checkpoint says, from its JSON.

    Settings that it does not name get their defaults: they are younger than it is.

    Raises
    ------
    DataError
        It is not whole, or of settings that are not known here.
    """
    table, state = found.get("settings"), found.get("state")
    if not isinstance(table, dict) or not isinstance(state, dict):
        raise DataError(f"{where}: says nothing of its run; take another checkpoint")
    try:
        settings = build_settings(layer_of_table(table, where=where), where=where)
        return Saved(
            state=TrainingState(**state),
            settings=settings,
            data=data_facts_of(found.get("data"), where=where),
        )
    except (TypeError, PganError) as error:
        raise DataError(
            f"{where}: was made by another version of the trainer ({error}); go on with that one"
        ) from error


def _different_settings(before: RunSettings, now: RunSettings) -> dict[str, tuple[object, object]]:
    """Return the settings that differ, but for those of `output`: name to both values."""
    old, new = _flat(before), _flat(now)
    return {
        name: (old[name], new[name])
        for name in old
        if old[name] != new[name] and not name.startswith("output.")
    }


def forbidden_changes(before: RunSettings, now: RunSettings) -> dict[str, tuple[object, object]]:
    """Return the differing settings with which a run is another one."""
    found = _different_settings(before, now)
    return {name: both for name, both in found.items() if name not in _MAY_CHANGE}


def describe_changes(
    before: Saved, now: RunSettings, *, world_size: int, device: str
) -> tuple[str, ...]:
    """Return a sentence for each thing that keeps a resumed run from being the same bit for bit.

    Parameters
    ----------
    before : Saved
        What the checkpoint says.
    now : RunSettings
        What the run goes on with.
    world_size : int
        Processes now.
    device : str
        What they compute on.
    """
    found = [
        f"{name} was {old!r} and is {new!r} from here on"
        for name, (old, new) in _different_settings(before.settings, now).items()
        if name != "schedule.total_kimg"
    ]
    if before.state.world_size != world_size:
        found.append(
            f"processes were {before.state.world_size} and are {world_size} from here on: sums are "
            "taken in another order, and statistics of a minibatch over other parts of it"
        )
    if before.state.device != device:
        found.append(f"the device was {before.state.device} and is {device} from here on")
    return tuple(found)


def _flat(settings: RunSettings) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in asdict(settings).items():
        if name in {"preset", "gpus", "seed"}:
            found[name] = value
        else:
            found.update({f"{name}.{key}": inner for key, inner in value.items()})
    return found
