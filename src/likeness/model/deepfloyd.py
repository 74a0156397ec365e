"""What DeepFloyd IF's first stage does otherwise: pixels for latents, and T5 for its words.

As diffusers runs it (deep-floyd/IF). T5 is told where a prompt ends. Captions are read in lower case and without marks, as its pipeline cleans them, so
there is no room in them for new words such as <dog>.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffusers import UNet2DConditionModel
from torch import Tensor
from transformers import T5EncoderModel, T5Tokenizer

from ..files.errors import UserError
from .base import Base, load_network
from .denoiser import Conditioning, Pixels, with_fixed_variance

LENGTH = 77  # tokens that it was trained with; T5 itself would read more


class DeepFloyd(Pixels, Base):
    """A DeepFloyd IF pipeline of the first stage."""

    PICTURES = {"unet": UNet2DConditionModel}
    TEXT = {"text_encoder": T5EncoderModel}
    TOKENIZER = T5Tokenizer
    STEPS_OFFSET = None

    def __init__(self, folder: Path, name: str, device: str = "cpu"):
        super().__init__(folder, name, device)
        self.scheduler = with_fixed_variance(self.scheduler)

    def _text_encoder(self, kind: Any, folder: Path) -> Any:
        return load_network(kind, folder, dropout_rate=0.0)  # of T5's own, which would drop out wherever activations are computed twice

    def check_word(self, word: str) -> None:
        raise UserError(f"{self.name}: cannot learn a new word such as {word}, because captions lose their marks on the way to T5. Use dreambooth or lora, which name the subject by an ordinary word.")

    def token_ids(self, prompts: Sequence[str], number: int = 0) -> Tensor:
        return self._read(prompts).input_ids.to(self.device)

    def _read(self, prompts: Sequence[str]) -> Any:
        return self.tokenizer([cleaned(prompt) for prompt in prompts], padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt")

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        read = self._read(prompts)
        encoder = self.text_encoders["text_encoder"]
        return Conditioning(encoder(read.input_ids.to(self.device), attention_mask=read.attention_mask.to(self.device)).last_hidden_state)

    def cut_off(self, prompt: str) -> str:
        ids = self.tokenizer(cleaned(prompt), add_special_tokens=False).input_ids
        return str(self.tokenizer.decode(ids[LENGTH - 1 :]))

    def predict(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The noise; what else the network gives is the variance."""
        return self.unet(latents, timesteps, conditioning.states, timestep_cond=self._guidance(conditioning)).sample[:, : self.channels]


def cleaned(prompt: str) -> str:
    """A caption as the pipeline hands it to T5: of ordinary words nothing else is left of its cleaning."""
    return prompt.lower().strip()
