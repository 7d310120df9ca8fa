"""Kernels that start in a moment: forks of one process that has imported the large packages.

Importing torch, pandas and seaborn is about half of the work of executing a page.  Inside ``with warm_kernels(...)`` one
process does it for all: :class:`WarmProvisioner`, which Jupyter finds by its entry point and its environment variable, asks
it for a fork in place of a new process.  Where there is none (not on Linux, on another machine, when it was killed) kernels
start as they always do.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning import LocalProvisioner

# Packages of others only: this project's own code may change while the process lives.
_IMPORTED = ("torch", "pandas", "scipy.stats", "matplotlib.pyplot", "seaborn", "plotly.graph_objects", "ipykernel.kernelapp")
_NAME, _ADDRESS = "lossbook-warm", "LOSSBOOK_KERNELS"
_REQUEST_BYTES = 1 << 20


@contextlib.contextmanager
def warm_kernels(address: Path) -> Iterator[dict[str, str]]:
    """Environment variables for processes that shall start their kernels as forks of one process.

    Args:
        address: path of the process's socket, relative to the folder that all of them work in (Linux allows 106 letters).
    """
    # Forks are safe on Linux only; an old installation has no entry point.
    if sys.platform != "linux" or not entry_points(group="jupyter_client.kernel_provisioners", name=_NAME):
        yield {}
        return
    address.unlink(missing_ok=True)
    # The server ends when its standard input closes, so also when this process is killed; Ctrl-C does not reach it.
    command = [sys.executable, "-m", __name__, str(address)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as server:
        try:
            yield {"JUPYTER_DEFAULT_PROVISIONER_NAME": _NAME, _ADDRESS: str(address)}
        finally:
            server.kill()
            address.unlink(missing_ok=True)


class _Fork:
    """The part of ``subprocess.Popen`` that :class:`LocalProvisioner` uses.

    The connection is open as long as the kernel and its client live: each side sees the other's end as its closing.
    """

    stdin = stdout = stderr = None

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.connection, self.pid = connection, pid

    def poll(self) -> int | None:
        return 0 if select.select([self.connection], [], [], 0)[0] else None

    def wait(self) -> int:
        select.select([self.connection], [], [])
        self.connection.close()
        return 0

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def _ask(command: list[str], directory: str, environment: dict[str, str]) -> _Fork | None:
    """A kernel forked for ``python ... -m module arguments``; None where there is nobody to ask."""
    if "SLURM_JOB_ID" in environment:
        return None  # the kernel must be a process of the job
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    request = {"arguments": command[command.index("-m") + 1 :], "directory": directory, "environment": environment}
    try:
        connection.connect(os.environ[_ADDRESS])
        socket.send_fds(connection, [json.dumps(request).encode()], [1, 2])
        return _Fork(connection, int(connection.recv(32)))
    except (OSError, ValueError):  # nobody listens, or no longer
        connection.close()
        return None


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by a fork of the process of :func:`warm_kernels`, or as usual if there is none."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        directory = str(kwargs.get("cwd") or Path.cwd())
        fork = _ask(cmd, directory, kwargs["env"])
        if fork is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process, self.cwd = fork, directory
        self.pid = self.pgid = fork.pid
        return self.connection_info


def _serve(address: str) -> None:
    """Fork a kernel for everybody who asks, until the standard input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    # Set before the imports that read them: ipykernel ends with the process named here, matplotlib takes its backend.
    os.environ["JPY_PARENT_PID"] = str(os.getpid())
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        try:
            listener.bind(f"{address}~")
        except OSError as error:  # a file system without sockets, or a full one
            sys.exit(f"kernels start one by one: no socket can be made at {address} ({error.strerror})")
        listener.listen()
        Path(f"{address}~").rename(address)  # where there is an address, somebody listens
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            for name in _IMPORTED:  # at the first request: a build that has nothing to do needs no kernel
                importlib.import_module(name)
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _become_kernel(connection)
            connection.close()


def _become_kernel(connection: socket.socket) -> None:
    """Do what was asked for, and never return."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        text, descriptors, _, _ = socket.recv_fds(connection, _REQUEST_BYTES, 2)
        request = json.loads(text)
        for number, descriptor in enumerate(descriptors, start=1):
            os.dup2(descriptor, number)
        os.chdir(request["directory"])
        os.environ.clear()
        os.environ.update(request["environment"])
        connection.send(str(os.getpid()).encode())
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        sys.argv = request["arguments"]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _end_with(connection: socket.socket) -> None:
    """End this kernel when its client was killed: nobody would read what it finds."""
    connection.recv(1)
    os._exit(1)


if __name__ == "__main__":
    _serve(sys.argv[1])
