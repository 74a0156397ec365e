"""What to train of the toybox, and for how long."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """The folder that everything lies in, and the sizes of all stages.

    Parameters
    ----------
    folder
        Where pictures, checkpoints, samples and the result go.
    seed
        Same seed, machine and thread count: same weights.
    base_pictures
        Renders that the base learns from.
    judge_pictures
        Renders that the judges learn from.
    examiner_pictures
        Renders that the second judge of individuals learns from.
    large_pictures
        Renders of twice the size that the super-resolution stage learns from.
    vae_steps
        Steps of the autoencoder.
    text_steps
        Steps of the text encoder alone.
    unet_steps
        Steps of text encoder and U-Net together.
    unet_batch
        Pictures in each of these steps.
    decoder_steps
        Steps of the autoencoder's second half on what the U-Net makes.
    upscaler_steps
        Steps of the super-resolution stage.
    clip_steps
        Steps of the judge of words and pictures.
    dino_steps
        Steps of the judge of individuals.
    examiner_steps
        Steps of the second judge of individuals.
    workers
        Processes that draw pictures.
    device
        What the networks are trained on.
    start_from
        A toybox base to train further instead of beginning from nothing; its stages vae and text are skipped.
    judges_from
        A folder of judges to train further.
    """

    folder: Path = Path("pretraining")
    _: KW_ONLY
    seed: int = 0
    base_pictures: int = 160_000
    judge_pictures: int = 80_000
    examiner_pictures: int = 48_000
    large_pictures: int = 10_000
    vae_steps: int = 4500
    text_steps: int = 600
    unet_steps: int = 9000
    unet_batch: int = 64
    decoder_steps: int = 2000
    upscaler_steps: int = 8000
    clip_steps: int = 12_000
    dino_steps: int = 4000
    examiner_steps: int = 4000
    workers: int = 2
    device: str = "cpu"
    start_from: Path | None = None
    judges_from: Path | None = None

    @property
    def rendered(self) -> Path:
        return self.folder / "pictures"
