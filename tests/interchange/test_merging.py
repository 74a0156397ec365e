"""The closed form against an independent solution, and merged runs against what they were merged from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.interchange.merging import merge
from likeness.model.base import Base
from likeness.workflow.branching import branch
from likeness.workflow.fitting import fit, resume
from likeness.workflow.generating import generate
from likeness.workflow.merging import merge_runs
from likeness.workflow.progress import Silent
from likeness.workflow.stack import put_on, stage_types


def test_merging_is_the_constrained_least_squares():
    """Against the optimality conditions, solved as one linear system."""
    generator = torch.Generator().manual_seed(0)
    w, c, r = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (5, 3, 40))
    v = torch.randn(3, 5, generator=generator, dtype=torch.float64)
    (merged,), residuals = merge([w], [v], c, r)
    system = np.block([[2 * (r.T @ r).numpy(), c.T.numpy()], [c.numpy(), np.zeros((3, 3))]])
    right = np.vstack([2 * (r.T @ r @ w.T).numpy(), v.numpy()])
    np.testing.assert_allclose(merged.numpy(), np.linalg.solve(system, right)[:6].T, atol=1e-8)
    assert residuals.concepts < 1e-10 and residuals.ordinary > 0


def test_rows_that_are_alike_count_once():
    generator = torch.Generator().manual_seed(0)
    w, c, r, v = (torch.randn(n, m, generator=generator) for n, m in ((5, 6), (3, 6), (40, 6), (3, 5)))
    plain, _ = merge([w], [v], c, r)
    doubled, _ = merge([w], [torch.cat([v, v])], torch.cat([c, c * (1 + 1e-5)]), r)
    torch.testing.assert_close(plain[0], doubled[0])


def test_a_merge_goes_no_farther_than_it_may():
    """Two words that are nearly one and ask for opposite values: the exact solution moves without bound."""
    generator = torch.Generator().manual_seed(0)
    w, c, r, v = (torch.randn(n, m, generator=generator) for n, m in ((5, 6), (1, 6), (40, 6), (1, 5)))
    alike, opposite = torch.cat([c, c + 1e-3 * torch.randn(1, 6, generator=generator)]), torch.cat([v, -v])
    (exact,), told = merge([w], [opposite], alike, r)
    (near,), bounded = merge([w], [opposite], alike, r, farthest=3.0)
    assert told.exact and told.concepts < 1e-6 and (exact - w).norm() > 1000
    assert not bounded.exact and (near - w).norm() <= 3
    (same,), free = merge([w], [v], c, r, farthest=100.0)
    assert free.exact and torch.equal(same, merge([w], [v], c, r)[0][0])


@pytest.fixture
def trained(tiny_folder, photo_folder, tmp_path):
    def run(identifier: str, noun: str, method: str = "custom_diffusion", **options):
        stage = {"method": method, "steps": 4, "learning_rate": 1e-2, "prior_weight": 0.0, **options}
        subject = {"photos": photo_folder, "class_noun": noun, "identifier": identifier}
        return fit(recipe_from_dict({"base": str(tiny_folder), "subject": subject, "stages": [stage]}, stage_types()), tmp_path, Silent(), name=identifier)

    return run


@pytest.mark.parametrize("exact", [True, False])
def test_merged_runs_keep_each_its_subject(exact, trained, tiny_folder, tmp_path, monkeypatch):
    """A concept's own words get the keys and values of its own run, or where that is too far more of them than of the base's; and a run of both can be drawn."""
    if exact:
        monkeypatch.setattr("likeness.workflow.merging.merge", lambda *given: merge(*given[:4]))  # as far as it takes
    runs = [trained("one", "dog", augmentation=False), trained("two", "cat", augmentation=False, initializers=("cat",))]
    merged, residuals = merge_runs(runs, tmp_path / "merged", Silent())
    assert residuals.exact == exact and residuals.concepts < (1e-6 if exact else 0.1)
    both, alone, plain = (Base(tiny_folder, "tiny") for _ in range(3))
    put_on(both, merged.latest())
    put_on(alone, runs[1].latest())
    told, expected = both.condition(["<two> cat"]).states, alone.condition(["<two> cat"]).states
    torch.testing.assert_close(told, expected)
    for name, p in both.unet.named_parameters():
        if "attn2.to_k.weight" in name:
            theirs, before = alone.unet.get_parameter(name), plain.unet.get_parameter(name)
            off, off_before = ((told @ weight.T - expected @ theirs.T)[0, 1:4].norm() for weight in (p, before))
            assert off < 0.7 * off_before
            if exact:
                torch.testing.assert_close((told @ p.T)[0, 1:4], (expected @ theirs.T)[0, 1:4], atol=1e-4, rtol=1e-4)
    generate(merged, ["a {} next to a {2}"], [0], Silent(), steps=1, beside_base=False)
    assert merged.pictures()[0].settings.prompt == "a <one> dog next to a <two> cat"


def test_only_keys_and_values_can_be_merged(trained, tmp_path):
    kv = trained("one", "dog", augmentation=False)
    for other in (trained("two", "cat", augmentation=False, trained="all"), trained("three", "cat", method="dreambooth")):
        with pytest.raises(UserError, match="can be merged"):
            merge_runs([kv, other], tmp_path / "merged", Silent())


def test_a_merged_run_says_that_it_was_not_trained(trained, tmp_path):
    runs = [trained("one", "dog", augmentation=False), trained("two", "cat", augmentation=False)]
    merged, _ = merge_runs(runs, tmp_path / "merged", Silent())
    for action in (lambda: resume(merged, Silent()), lambda: branch(merged, {"steps": 9}, Silent())):
        with pytest.raises(UserError, match="was merged from"):
            action()
    with pytest.raises(UserError, match="of one subject each"):
        merge_runs([merged, runs[0]], tmp_path / "merged", Silent())
    with pytest.raises(UserError, match="two runs call theirs <one>"):
        merge_runs([runs[0], runs[0]], tmp_path / "merged", Silent())
