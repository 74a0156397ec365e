"""The one loop under faults: numbers that are not finite, and memory that runs out."""

from __future__ import annotations

import math
import weakref
from dataclasses import replace
from itertools import islice

import pytest
import torch

from likeness.files.errors import UserError
from likeness.files.subject import prepare_photos
from likeness.learning.method import Subject, micro_batch
from likeness.learning.training import Diverged, make_optimizer, train
from likeness.methods.dreambooth import DreamBooth, Spec


@pytest.fixture
def prepared(tiny_folder, photo_folder):
    from likeness.model.base import Base

    def method_and_batches(steps: int = 4, **options):
        spec = Spec(steps=steps, learning_rate=1e-3, class_pictures=4, class_steps=2, **options)
        method = DreamBooth(spec, Base(tiny_folder, "tiny"))
        photos = [p.image for p in prepare_photos(photo_folder, 16) if p.image]
        return method, list(islice(method.batches([Subject(photos, "dog", "sks")], 0, 0), steps))

    return method_and_batches


def poison(method, batches, what: str, value: float, steps: set[int]):
    """Batches that put `value` into latents, loss or gradient at some steps, by hooks of torch."""
    now = [0]

    def put(tensor):
        return tensor * value if now[0] in steps else tensor

    if what == "loss":
        method.base.unet.conv_out.register_forward_hook(lambda module, given, output: put(output))
    if what == "gradient":
        method.base.unet.conv_in.weight.register_hook(put)
    for step, (batch,) in enumerate(batches, start=1):
        now[0] = step
        photos = replace(batch.photos, latents=put(batch.photos.latents)) if what == "latents" else batch.photos
        yield [replace(batch, photos=photos)]


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("what", ["latents", "loss", "gradient"])
def test_a_step_that_is_not_finite_is_skipped(what, value, prepared):
    """T14: before the optimizer, whose moments it would spoil for ever."""
    method, batches = prepared()
    optimizer = make_optimizer(method, method.spec)
    weights, skipped = [method.weights()], []
    for trained in train(method, optimizer, method.spec, poison(method, batches, what, value, {2}), 0, 0):
        weights.append(method.weights())
        skipped.append(trained.skipped is not None)
    assert skipped == [False, True, False, False]
    unchanged = [all(torch.equal(a[name], b[name]) for name in a) for a, b in zip(weights, weights[1:])]
    assert unchanged == skipped
    assert all(value.isfinite().all() for value in weights[-1].values())
    assert all(torch.as_tensor(v).isfinite().all() for entry in optimizer.state.values() for v in entry.values())


def test_three_in_a_row_end_the_training(prepared):
    """T14. Two in a row do not."""
    method, batches = prepared(steps=8)
    steps = []
    with pytest.raises(Diverged, match="step 7: .*3 times in a row.*--learning-rate"):
        for trained in train(method, make_optimizer(method, method.spec), method.spec, poison(method, batches, "loss", math.nan, {2, 3, 5, 6, 7}), 0, 0):
            steps.append(trained.step)
    assert steps == [1, 2, 3, 4, 5, 6, 7]
    assert all(value.isfinite().all() for value in method.weights().values())


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
]


def room_for(method, rows: int, error: Exception) -> list[int]:
    """A network that runs out of memory on more rows than these; the rows that it was given."""
    given = []

    def refuse(module, arguments):
        given.append(len(arguments[0]))
        if given[-1] > rows:
            raise error

    method.base.unet.mid_block.register_forward_pre_hook(refuse)
    return given


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_out_of_memory_halves_the_micro_batch_and_changes_no_gradient(error, prepared):
    """T22. SGD, since AdamW divides by gradients that may be 1e-9."""
    results = {}
    for rows in (8, 2):
        method, batches = prepared(steps=2, batch_size=4)
        given = room_for(method, rows, error)
        optimizer = torch.optim.SGD(method.parameter_groups(), lr=1e-3)
        results[rows] = list(train(method, optimizer, method.spec, iter(batches), 0, 0)), method.weights()
    assert given == [8, 4, 2, 2, 2, 2] * 2
    for whole, halved in zip(results[8][0], results[2][0]):
        assert halved.losses == pytest.approx(whole.losses, rel=1e-5)
        assert halved.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-4)
    for name, value in results[8][1].items():
        torch.testing.assert_close(results[2][1][name], value, rtol=1e-5, atol=1e-6)


def test_out_of_memory_once_is_forgotten(prepared):
    """The next step tries the whole batch again."""
    method, batches = prepared(steps=2, batch_size=4)
    given, whole = [], []

    def once(module, arguments):
        given.append(len(arguments[0]))
        if len(given) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    method.base.unet.mid_block.register_forward_pre_hook(once)
    whole = list(train(method, make_optimizer(method, method.spec), method.spec, iter(batches), 0, 0))
    assert given == [8, 4, 4, 8] and not any(trained.skipped for trained in whole)


def test_what_a_failed_pass_held_is_gone_before_the_next(prepared):
    """Memory runs out where gradients are made: with the whole batch's graph alive its halves would not fit either."""
    method, batches = prepared(steps=1, batch_size=4)
    loss, passes, alive = method.loss, [], []

    def refuse(gradient):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    def watched(batch):
        alive.append(any(of() is not None for of in passes))
        found = loss(batch)
        if not passes:
            found["photos" if "photos" in found else next(iter(found))].register_hook(refuse)
        passes.extend(weakref.ref(value) for value in found.values())
        return found

    method.loss = watched
    (trained,) = train(method, make_optimizer(method, method.spec), method.spec, iter(batches), 0, 0)
    assert alive[:2] == [False, False] and len(alive) == 3 and not trained.skipped


def test_out_of_memory_with_one_photo_is_one_clear_line(prepared):
    method, batches = prepared(batch_size=1)
    before = method.weights()
    room_for(method, 1, torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(UserError, match="step 1: out of memory with a single photo.*--gradient-checkpointing") as refused:
        list(train(method, make_optimizer(method, method.spec), method.spec, iter(batches), 0, 0))
    assert "\n" not in str(refused.value)
    assert all(torch.equal(before[name], value) for name, value in method.weights().items())


def test_other_errors_are_not_swallowed(prepared):
    method, batches = prepared()
    room_for(method, 0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        list(train(method, make_optimizer(method, method.spec), method.spec, iter(batches), 0, 0))


def test_a_child_of_fewer_parts_a_step_meets_none_of_its_parents_noise():
    parent = {micro_batch(0, step, part).initial_seed() for step in range(10) for part in range(4)}
    child = {micro_batch(0, step, 0).initial_seed() for step in range(10, 50)}
    assert len(parent) == 40 and not parent & child


def test_class_photos_need_neither_captions_nor_frames(tiny_folder, photo_folder):
    from likeness.model.base import Base

    photos = [p.image for p in prepare_photos(photo_folder, 16) if p.image]
    method = DreamBooth(Spec(steps=1, prior_weight=1.0), Base(tiny_folder, "tiny"))
    (batch,) = next(method.batches([Subject(photos, "dog", "sks", class_photos=photos)], 0, 0))
    assert batch.prior.prompts == ("a photo of a dog",) * len(batch.prior.prompts)
