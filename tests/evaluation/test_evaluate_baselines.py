"""Whole evaluations that are compared with a baseline."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from evaluated_sets import pictures, write_set

from pgan_toolkit.evaluation import Conditions, EvaluationSettings, evaluate
from pgan_toolkit.evaluation.comparing import judge, report_json

QUIET = EvaluationSettings(mode="quiet", device="cpu")


def test_runs_with_a_bootstrap_are_compared_by_its_errors(tmp_path: Path) -> None:
    real, fake, other = (write_set(tmp_path / f"{n}", pictures(n, 12)) for n in (0, 5, 6))
    drawn = replace(QUIET, bootstrap=3)
    before = evaluate(real, fake, metrics=["swd"], settings=drawn)
    (tmp_path / "base.json").write_bytes(report_json(before))
    conditions = Conditions(baseline=tmp_path / "base.json")
    now = evaluate(real, other, metrics=["swd"], conditions=conditions, settings=drawn)
    [verdict] = now.verdicts
    errors = [each.scores["swd.avg"].standard_error or 0.0 for each in (before, now)]
    assert verdict.margin == pytest.approx(2 * math.hypot(*errors))
    assert "paired" not in verdict.message
    assert now.scores["swd.avg"].repeats == ()


def test_another_seed_is_told_where_it_chose_other_pictures(tmp_path: Path) -> None:
    real, fake = (write_set(tmp_path / f"{n}", pictures(n, 12)) for n in (0, 5))
    seeds = [
        evaluate(real, fake, metrics=["swd"], images=6, settings=replace(QUIET, seed=seed))
        for seed in (0, 1)
    ]
    (tmp_path / "base.json").write_bytes(report_json(seeds[0]))
    [verdict] = judge(seeds[1], Conditions(baseline=tmp_path / "base.json")).verdicts
    assert verdict.message.endswith("--seed, which chooses them, is 1 now and 0 in the baseline")
