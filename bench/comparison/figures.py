"""Medians, ratios and what they are to be."""

import dataclasses
import math
import statistics

#: Figures of one measurement by name. The scenario says which is the main one.
Sample = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Aim:
    """What our main figure may be: so many times a peer's, or, without a peer, so much."""

    at_most: float
    peer: str | None = None
    #: What has to do when the aim is missed.
    least: float | None = None


def median(samples: list[Sample], name: str) -> float:
    return statistics.median(sample[name] for sample in samples)


def ratios(ours: list[Sample], theirs: list[Sample], name: str) -> list[float]:
    """Round by round, so that a machine that gets slower meanwhile does not count."""
    return [one[name] / other[name] for one, other in zip(ours, theirs) if other[name] > 0]


def verdict(value: float, aim: Aim | None) -> str:
    if aim is None:
        return "–"
    if value <= aim.at_most:
        return "yes"
    if aim.least is not None and value <= aim.least:
        return "the least only"
    return "NO"


def wanted(aim: Aim | None, decimals: int = 2) -> str:
    if aim is None:
        return "–"
    least = "" if aim.least is None else f", the least {aim.least:.{decimals}f}"
    return f"{aim.at_most:.{decimals}f}{least}"


def percentile(ordered: list[float], share: float) -> float:
    """Of figures in ascending order: the smallest that so large a share does not exceed. Of none, 0."""
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else 0.0
