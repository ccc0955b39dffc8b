"""Statistics of latencies. Pure."""
import math


def percentile(values, share):
    """The least value that `share` of them (0 to 1) do not exceed; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def gaps(times):
    """The time between each and the next."""
    return [b - a for a, b in zip(times, times[1:])]


def gaps_between(times, start, end):
    """The gaps that end within (start, end]: a stall belongs to the time at which it ends, and one
    that is still going on at `end` counts as far as it has come."""
    found = [b - a for a, b in zip(times, times[1:]) if start < b <= end]
    before = [t for t in times if t <= end]
    if before and before[-1] < times[-1] and end - before[-1] > 0:
        found.append(end - before[-1])
    return found


def slope(points):
    """The least-squares slope of (x, y) points; 0 of fewer than two."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
