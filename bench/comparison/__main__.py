"""Measures what it is told, prints tables on standard output and progress on standard error."""

import argparse
import pathlib
import resource
import signal
import sys
import tempfile

from . import rounds, scenarios, tables
from .bench import Bench
from .processes import Children

#: Of --quick.
QUICK_IDLE_CONNECTIONS = 1000
#: For ten thousand visitors, and as many again.
OPEN_FILES = 65536


class Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"bench/compare: {message}; see bench/compare --help\n")


def names(text: str) -> list[str]:
    wanted = [name for part in text.split(",") for name in scenarios.GROUPS.get(part, (part,))]
    unknown = [name for name in wanted if name not in scenarios.BY_NAME]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no scenario '{unknown[0]}', there are {', '.join(scenarios.BY_NAME)}")
    return list(dict.fromkeys(wanted))


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1")
    return int(text)


def threads(text: str) -> list[int]:
    return [positive(part) for part in text.split(",")]


def options(arguments: list[str]) -> argparse.Namespace:
    parser = Parser(add_help=False)
    parser.add_argument("--only", type=names, default=list(scenarios.BY_NAME))
    parser.add_argument("--threads", type=threads, default=None)
    parser.add_argument("--rounds", type=positive, default=None)
    parser.add_argument("--seconds", type=positive, default=None)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--release", type=pathlib.Path, default=pathlib.Path("target/release"))
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()))
    chosen = parser.parse_args(arguments)
    usual = ([1], 1, 1) if chosen.quick else ([1, 2], 5, 8)
    chosen.threads, chosen.rounds, chosen.seconds = (given or default for given, default in zip((chosen.threads, chosen.rounds, chosen.seconds), usual))
    return chosen


def raise_open_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(OPEN_FILES, most), max(OPEN_FILES, most)))
    except (ValueError, PermissionError):  # only root goes beyond
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def interrupted(*_):
    raise KeyboardInterrupt


def measure(chosen: argparse.Namespace) -> list[rounds.Result]:
    children = Children()
    with tempfile.TemporaryDirectory(prefix="proxima-compare-", dir=chosen.folder) as folder:
        bench = Bench(pathlib.Path(folder), chosen.release.resolve(), children, chosen.seconds, chosen.rounds)
        if chosen.quick:
            bench.idle_connections = QUICK_IDLE_CONNECTIONS
        try:
            bench.prepare()
            return [rounds.run(bench, scenarios.BY_NAME[name], count) for name in chosen.only for count in chosen.threads]
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # nothing stops the tidying
            children.end_all()


def main() -> int:
    chosen = options(sys.argv[1:])
    if chosen.check:
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    raise_open_files()
    try:
        results = measure(chosen)
    except KeyboardInterrupt:
        return 130
    except (RuntimeError, ValueError, OSError) as error:
        print(f"bench/compare: {error}", file=sys.stderr)
        return 1
    print(tables.markdown(results))
    return 3 if tables.faults(results) else 0


if __name__ == "__main__":
    sys.exit(main())
