"""CelebA-HQ: landmarks, geometry, the per-photograph recipe, quality, the ledger, the build."""

from pgan_toolkit.celebahq.build import build_dataset
from pgan_toolkit.celebahq.detection import Face, FaceDetector
from pgan_toolkit.celebahq.geometry import CropPlan, crop_quad, plan_crop
from pgan_toolkit.celebahq.landmarks import (
    LandmarkTable,
    check_landmarks,
    read_landmarks,
    write_landmarks,
)
from pgan_toolkit.celebahq.ledger import Ledger, Row, Verdict
from pgan_toolkit.celebahq.page import build_html
from pgan_toolkit.celebahq.photographs import Photograph, PhotographSet, find_photographs
from pgan_toolkit.celebahq.plan import BuildPlan, plan_build
from pgan_toolkit.celebahq.quality import QualityReport, measure_quality, quality_score
from pgan_toolkit.celebahq.ranking import Ranking, ScoredPicture, UnreadablePicture, rank_pictures
from pgan_toolkit.celebahq.recipe import PROFILES, Profile, render_crop
from pgan_toolkit.celebahq.selection import Wish, select
from pgan_toolkit.celebahq.settings import BuildSettings
from pgan_toolkit.celebahq.status import BuildStatus, read_status
from pgan_toolkit.celebahq.summary import BuildSummary

__all__ = [
    "PROFILES",
    "BuildPlan",
    "BuildSettings",
    "BuildStatus",
    "BuildSummary",
    "CropPlan",
    "Face",
    "FaceDetector",
    "LandmarkTable",
    "Ledger",
    "Photograph",
    "PhotographSet",
    "Profile",
    "QualityReport",
    "Ranking",
    "Row",
    "ScoredPicture",
    "UnreadablePicture",
    "Verdict",
    "Wish",
    "build_dataset",
    "build_html",
    "check_landmarks",
    "crop_quad",
    "find_photographs",
    "measure_quality",
    "plan_build",
    "plan_crop",
    "quality_score",
    "rank_pictures",
    "read_landmarks",
    "read_status",
    "render_crop",
    "select",
    "write_landmarks",
]
