"""A process with limits in which files from outside are decoded.

Image decoders are C code that has had holes. The child has no network where the system allows
that, limited memory, processor time and file size, and dies with its parent.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aigc_models.base import Fault, InputError

RESULT = "result.json"
MEMORY = 3 * 2**30
SECONDS_WITHOUT_PROGRESS = 30
_FILE_SIZE = 16 * 2**30
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "HOME", "SYSTEMROOT", "LD_LIBRARY_PATH")
_CLONE_NEWUSER, _CLONE_NEWNET, _PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 0x10000000, 0x40000000, 1, 38


def run_confined(module: str, request: Mapping[str, Any], progress: Callable[[int, int], None]) -> None:
    """Run ``python -m module`` with a request in JSON; it prints "done total" lines as it goes.

    Args:
        module: A module whose main guard calls :func:`confine` first.
        request: What to do; the child writes its results to files named there.
        progress: Called for each line; what it raises ends the child.

    Raises:
        InputError: The child was stopped by a limit or crashed.
    """
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", module, json.dumps(dict(request))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            text=True,
        )
        assert child.stdout is not None
        try:
            for line in child.stdout:
                done, total = map(int, line.split())
                progress(done, total)
            child.wait()
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        if child.returncode != 0:
            errors.seek(0)
            raise _explain(child.returncode, errors.read()[-4000:])


def _explain(code: int, errors: str) -> Exception:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        sentence = "Reading the file took more than {seconds} s for one step. It may be damaged or made to harm."
        return InputError(Fault(sentence, {"seconds": SECONDS_WITHOUT_PROGRESS}, code="reading-too-slow"))
    if "MemoryError" in errors:
        sentence = "Reading the file needs more than {limit} MiB of memory. Put less into one file."
        return InputError(Fault(sentence, {"limit": MEMORY // 2**20}, code="reading-too-large"))
    if code < 0:
        sentence = "The file crashed the program that reads it (signal {signal}). It may be damaged or made to harm."
        return InputError(Fault(sentence, {"signal": -code}, code="broken-file"))
    return RuntimeError(f"The decoding process ended with code {code}:\n{errors}")


def confine() -> None:
    """Give up in this process what decoding does not need; called before any file is opened."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    # Without root's privileges a namespace of its own gives what is needed; root would lose access to files by it.
    libc.unshare(_CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET)
    _limit(resource.RLIMIT_AS, MEMORY)
    _limit(resource.RLIMIT_FSIZE, _FILE_SIZE)
    _limit(resource.RLIMIT_CORE, 0)
    extend_time()


def extend_time() -> None:
    """Allow another :data:`SECONDS_WITHOUT_PROGRESS` of processor time from now."""
    if sys.platform == "linux":
        _limit(resource.RLIMIT_CPU, int(time.process_time()) + SECONDS_WITHOUT_PROGRESS, soft_only=True)


def answer(request: Mapping[str, Any], read: Callable[[Mapping[str, Any], Callable[[int, int], None]], Any]) -> None:
    """What a confined module does in its main guard: read an upload within limits, and write the result or the faults.

    Args:
        request: ``work`` is where :data:`RESULT` goes.
        read: Reads what the request names and gives its counts; it is told what to call as it goes.
    """
    confine()
    warnings.simplefilter("ignore")
    try:
        result = read(request, _beat)
    except InputError as error:
        result = {"faults": [asdict(fault) for fault in error.faults]}
    (Path(request["work"]) / RESULT).write_text(json.dumps(result), encoding="utf-8")


def _beat(done: int, total: int) -> None:
    extend_time()
    print(done, total, flush=True)


def _limit(kind: int, value: int, *, soft_only: bool = False) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (value, hard if soft_only else value))
