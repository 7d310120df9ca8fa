"""One comparison: time, memory and values of ours beside a peer's, on one thread.

A *side* takes a meter, prepares itself, does everything that counts inside ``with meter:``, and returns the values
to compare.  The two sides take turns, so that a slow spell of the machine hits both.
"""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # keeps the profiler quiet
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Values = tuple[Tensor, ...]
Side = Callable[[AbstractContextManager], Values]


def whole(function: Callable[[], Values]) -> Side:
    """A side of which everything counts."""

    def side(meter: AbstractContextManager) -> Values:
        with meter:
            return function()

    return side


def compare(
    case: str,
    peer: str,
    ours: Side,
    theirs: Side,
    items: int,
    error: Callable[[Values, Values], float] | None = None,
    repeats: int = 5,
    goals: dict[str, float] | None = None,
) -> dict[str, Any]:
    """Measure two sides: one warm-up each, the memory once, then the median time of ``repeats`` runs each.

    Args:
        case: what is measured.
        peer: what it is compared with.
        ours: our side.
        theirs: the peer's side.
        items: samples that one run goes through.
        error: difference of the two sides' values; default :func:`relative_error`.
        repeats: timed runs of each side, at least 5.
        goals: what the row should keep to at most: ``time`` and ``memory`` (ratios), ``error`` (of the values).

    Returns:
        A row: ratios are ours / peer, so below 1 is less time or memory than the peer.  Time is the process's CPU time
        (wall time on a GPU), memory the peak of what torch newly holds while the side runs, its results included.
    """
    if repeats < 5:
        raise ValueError(f"expected at least 5 repeats, got {repeats}")
    torch.set_num_threads(1)
    sides = (ours, theirs)
    value_error = (error or relative_error)(*(_run(side, elapsed)[0] for side in sides))
    bytes_ours, bytes_peer = (_run(side, _peak_bytes)[1] for side in sides)
    seconds = [[_run(side, elapsed)[1] for side in sides] for _ in range(repeats)]
    seconds_ours, seconds_peer = map(statistics.median, zip(*seconds, strict=True))
    return {
        "case": case,
        "peer": peer,
        "time_ratio": float(f"{seconds_ours / seconds_peer:.4g}"),
        "memory_ratio": float(f"{bytes_ours / bytes_peer:.4g}"),
        "ours_ms": round(seconds_ours * 1e3, 3),
        "peer_ms": round(seconds_peer * 1e3, 3),
        "ours_mib": round(bytes_ours / 2**20, 3),
        "peer_mib": round(bytes_peer / 2**20, 3),
        "value_error": float(f"{value_error:.2e}"),
        "items": items,
        "device": torch.cuda.get_device_name(DEVICE) if DEVICE.type == "cuda" else "cpu",
        "machine": processor(),
        "features": features(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "repeats": repeats,
        **{f"{what}_goal": most for what, most in (goals or {}).items()},
    }


def relative_error(ours: Values, theirs: Values) -> float:
    """The largest of |ours - theirs| / |theirs| over the values, each a Euclidean norm in float64."""
    pairs = zip(ours, theirs, strict=True)
    return max(float(_norm(a - b) / _norm(b).clamp_min(torch.finfo(torch.float64).tiny)) for a, b in pairs)


def incomparable(ours: Values, theirs: Values) -> float:
    """NaN, for a peer that computes something else and is compared in time only."""
    return math.nan


def _norm(values: Tensor) -> Tensor:
    return torch.linalg.vector_norm(values.detach(), dtype=torch.float64)


def _run(side: Side, meter: Callable[[list[float]], AbstractContextManager]) -> tuple[Values, float]:
    """The side's values and what the meter read."""
    reading: list[float] = []
    values = side(meter(reading))
    return values, reading[0]


@contextmanager
def elapsed(reading: list[float]) -> Iterator[None]:
    """Appends the seconds inside: the process's CPU time, on a GPU those on the clock."""
    on_gpu = DEVICE.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    if on_gpu:
        torch.cuda.synchronize()
    start = clock()
    yield
    if on_gpu:
        torch.cuda.synchronize()
    reading.append(clock() - start)


@contextmanager
def _peak_bytes(reading: list[float]) -> Iterator[None]:
    """On the CPU the peak of the running sum over the profiler's allocations (+) and frees (-)."""
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield
        reading.append(torch.cuda.max_memory_allocated() - before)
        return
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        yield
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    held = peak = 0
    for event in sorted((e for e in events if e.get("name") == "[memory]"), key=lambda e: e["ts"]):
        held += event["args"]["Bytes"]
        peak = max(peak, held)
    reading.append(peak)


def processor() -> str:
    """The processor's model name; never the host's."""
    return _cpu_info("model name") or platform.processor() or platform.machine()


def features() -> str:
    """Which of the instructions that decide about speed the processor has, for example ``avx2 avx512f amx_bf16``."""
    found = _cpu_info("flags").split()
    return " ".join(name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in found)


def _cpu_info(key: str) -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")
