import ctypes
import os

import pytest
import torch

import engine.compute.cpu.memory
import engine.compute.cpu.processor
import engine.compute.layers.linear
from engine.compute.cpu.memory import keep_few_products, keep_memory
from engine.compute.cpu.processor import has_amx, has_bf16, lacks, processor_name

CPUINFO = "processor\t: 0\nmodel name\t: Some Processor 9\nflags\t: fpu\n\nprocessor\t: 1\nmodel name\t: Other\n"


@pytest.fixture(autouse=True)
def anew():
    for cached in (processor_name, has_amx, has_bf16, lacks, keep_memory):
        cached.cache_clear()
    yield
    for cached in (processor_name, has_amx, has_bf16, lacks, keep_memory):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("machine", "checks", "capabilities", "expected"),
    [
        ("x86_64", (), {"avx2": True, "avx512_fp16": False}, {"bf16", "fp16"}),
        ("AMD64", ("_is_avx512_bf16_supported",), {"avx512_fp16": False}, {"fp16"}),
        ("x86_64", ("_is_amx_tile_supported",), {"avx512_fp16": True, "amx_fp16": False}, set()),
        ("x86_64", ("_is_avx512_bf16_supported",), {}, set()),  # torch says nothing of fp16
        ("aarch64", (), {"avx2": False}, set()),
    ],
)
def test_what_a_processor_lacks_is_said_only_if_it_is_known(monkeypatch, machine, checks, capabilities, expected):
    monkeypatch.setattr(engine.compute.cpu.processor.platform, "machine", lambda: machine)
    for check in engine.compute.cpu.processor._ARITHMETIC.values():
        monkeypatch.setattr(torch.cpu, check, lambda check=check: check in checks)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert {dtype for dtype in ("fp32", "fp16", "bf16", "int8", "fp8") if lacks(dtype)} == expected


@pytest.mark.parametrize(
    ("has", "expected"),
    [
        ((), "AVX2"),
        (("_is_vnni_supported",), "AVX2, VNNI"),
        (("_is_amx_tile_supported", "_is_vnni_supported"), "AVX2, AMX, VNNI"),
    ],
)
def test_it_is_named_with_its_arithmetic(monkeypatch, tmp_path, has, expected):
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    monkeypatch.setattr(engine.compute.cpu.processor, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    for check in engine.compute.cpu.processor._ARITHMETIC.values():
        monkeypatch.setattr(torch.cpu, check, lambda check=check: check in has)
    assert processor_name() == f"Some Processor 9 ({expected})"


@pytest.mark.parametrize(
    ("has", "expected"),
    [("_is_vnni_supported", False), ("_is_avx512_bf16_supported", True), ("_is_amx_tile_supported", True)],
)
def test_bf16_is_an_instruction_of_some(monkeypatch, has, expected):
    for check in engine.compute.cpu.processor._ARITHMETIC.values():
        monkeypatch.setattr(torch.cpu, check, lambda check=check: check == has)
    assert has_bf16() is expected
    assert has_amx() is (has == "_is_amx_tile_supported")


def test_a_torch_that_does_not_say_has_no_more_arithmetic(monkeypatch, tmp_path):
    monkeypatch.setattr(engine.compute.cpu.processor, "_CPUINFO", tmp_path / "none")
    for check in engine.compute.cpu.processor._ARITHMETIC.values():
        monkeypatch.delattr(torch.cpu, check)
    assert processor_name().endswith(f" ({torch.backends.cpu.get_cpu_capability()})")


def test_large_blocks_are_kept_once(monkeypatch):
    calls = []

    class Library:
        def __init__(self, name):
            assert name is None

        @staticmethod
        def mallopt(parameter, value):
            calls.append((parameter, value))
            return 1

    monkeypatch.setattr(ctypes, "CDLL", Library)
    keep_memory()
    keep_memory()
    assert calls == [(-3, 1 << 30), (-1, 1 << 30)]


def test_caches_of_products_are_bounded_unless_the_user_did(monkeypatch):
    monkeypatch.setenv("LRU_CACHE_CAPACITY", "9")
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY")  # set when the products were imported
    keep_few_products()
    assert (os.environ["LRU_CACHE_CAPACITY"], os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]) == ("9", "256")


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    keep_memory()
