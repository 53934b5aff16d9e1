"""The processes of a run: started, measured in /proc, and ended whatever happens."""

import os
import pathlib
import signal
import subprocess

PROC = pathlib.Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1
PATIENCE = 10


class Children:
    """Every process that is started here, each with a process group of its own, so that all of it can be ended."""

    def __init__(self):
        self._running: list[subprocess.Popen] = []

    def start(self, command: list[str], **more) -> subprocess.Popen:
        # Told to end when this program is killed, too.
        process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *command], start_new_session=True, **{"stdin": subprocess.DEVNULL, **more})
        self._running.append(process)
        return process

    def output_of(self, command: list[str], timeout: float, **more) -> str:
        """Of a program that ends by itself: both its outputs."""
        process = self.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
        try:
            output, _ = process.communicate(timeout=timeout)
        finally:
            self.end(process)
        if process.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with {process.returncode}: {output.strip()[-500:]}")
        return output

    def end(self, process: subprocess.Popen) -> None:
        if process not in self._running:
            return
        if process.poll() is None:
            to_group(process.pid, signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                pass
        to_group(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
        self._running.remove(process)

    def end_all(self) -> None:
        for process in reversed(self._running.copy()):
            self.end(process)


def to_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def parse_stat(text: str) -> tuple[int, float]:
    """The parent's id and the processor seconds, of all threads, that a /proc/PID/stat tells."""
    fields = text.rpartition(")")[2].split()  # a program's name may hold anything
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS


def stats() -> dict[int, tuple[int, float]]:
    found = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = parse_stat((folder / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


def family(root: int, parents: dict[int, int]) -> list[int]:
    """A process and all that descend from it."""
    found = [root]
    for process in found:
        found.extend(child for child, parent in parents.items() if parent == process)
    return found


def family_of(root: int) -> list[int]:
    return family(root, {pid: parent for pid, (parent, _) in stats().items()})


def cpu_seconds(root: int) -> float:
    """What a process and its descendants have used so far."""
    all_stats = stats()
    members = family(root, {pid: parent for pid, (parent, _) in all_stats.items()})
    return sum(all_stats[pid][1] for pid in members if pid in all_stats)


def parse_rollup(text: str) -> tuple[int, int]:
    """RSS and PSS in bytes, of a /proc/PID/smaps_rollup."""
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(("Rss:", "Pss:"))}
    return sizes["Rss"], sizes["Pss"]


def memory(root: int) -> tuple[int, int]:
    """RSS and PSS in bytes, of a process and its descendants."""
    each = [parse_rollup((PROC / str(pid) / "smaps_rollup").read_text()) for pid in family_of(root)]
    return sum(rss for rss, _ in each), sum(pss for _, pss in each)


def machine_seconds() -> float:
    """What ran on the machine so far, and what its host took: user, nice, system, irq, softirq, steal."""
    fields = [int(field) for field in (PROC / "stat").read_text().splitlines()[0].split()[1:]]
    return sum(fields[index] for index in (0, 1, 2, 5, 6, 7)) / TICKS


def own_seconds() -> float:
    """What this program and all it started used so far, the ended ones included."""
    ended = os.times()
    return cpu_seconds(os.getpid()) + ended.children_user + ended.children_system
