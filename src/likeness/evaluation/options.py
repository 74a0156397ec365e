"""What can be asked of a scoring: which encoders see the pictures. Reading this imports no torch."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ..files.recipe import Options


class Encoders(Options):
    """Encoders as folders or hub ids; none: the toybox's embedded judges, and no DINOv2."""

    clip: str | None = Field(default=None, description="CLIP encoder: folder or hub id. Default on the toybox: the embedded judge.")
    dino: str | None = Field(default=None, description="DINO encoder: folder or hub id. Default on the toybox: the embedded judge.")
    dinov2: str | None = Field(default=None, description="DINOv2 encoder, scored beside DINO since the two do not compare: folder or hub id. Default: none.")
    lpips: Path | None = Field(
        default=None, description="LPIPS's weights: a folder with torchvision's AlexNet and LPIPS's alex.pth, or one file with both. Default: a stand-in from DINO's feature maps."
    )
    aesthetic_head: Path | None = Field(
        default=None, description="File of a linear head on the CLIP encoder's vectors, scored as aesthetic: LAION's for ViT-L/14. Default: the embedded judge's, which knows spoilt pictures from whole ones; none beside another CLIP."
    )
