"""likeness edit: a photo in, the subject in its place, everything that draws it again inside; and what is no photo is named."""

from __future__ import annotations

import pytest

from likeness.files.picture import read_settings


@pytest.fixture
def run(quick_recipe, tmp_path):
    from likeness.workflow.fitting import fit
    from likeness.workflow.progress import Silent

    return fit(quick_recipe(steps=1, prior_weight=0.0), tmp_path, Silent())


def test_a_photo_is_edited_and_knows_how(run, likeness, photo_folder, capsys):
    photo = photo_folder / "0.png"
    for _ in range(2):  # the second finds the first's
        assert likeness("edit", run.path, photo, "--prompt", "a {} in the snow", "--steps", 2, "--edit.strength", 0.5, "--blend.alpha", 3) == 0
    (saved,) = run.pictures()
    settings = read_settings(saved.path)
    assert settings == saved.settings and settings.prompt == "a sks dog in the snow" and saved.labels["model"] == "edited"
    assert settings.options["photo"] == "0.png" and settings.options["source"] == "a dog in the snow"
    assert (settings.options["strength"], settings.options["alpha"]) == (0.5, 3.0)
    assert "next: " in capsys.readouterr().out.splitlines()[-1]


def test_what_is_no_photo_is_named(run, likeness, photo_folder, tmp_path, capsys):
    (tmp_path / "cut.png").write_bytes((photo_folder / "0.png").read_bytes()[:90])
    (tmp_path / "empty.jpg").touch()
    cases = {
        tmp_path / "cut.png": "is damaged|is cut short", tmp_path / "empty.jpg": "is empty", tmp_path / "none.png": "may not be read",
        photo_folder: "is a folder. Give one picture", photo_folder / "0.txt": "is not a picture",
    }  # fmt: skip
    for path, says in cases.items():
        assert likeness("edit", run.path, path) == 2
        line = capsys.readouterr().err.strip().splitlines()[-1]
        assert any(part in line for part in says.split("|")) and str(path) in line, line
    assert likeness("edit", run.path, photo_folder / "0.png", "--prompt", "a dog") == 2
    assert "does not say the subject" in capsys.readouterr().err
    assert likeness("edit", run.path, photo_folder / "0.png", "--edit.strength", 0) == 2
    assert not run.pictures()
