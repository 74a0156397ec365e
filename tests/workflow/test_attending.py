"""Where words are looked for: the number against brute force, the maps against queries and keys, the panels and figures in the run."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from likeness.evaluation.metrics import alike
from likeness.files.errors import UserError
from likeness.model.base import Base
from likeness.model.trajectory import initial_latents, walk
from likeness.sampling.looking import looked, words_of
from likeness.sampling.options import Blend
from likeness.workflow.attending import attend, heat, table
from likeness.workflow.fitting import fit
from likeness.workflow.progress import Silent

PROMPT = "a sks dog on the beach"


def test_alike_is_the_mean_correlation_of_all_pairs():
    maps = np.random.default_rng(0).random((4, 9))
    pairs = [np.corrcoef(maps[a], maps[b])[0, 1] for a in range(4) for b in range(a)]
    assert alike(maps) == pytest.approx(np.mean(pairs))
    assert alike(maps[[0, 0, 0]] * [[1.0], [2.0], [3.0]]) == pytest.approx(1.0)  # collapsed: one map, however strong
    assert alike(np.array([[0.0, 1.0], [1.0, 0.0]])) == pytest.approx(-1.0)
    assert alike(np.ones((2, 4))) == 0.0
    with pytest.raises(ValueError, match="two words"):
        alike(np.ones((1, 4)))


@pytest.mark.parametrize("family", ["epsilon", "sdxl"])
def test_maps_are_the_words_shares_of_attention_at_each_step(family, tiny_folders):
    """From queries and keys themselves, at the last step's latents; a word of several pieces has all of theirs."""
    base = Base.open(str(tiny_folders[family]))
    said, unsaid = base.condition([PROMPT] * 2), base.condition([""] * 2)
    start = initial_latents(base, [0, 1])
    with torch.no_grad():
        before = [start, *(step.latents for step in walk(base, start, said, unsaid, 3, 4.0))]
    found = looked(base, walk(base, start, said, unsaid, 3, 4.0), PROMPT, 2)
    assert found.maps.shape == (3, 2, 6, 4, 4)
    torch.testing.assert_close(found.latents, before[-1], atol=1e-4, rtol=1e-4)  # the open softmax rounds otherwise than the fused one

    layers = {name: layer for name, layer in base.unet.named_modules() if name.endswith("attn2")}
    held: dict[str, torch.Tensor] = {}
    hooks = [getattr(layer, part).register_forward_hook(lambda m, g, out, key=name + part: held.__setitem__(key, out)) for name, layer in layers.items() for part in ("to_q", "to_k")]
    sampler = base.sampler()
    sampler.set_timesteps(3)
    with torch.no_grad():
        base.predict(before[2], sampler.timesteps[2].expand(2), said)
    for hook in hooks:
        hook.remove()
    each = []
    for name, layer in layers.items():
        query, key = (held[name + part].unflatten(-1, (layer.heads, -1)).transpose(1, 2) for part in ("to_q", "to_k"))
        each.append((query @ key.transpose(-1, -2) * layer.scale).softmax(-1).mean(1))
    mean = torch.stack([one for one in each if one.shape[1] == 16]).mean(0)
    wanted = [mean[..., where].sum(-1).unflatten(1, (4, 4)) for _, where in words_of(base, PROMPT)]
    np.testing.assert_allclose(found.maps[2], torch.stack(wanted, 1).numpy(), atol=1e-5)


def test_words_stand_where_the_text_encoder_reads_them(tiny_base):
    """Pieces and new words' rows have as many places; what is cut off has none."""
    tiny_base.add_word("<my-dog>", "dog", 3)
    prompt = "a <my-dog> zwx on the beach"
    ids = tiny_base.token_ids([prompt])[0].tolist()
    places = dict(words_of(tiny_base, prompt))
    assert [ids[n] for n in places["<my-dog>"]] == list(tiny_base.words["<my-dog>"]) and places["a"] == [1]
    assert "".join(tiny_base.tokenizer.convert_ids_to_tokens([ids[n] for n in places["zwx"]])) == "zwx</w>"
    assert sum(map(len, places.values())) == ids.index(tiny_base.tokenizer.eos_token_id) - 1
    assert "beach" not in dict(words_of(tiny_base, "dog " * 90 + "beach"))


def test_panels_and_figures_lie_in_the_run(quick_recipe, tmp_path):
    run = fit(quick_recipe(steps=2, checkpoints=(1,), prior_weight=0.0), tmp_path, Silent())
    columns = attend(run, "a {} on the beach", [0, 1], Silent(), [1, 2], guide=1, how=Blend(alpha=5.0))
    assert [column.title for column in columns] == ["base", "step 1", "step 2", "step 2 guided by 1"] == [line.split("  ")[0] for line in table(columns).splitlines()[1:]]
    assert columns[0].words == ["sks", "dog", "beach"]
    (figures,) = (run.path / "attention").glob("a-sks-dog-on-the-beach-*.json")
    kept = json.loads(figures.read_text())
    assert kept["panels"] == [f"{figures.stem}-checkpoints.png", f"{figures.stem}-steps.png"]
    assert all(Image.open(run.path / "attention" / name).size[0] > 128 for name in kept["panels"])
    for column, line in zip(columns, kept["columns"]):
        assert line["alike"]["value"] == pytest.approx(np.mean(line["over_steps"]), abs=1e-4) and line["alike"]["n"] == 2
        assert column.over_steps[0] != columns[0].over_steps[0] or column is columns[0]


def test_the_command_says_what_is_next(quick_recipe, tmp_path, likeness, capsys):
    run = fit(quick_recipe(steps=1, prior_weight=0.0), tmp_path, Silent())
    assert likeness("attention", run.path, "a {} on the beach", "--seeds", 0, "--guide", 0) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("step 1 guided by base") and lines[-1] == f"next: likeness report {run.path}"


def test_what_cannot_be_asked_is_refused(quick_recipe, tmp_path):
    run = fit(quick_recipe(steps=1, prior_weight=0.0), tmp_path, Silent())
    with pytest.raises(UserError, match="has one word"):
        attend(run, "the beach", [0], Silent(), [None])
    with pytest.raises(UserError, match="a step before"):
        attend(run, "a {} on the beach", [0], Silent(), [None], guide=1)
    with pytest.raises(UserError, match="1 to 8 seeds"):
        attend(run, "a {} on the beach", range(9), Silent(), [None])
    assert not (run.path / "attention").exists()


def test_heat_is_dark_at_nothing_and_bright_at_most():
    shown = np.asarray(heat(np.array([[0.0, 0.5], [0.5, 1.0]]), 64)).sum(axis=2)
    assert shown[0, 0] < 200 < shown[0, -1] < shown[-1, -1] and shown[-1, -1] > 600
    assert np.asarray(heat(np.zeros((2, 2)))).max() < 60
