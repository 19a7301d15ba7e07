"""What a run would do, as text."""

from collections.abc import Iterable, Iterator, Sequence

import torch

from reference_trainer.configuration import RunSettings
from reference_trainer.division import divide_minibatch
from reference_trainer.networks import LayerRow, Networks, build_networks, describe
from reference_trainer.schedule import Stretch, phases

__all__ = ["describe_run"]


def describe_run(settings: RunSettings, *, label_count: int = 0, world_size: int = 1) -> str:
    """Return the schedule and both networks of a run, as tables.

    Parameters
    ----------
    settings : RunSettings
        Of the run.
    label_count : int
        Classes of the data, where the run is conditional.
    world_size : int
        GPUs.

    Raises
    ------
    UsageError
        A minibatch does not divide over the GPUs.
    """
    with torch.device("meta"):  # shapes alone: it may be a network that nothing could hold
        networks = build_networks(
            settings, label_count=label_count, generator=torch.Generator("cpu")
        )
    lines = [
        f"preset {settings.preset}: {settings.schedule.total_kimg:,g} kimg, "
        f"{settings.data.resolution}x{settings.data.resolution}, seed {settings.seed}",
        "",
        *_schedule(settings, world_size),
        "",
        *_networks(networks),
    ]
    return "\n".join(lines)


def _schedule(settings: RunSettings, world_size: int) -> Iterator[str]:
    stretches = phases(settings)
    rows = [_stretch_row(stretch, settings, world_size) for stretch in stretches]
    head = ("kimg", "resolution", "", "minibatch", "at once", "learning rate")
    yield from _table([head, *rows])


def _stretch_row(stretch: Stretch, settings: RunSettings, world_size: int) -> tuple[str, ...]:
    division = divide_minibatch(stretch.minibatch_size, settings, world_size=world_size)
    return (
        f"{stretch.from_kimg:,g} - {stretch.to_kimg:,g}",
        f"{stretch.resolution}x{stretch.resolution}",
        "fading in" if stretch.fading else "stable",
        str(stretch.minibatch_size),
        str(division.most_at_once),
        f"{stretch.learning_rate:g}",
    )


def _networks(networks: Networks) -> Iterator[str]:
    for name, network in (("G", networks.generator), ("D", networks.discriminator)):
        layers = describe(network)
        total = sum(layer.parameters for layer in layers)
        rows = [_layer_row(layer) for layer in layers]
        yield from _table([(name, "layer", "output", "parameters"), *rows])
        yield f"{name}: {total:,} parameters"
        yield ""


def _layer_row(layer: LayerRow) -> tuple[str, ...]:
    shape = " x ".join(str(size) for size in layer.shape)
    return (layer.name, layer.title, shape, f"{layer.parameters:,}")


def _table(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
