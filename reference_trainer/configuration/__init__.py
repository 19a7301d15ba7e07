"""What a run is: its settings, the presets, and the files that hold them."""

from reference_trainer.configuration.files import read_settings, settings_toml
from reference_trainer.configuration.overrides import change_settings
from reference_trainer.configuration.presets import load_preset, preset_names, preset_summaries
from reference_trainer.configuration.settings import (
    Architecture,
    DataSettings,
    DiscriminatorSettings,
    GeneratorSettings,
    LossSettings,
    OptimizationSettings,
    OutputSettings,
    RunSettings,
    ScheduleSettings,
)

__all__ = [
    "Architecture",
    "DataSettings",
    "DiscriminatorSettings",
    "GeneratorSettings",
    "LossSettings",
    "OptimizationSettings",
    "OutputSettings",
    "RunSettings",
    "ScheduleSettings",
    "change_settings",
    "load_preset",
    "preset_names",
    "preset_summaries",
    "read_settings",
    "settings_toml",
]
