"""Table of contents: the methods by command word. Import strings, so that reading the list loads no torch."""

METHODS = {
    "dreambooth": "likeness.methods.dreambooth:DreamBooth",
}
SENTENCES = {
    "dreambooth": "Train the whole U-Net on the photos, with prior preservation (arXiv 2208.12242).",
}
