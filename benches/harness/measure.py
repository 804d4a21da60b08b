"""What a program costs: time, processor and memory of it and of the processes it starts, and the
same of a server.

Processor time comes from the kernel's own accounts. A program's is exact, as the kernel gives it
to the parent process; a server's is read from /proc, where the processes that have ended are in the
account of the one that started them.
"""

import os
import resource
import select
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MEGABYTE = 1_000_000


@dataclass
class Cost:
    """Seconds of wall clock and processor, and the largest process's peak of resident memory in
    bytes."""

    wall: float = 0.0
    cpu: float = 0.0
    rss: int = 0

    def __add__(self, other):
        """The cost of both, run one after the other."""
        return Cost(self.wall + other.wall, self.cpu + other.cpu, max(self.rss, other.rss))


class Failed(Exception):
    """A program failed."""


def stat(pid):
    """The fields of /proc/PID/stat after the name, or None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name may contain blanks and parentheses.
    return text[text.rindex(")") + 2 :].split()


def own_ticks(fields):
    return int(fields[11]) + int(fields[12])


def reaped_ticks(fields):
    return int(fields[13]) + int(fields[14])


def children(pid):
    try:
        return [
            int(child)
            for task in os.listdir(f"/proc/{pid}/task")
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []


def server_cpu(pid):
    """Processor seconds of a server's main process, its children, and its ended children."""
    first = stat(pid)
    if first is None:
        raise Failed(f"the server with process id {pid} has ended")
    living = [fields for fields in map(stat, children(pid)) if fields]
    return (
        own_ticks(first) + reaped_ticks(first) + sum(own_ticks(fields) for fields in living)
    ) / TICKS


def scheduled(pid):
    """Processor seconds of the threads of a process so far. Finer than the ticks of
    /proc/PID/stat."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def peak(pid):
    """The peak of resident memory of a process, in bytes."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def peak_of_tree(pid):
    return max([peak(pid), *map(peak_of_tree, children(pid))])


def run(command, env, log, stdin=None, accept=(0,)):
    """Runs a command to its end. Its output goes to the file `log`."""
    with open(log, "ab") as output, open(stdin or os.devnull, "rb") as given:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, env=env, stdin=given, stdout=output, stderr=output, start_new_session=True
        )
        try:
            cost = wait(process, begun)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    if process.returncode not in accept:
        last = Path(log).read_text(errors="replace")[-3000:]
        raise Failed(f"{command[0]} ended with code {process.returncode}:\n{last}")
    return cost


def wait(process, begun):
    """Waits for the end, and samples the memory in the meantime: often at first, less often in a
    long run."""
    rss = 0
    end = os.pidfd_open(process.pid)
    try:
        waiting = select.poll()
        waiting.register(end, select.POLLIN)
        while not waiting.poll(min(10 + 20 * (time.perf_counter() - begun), 200)):
            rss = max(rss, peak_of_tree(process.pid))
        wall = time.perf_counter() - begun
    finally:
        os.close(end)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # The kernel's figure is exact, but includes the time before exec, when the process was a copy
    # of this one. It is usable only if it is larger than this process ever was.
    ours = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if usage.ru_maxrss > ours:
        rss = max(rss, usage.ru_maxrss * 1024)
    return Cost(wall, usage.ru_utime + usage.ru_stime, rss)
