"""One scenario with one number of threads: every proxy in turn, round by round."""

import dataclasses
import subprocess
import sys

from . import generators, proxies
from .bench import Bench
from .figures import Sample
from .proxies import NotYet, Proxy
from .scenarios import Scenario

#: Of the slowest proxy's saturated rate.
SHARE_OF_SATURATED = 0.7
#: Before the first round, not counted.
WARM_UP_SECONDS = 1


@dataclasses.dataclass
class Result:
    scenario: Scenario
    threads: int
    #: By proxy, one for each round.
    samples: dict[str, list[Sample]]
    #: Proxies that could not do it, and why.
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)
    #: Why it was not measured to its end.
    broken: str | None = None


def say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def run(bench: Bench, scenario: Scenario, threads: int) -> Result:
    present = {name: proxies.KINDS[name](bench, threads, scenario.tls) for name in scenario.proxies}
    result = Result(scenario, threads, {name: [] for name in present})
    say(f"{scenario.name}, {threads} thread{'' if threads == 1 else 's'}")
    try:
        if not scenario.fresh:
            each(present, result, lambda proxy: begin(bench, scenario, proxy, result))
        settle_rate(bench, scenario, present, result)
        for number in range(scenario.rounds(bench.rounds)):
            each(present, result, lambda proxy: measure(bench, scenario, proxy, result, number))
    except (RuntimeError, ValueError, OSError, subprocess.SubprocessError) as error:
        # The others may still be measured.
        result.broken = str(error)
        say(f"    FAILED: {error}")
    finally:
        for proxy in present.values():
            proxy.end()
    return result


def each(present: dict[str, Proxy], result: Result, do) -> None:
    """Without those that turn out not to be able to."""
    for name, proxy in present.copy().items():
        try:
            do(proxy)
        except NotYet as reason:
            say(f"    {name}: not yet: {reason}")
            result.missing[name] = str(reason)
            del result.samples[name]
            present.pop(name).end()


def begin(bench: Bench, scenario: Scenario, proxy: Proxy, result: Result) -> None:
    proxy.start()
    if scenario.tls:
        result.notes.append(f"{proxy.name} and its clients agreed on {generators.negotiated(bench, proxy)}.")
    if not scenario.saturated:
        scenario.measure(bench, proxy, WARM_UP_SECONDS)


def settle_rate(bench: Bench, scenario: Scenario, present: dict[str, Proxy], result: Result) -> None:
    if not scenario.saturated:
        return
    most = {name: scenario.saturated(bench, proxy, bench.seconds)["rate"] for name, proxy in present.items()}
    bench.rate = float(int(SHARE_OF_SATURATED * min(most.values())))
    each_can = ", ".join(f"{name} {rate:,.0f}" for name, rate in most.items())
    result.notes.append(f"{result.threads} thread{'' if result.threads == 1 else 's'}, saturated: {each_can} a second; 70 % of the slowest are {bench.rate:,.0f}.")


def measure(bench: Bench, scenario: Scenario, proxy: Proxy, result: Result, number: int) -> None:
    try:
        sample = scenario.measure(bench, proxy, bench.seconds)
    finally:
        if scenario.fresh:
            proxy.end()
    result.samples[proxy.name].append(sample)
    say(f"    round {number + 1}, {proxy.name}: " + ", ".join(f"{column.heading} {sample[column.figure]:.{column.decimals}f}" for column in scenario.columns))
