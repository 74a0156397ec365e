"""Scores of a subject's pictures, one by one, as the benchmarks write them down."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from likeness.evaluation import metrics
from likeness.files.run_folder import RunFolder
from likeness.workflow.looking import Judges
from likeness.workflow.truth import candidates_for
from likeness.world.subjects import NamedSubject


class Judged:
    """What pictures of one subject are held against: its photos, and ten others of the same words."""

    def __init__(self, subject: NamedSubject, run: RunFolder, judges: Judges):
        photos = [photo.image for photo in run.photos() if photo.image]
        self.judges, self.references, self.shown = judges, judges.dino.pictures(photos), judges.clip.pictures(photos)
        self.candidates = candidates_for(subject, judges, self.references)

    def scores(self, pictures: Sequence[Image.Image], said: Sequence[str]) -> dict[str, list[float]]:
        """Likeness (DINO, CLIP-I), obedience (CLIP-T; `said` has the class noun), looks, and whether the name is found, of each picture."""
        seen, shown = self.judges.dino.pictures(pictures), self.judges.clip.pictures(pictures)
        found = {
            "dino": metrics.subject_similarity_mean(seen, self.references), "clip_i": metrics.subject_similarity_mean(shown, self.shown),
            "clip_t": metrics.prompt_similarity(shown, self.judges.clip.texts(said)),
            **({"aesthetic": self.judges.aesthetic.scores(shown)} if self.judges.aesthetic else {}), "named": (metrics.identify(seen, self.candidates) == 0).astype(float),
        }  # fmt: skip
        return {name: np.round(each, 4).tolist() for name, each in found.items()}
