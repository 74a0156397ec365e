"""From vectors to one number per picture: likeness to the subject, likeness to the prompt, variety, drift.

Every vector has unit length (`encoders`), so a product is a cosine. Only `diversity` is one number per set, and `entanglement` one per scene. Keep
the numbers per picture: means and their intervals are the business of `statistics`, which must know which
pictures share a prompt. Definitions: DreamBooth (arXiv 2208.12242) section 4; CLIPScore's factor 2.5 is nowhere in here.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from PIL import Image

NEAR_COPY = 0.97  # of two pictures' thumbnails


def subject_similarity_max(pictures: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Cosine of each picture to the reference that it is nearest to. [n, d], [m, d] -> [n]"""
    return _cosines(pictures, references).max(axis=1)


def subject_similarity_mean(pictures: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Mean cosine of each picture to all references: what DINO and CLIP-I mean in the papers' tables. [n, d], [m, d] -> [n]"""
    return _cosines(pictures, references).mean(axis=1)


def prompt_similarity(pictures: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Cosine of each picture to its own prompt (CLIP-T). Text i belongs to picture i. [n, d], [n, d] -> [n]"""
    return _paired_cosines(pictures, texts)


def diversity(pictures: np.ndarray) -> float:
    """Mean cosine over all pairs of the set, usually the pictures of one prompt. Lower is more varied. [n, d] -> number

    The n·n sum of cosines is the squared length of the vectors' sum; taking the n ones of the diagonal away leaves
    the pairs. n >= 2.
    """
    _check(pictures)
    n = len(pictures)
    if n < 2:
        raise ValueError(f"diversity is about pairs, and there is {n} picture; draw at least two for each prompt")
    total = pictures.astype(np.float64).sum(axis=0)
    return float((total @ total - n) / (n * (n - 1)))


def drift(pictures: np.ndarray, before: np.ndarray) -> np.ndarray:
    """How far training moved each picture: 1 - cosine to the base's of the same prompt and seed. [n, d], [n, d] -> [n]"""
    return 1.0 - _paired_cosines(pictures, before)


def entanglement(pictures: np.ndarray, scenes: Sequence[Hashable]) -> np.ndarray:
    """How much what a judge of identity sees depends on the scene: the mean cosine within a scene less that between two scenes.

    pictures  [n, d]; scenes  [n] labels. Scenes with one picture are left out; at least two others are needed
    returns   [scenes], whose mean is that difference, without any picture's cosine to itself

    DreamBooth names the failure context-appearance entanglement (arXiv 2208.12242, section 4.4): a subject that takes on the colours of its place. Of
    a subject that looks the same everywhere a judge that is blind to places sees 0; what a judge sees of the places themselves is measured on true
    pictures, and is the floor. Each scene counts in the second mean once for itself and once for its partners, so its value is within - 2 · between + the mean
    of the latter (Hoeffding's projection): resampling these values gives the interval that resampling scenes would.
    """
    _check(pictures)
    rows: dict[Hashable, list[int]] = {}
    for n, scene in enumerate(scenes):
        rows.setdefault(scene, []).append(n)
    several = [pictures[of].astype(np.float64) for of in rows.values() if len(of) > 1]
    if len(several) < 2:
        raise ValueError(f"entanglement compares scenes, and {len(several)} have two pictures")
    within = np.array([diversity(each) for each in several])
    means = np.stack([each.mean(axis=0) for each in several])
    others = (means.sum(axis=0) - means) / (len(means) - 1)
    between = np.einsum("sd,sd->s", means, others)
    return within - 2 * between + between.mean()


def identify(pictures: np.ndarray, candidates: Sequence[np.ndarray]) -> np.ndarray:
    """Which candidate each picture shows: the one with the highest mean cosine over its references.

    pictures    [n, d]
    candidates  k matrices [m, d], m may differ
    returns     [n], indices of candidates
    Means, not maxima: a candidate with more references has no better chance.
    """
    return np.stack([subject_similarity_mean(pictures, references) for references in candidates], axis=1).argmax(axis=1)


def alike(maps: np.ndarray) -> float:
    """How much words look at the same: mean correlation over pixels of all pairs of their attention maps. 1: one map for all. [words, pixels], words >= 2

    What DreamBlend (arXiv 2411.19390, figure 3) shows in pictures and calls the collapse of attention. Words share a pixel's attention with the sentence's
    beginning, so some correlation is always there: compare numbers of one prompt, not of two. A map without any contrast is like none: 0.
    """
    if maps.ndim != 2 or len(maps) < 2:
        raise ValueError(f"maps of shape {maps.shape}: pairs need two words or more, [words, pixels]")
    centred = maps - maps.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 1e-12)
    upper = np.triu_indices(len(maps), 1)
    return float((unit @ unit.T)[upper].mean())


def is_blank(picture: Image.Image) -> bool:
    """Whether a picture is one colour all over: what a safety checker or a NaN leaves. Count these and say how many."""
    return _rgb(picture).getcolors(1) is not None  # it stops at the second colour


def near_copies(pictures: np.ndarray, references: np.ndarray) -> list[tuple[int, int]]:
    """Pictures that are a reference over again, pixel by pixel: (picture, reference), by the correlation of thumbnails, mirrored or not.

    Light and contrast do not matter, place and outline do: another picture of the same subject is no copy. [n, 24, 24, 3], [m, 24, 24, 3]
    """
    if not len(pictures) or not len(references):
        return []
    shown = pictures.reshape(len(pictures), -1)
    views = (view.reshape(len(references), -1) for view in (references, references[:, :, ::-1]))
    likeness = np.maximum(*(shown @ view.T for view in views)) / shown.shape[1]
    return [(n, int(row.argmax())) for n, row in enumerate(likeness) if row.max() >= NEAR_COPY]


def thumbnail(image: Image.Image) -> np.ndarray:
    """[24, 24, 3], mean 0 and deviation 1; a picture of one colour is 0 everywhere and like nothing."""
    return standardized(shrunk(image)[None])[0]


def shrunk(image: Image.Image) -> np.ndarray:
    """[24, 24, 3], bytes"""
    return np.asarray(_rgb(image).resize((24, 24), Image.Resampling.BOX))


def standardized(small: np.ndarray) -> np.ndarray:
    """Thumbnails of what `shrunk` left of pictures. [n, 24, 24, 3] -> the same"""
    flat = small.reshape(len(small), -1).astype(np.float64)
    centred = flat - flat.mean(axis=1, keepdims=True)
    deviations = centred.std(axis=1, keepdims=True)
    return np.divide(centred, deviations, out=np.zeros_like(centred), where=deviations > 1).reshape(small.shape)


def _rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def _cosines(pictures: np.ndarray, references: np.ndarray) -> np.ndarray:
    _check(pictures)
    _check(references)
    if not len(references):
        raise ValueError("there is no reference to compare the pictures with")
    return pictures @ references.T


def _paired_cosines(pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
    _check(pictures)
    _check(others)
    if pictures.shape != others.shape:
        raise ValueError(f"each picture needs its own partner, but the shapes are {pictures.shape} and {others.shape}")
    return np.einsum("nd,nd->n", pictures, others)


def _check(vectors: np.ndarray) -> None:
    # NaN fails this too; it would otherwise pass through every mean unseen.
    if vectors.ndim != 2 or not np.all(np.abs(np.linalg.norm(vectors, axis=1) - 1) < 1e-3):
        raise ValueError(f"vectors of shape {vectors.shape} are not rows of unit length")
