"""What the operating system refuses is told as its own error, whoever writes."""

import errno
from pathlib import Path

import pytest
import torch

from likeness.model.saving import save_tensors


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs a folder that nobody can write into")
def test_a_refused_file_is_an_error_of_the_system():
    with pytest.raises(OSError, match="weights.safetensors") as refused:
        save_tensors({"weight": torch.zeros(3)}, Path("/proc/self/fd/weights.safetensors"))
    assert refused.value.errno in (errno.ENOENT, errno.EACCES, errno.EPERM)
