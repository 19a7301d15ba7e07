"""What a build would do: its photographs, what is wanted of them, and what is known to be wrong."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pgan_toolkit.celebahq.ledger import Ledger, Row
from pgan_toolkit.celebahq.photographs import Photograph, PhotographSet, find_photographs
from pgan_toolkit.celebahq.selection import Wish
from pgan_toolkit.celebahq.settings import BuildSettings
from pgan_toolkit.celebahq.work import WorkerSettings, failed_row
from pgan_toolkit.celebahq.workspace import Workspace
from pgan_toolkit.errors import DataError, UsageError
from pgan_toolkit.storage import Place
from pgan_toolkit.storage.keys import KeyRegister

__all__ = ["BuildPlan", "plan_build"]

_FURTHER_FACE = re.compile(r"-face\d+$")


@dataclass(frozen=True, eq=False)
class BuildPlan:
    """What a build would do, before it does anything.

    Attributes
    ----------
    settings : BuildSettings
        Without "auto" for device and precision: what is recorded is what every worker does.
    source : PhotographSet
        The photographs that the selection can use.
    wish : Wish
        What is to be selected.
    problems : tuple of Row
        Photographs that are known to be unusable without opening them.
    """

    settings: BuildSettings
    source: PhotographSet
    wish: Wish
    problems: tuple[Row, ...]

    @property
    def keeps_all(self) -> bool:
        """Whether a scored photograph is as good as selected, so that it is rendered at once."""
        return self.wish.count is None or self.wish.count >= len(self.source)

    @property
    def workspace(self) -> Workspace:
        """The files beside the output."""
        return Workspace(self.settings.out)

    def claim(self, ledger: Ledger) -> None:
        """Record what this build's scores depend on, or refuse to mix them with others.

        Raises
        ------
        DataError
            The ledger was begun with other settings.
        """
        self._claim_place(ledger)
        facts = self.settings.scoring_facts(self.source.table)
        before = ledger.fact("settings")
        if before is None:
            ledger.set_fact("settings", json.dumps(facts))
            return
        begun = _begun(before, ledger=self.workspace.ledger)
        changed = [
            f"{name} was {begun.get(name)} and is now {facts.get(name)}"
            for name in sorted({*begun, *facts})
            if begun.get(name) != facts.get(name)
        ]
        if changed:
            raise DataError(
                f"{self.workspace.ledger}: begun with other settings: {'; '.join(changed)}. "
                "Use the same to go on, another --out, or --fresh to begin anew"
            )

    def _claim_place(self, ledger: Ledger) -> None:
        """Refuse the workspace of another remote output of the same name."""
        if isinstance(self.settings.out, Path):
            return
        out, before = str(self.settings.out), ledger.fact("out")
        if before is None:
            ledger.set_fact("out", out)
        elif before != out:
            raise DataError(
                f"{self.workspace.folder}: is the workspace of {before}; build {out} in another "
                "folder, or move this away"
            )

    def is_finished(self) -> bool:
        """Whether the output is there, whole, and what these settings make.

        Raises
        ------
        DataError
            It is another's, of other settings, or not whole.
        """
        output = self.workspace.output
        if output.is_made() and self.workspace.ledger.exists():
            with Ledger(self.workspace.ledger) as ledger:
                self.claim(ledger)  # another size is told before another count
        return output.is_finished(self.settings.selection_facts())

    def done_before(self) -> int | None:
        """Count the photographs that an earlier run has scored; None if the output is finished.

        Nothing is written.

        Raises
        ------
        DataError
            The output or the ledger is of another build.
        """
        if self.is_finished():
            return None
        if not self.workspace.ledger.exists():
            return 0
        with Ledger(self.workspace.ledger) as ledger:
            self.claim(ledger)
            return len(ledger.scored_photographs() & {p.key for p in self.source})

    def worker_settings(self) -> WorkerSettings:
        """Return what the workers need to know."""
        settings = self.settings
        return WorkerSettings(
            source=self.source.folder,
            profile=settings.profile,
            restorer=settings.restorer_spec,
            device=settings.device,
            precision=settings.precision,
            pipeline=settings.pipeline,
            output_size=settings.size,
            faces=settings.faces if settings.landmarks == "detect" else None,
            predictor=settings.predictor,
            restorer_identity=settings.open_restorer().identity,
            crops=self.workspace.crops,
            spools_all=self.keeps_all,
        )


def _begun(facts: str, *, ledger: Path) -> dict[str, object]:
    """What a ledger says that its build was begun with."""
    try:
        begun = json.loads(facts)
    except (RecursionError, ValueError) as error:
        raise DataError(
            f"{ledger}: its settings are damaged ({error}); use --fresh to begin anew"
        ) from error
    return begun if isinstance(begun, dict) else {}


def plan_build(settings: BuildSettings) -> BuildPlan:
    """Find the photographs and say what is to be done; nothing is written.

    Raises
    ------
    DataError
        The source is not usable: see `find_photographs`.
    UsageError
        The restorer or its device is unknown, or the output cannot be where it is wanted.
    """
    settings = settings.resolved()
    settings.open_restorer()
    Workspace(settings.out).output.refuse_unusable(settings.output_format)
    source = find_photographs(settings.src, landmarks=settings.landmarks)
    _refuse_output_among_photographs(settings, source)
    wish = settings.wish()
    if wish.order is not None:
        source = _restricted(source, wish.order)
    every_face = settings.landmarks == "detect" and settings.faces == "every"
    problems = tuple(_known_problems(source, every_face=every_face))
    return BuildPlan(settings, source, wish, problems)


def _refuse_output_among_photographs(settings: BuildSettings, source: PhotographSet) -> None:
    if _lies_in(settings.out.resolve(), source.folder.resolve()):
        raise UsageError(
            f"{settings.out}: lies among the photographs of {source.folder}, where the next build "
            "would find it; choose an --out outside"
        )


def _lies_in(place: Place, folder: Place) -> bool:
    if isinstance(place, Path):
        return isinstance(folder, Path) and place.is_relative_to(folder)
    return place.is_relative_to(folder)


def _restricted(source: PhotographSet, order: Sequence[str]) -> PhotographSet:
    """Only the listed photographs; those that are listed and missing become problems."""
    by_key = {photograph.key: photograph for photograph in source}
    chosen = tuple(
        by_key.get(key)
        or Photograph(
            key,
            source.folder / key,
            problem=f"no picture: {key} is listed, and {source.folder} has no such photograph",
        )
        for key in sorted(order)
    )
    return replace(source, photographs=chosen)


def _files_on_the_way(key: str) -> Iterator[str]:
    """Keys whose crop would have the name of a folder that the crop of this key needs."""
    parts = key.split("/")
    for depth in range(1, len(parts)):
        folder = "/".join(parts[:depth])
        if folder.endswith(".png"):
            yield folder.removesuffix(".png")


def _known_problems(source: PhotographSet, *, every_face: bool) -> Iterator[Row]:
    names = KeyRegister(str(source.folder))
    keys = {photograph.key for photograph in source}
    for photograph in source:
        problem = photograph.problem
        try:
            names.add(photograph.key, name=photograph.path.name)
        except DataError as error:
            problem = f"unusable name: {error}"
        taken = next((key for key in _files_on_the_way(photograph.key) if key in keys), None)
        if taken is not None:
            problem = f"unusable name: it needs a folder where the crop of {taken} has its file"
        first_face = _FURTHER_FACE.sub("", photograph.key)
        if every_face and first_face != photograph.key and first_face in keys:
            problem = f"unusable name: {photograph.key} is kept for a further face of another"
        if problem is not None:
            category = problem.partition(":")[0]
            known = category in ("no picture", "no landmarks", "unusable name")
            yield failed_row(photograph, category if known else "bad landmarks", problem)
