"""Names of devices and of kinds of numbers."""

import pytest
import torch

import loupe
from loupe.errors import ConfigError, OutOfMemoryError
from loupe.models.device import device_of, dtype_of, in_numbers, rounded, shared, within_memory


def test_what_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of() == device_of("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of() == device_of("cuda") == "cuda" and device_of("cuda:1") == "cuda:1"
    with pytest.raises(ConfigError, match="got cuda:2, expected cpu, cuda:0, cuda:1"):
        device_of("cuda:2")


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError, match="no such device: got cuda, expected cpu"):
        device_of("cuda")
    with pytest.raises(ConfigError, match="unknown device: got 'gpu'"):
        device_of("gpu")


def test_workers_share_the_cards(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert shared("cuda:1", 1) == ("cuda:1", 0.0) and shared("cpu", 8) == ("cpu", 0.0)
    assert shared("cuda", 2) == ("cuda", 1.0) and shared("cuda:1", 8) == ("cuda", 0.25)


@pytest.mark.parametrize("full", [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
                                  RuntimeError("CUDA error: out of memory"), None])
def test_a_full_device_teaches_and_lets_go(full):
    @within_memory
    def ask():
        if full is not None:
            raise full
        return torch.empty(10**15)  # the CPU's own words

    with pytest.raises(OutOfMemoryError, match="rows=") as caught:
        ask()
    assert caught.value.__context__ is None  # it would hold what was computed


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        within_memory(torch.mm)(torch.zeros(2, 3), torch.zeros(2, 3))


def test_kinds_of_numbers():
    assert dtype_of("bfloat16") is torch.bfloat16 and dtype_of(torch.float16) is torch.float16
    with pytest.raises(ConfigError, match="did you mean 'float16'"):
        dtype_of("flot16")
    with pytest.raises(ConfigError, match="unknown kind of numbers"):
        dtype_of("int8")


def test_other_numbers_are_another_model():
    linear = torch.nn.Linear(2, 2)
    assert rounded(linear) == {} and rounded(in_numbers(linear, torch.bfloat16)) == {"dtype": "bfloat16"}
    mini = loupe.load("mini", device="cpu")
    before = mini.identity
    in_numbers(mini.vlm, torch.bfloat16)
    assert mini.identity == before | {"dtype": "bfloat16"}
