"""From the figures of all rounds to rows of a table, and the table as text."""
import statistics

# What products are computed in: the peak of its arithmetic, and how much work each product is.
PEAKS = {"f32": ("f32_tflops", 1), "bf16": ("bf16_tflops", 1), "int8": ("int8_tops", 1),
         "int8x2": ("int8_tops", 1.25)}  # a second digit in about a quarter of the blocks


class Figures:
    """values[(model, program index, Row)]: one figure a round."""

    def __init__(self, programs):
        self.programs = programs
        self.values = {}
        self.disturbed = 0  # runs from which other processes took too much
        self.quality = []  # rows of a table of its own: perplexity

    def add(self, model, program, row, value):
        self.values.setdefault((model, self.programs.index(program), row), []).append(value)

    def of(self, model, program, row):
        return self.values.get((model, self.programs.index(program), row))

    def rows(self, model):
        return list(dict.fromkeys(row for name, _, row in self.values if name == model))

    def models(self):
        return list(dict.fromkeys(name for name, _, _ in self.values))


def number(value):
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values):
    return f"{number(min(values))}-{number(max(values))}"


def limits_of(reports, threads):
    """Medians of what was measured between the runs, on a machine that nothing else loaded."""
    found = [r["limits"] for r in reports if r["threads"] == threads and not r["busy"]]
    return {k: statistics.median(f[k] for f in found) for k in found[0]} if found else {}


def step_of(report, row):
    """What Hearth says that a step of this row reads and computes, and how many tokens it makes."""
    if row.kind == "prompt":
        return report["prefill"].get("step"), row.tokens
    for entry in report["decode"]:
        if entry["batch"] == row.batch:
            return entry.get("step"), row.batch
    return None, 0


def report_of(reports, model, row):
    for r in reports:
        test = r["prefill"] if row.kind == "prompt" else r["decode"][0]
        if (r["model"] == model and r["threads"] == row.threads and test["tokens"] == row.tokens
                and test["depth"] == row.depth):
            if row.kind == "prompt" or step_of(r, row)[0]:
                return r
    return None


def limit_of(reports, model, row):
    """Tokens/s that the machine allows: the bytes at the bandwidth or the operations at the peak
    of what the products are computed in, whichever is slower. None where that is not known."""
    report = report_of(reports, model, row)
    if report is None or row.busy or row.part == "load":
        return None
    step, tokens = step_of(report, row)
    limits = limits_of(reports, row.threads)
    key, work = PEAKS.get(report.get("compute"), ("", 1))
    peak = limits.get(key, 0)
    if not step or not limits.get("read_gb_s"):
        return None
    read = step["weight_bytes"] + (step["cache_bytes"] if row.depth else 0)
    seconds = read / (limits["read_gb_s"] * 1e9)
    if peak:
        seconds = max(seconds, work * step["operations"] / (peak * 1e12))
    return tokens / seconds


def best_setting(figures, model, rival, row):
    """The programs of a rival that have this row, the better one first."""
    known = [p for p in figures.programs if p.rival == rival and figures.of(model, p, row)]
    return sorted(known, key=lambda p: statistics.median(figures.of(model, p, row)),
                  reverse=not row.less_is_better())


def rival_cells(figures, model, rival, row, ours):
    ranked = best_setting(figures, model, rival, row)
    if not ranked:
        return ["–", "–", "–"]
    best = figures.of(model, ranked[0], row)
    cell = f"{number(statistics.median(best))} {ranked[0].setting}"
    for other in ranked[1:]:
        cell += f", {number(statistics.median(figures.of(model, other, row)))} {other.setting}"
    pairs = list(zip(ours, best))
    ratios = [b / a if row.less_is_better() else a / b for a, b in pairs]
    return [cell, times_base(figures, model, ranked[0], row),
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"]


def times_base(figures, model, program, row):
    """The median over the rounds of the multiple of the base row."""
    base = figures.of(model, program, row.base())
    if row == row.base() or not base:
        return ""
    ratios = [value / b for value, b in zip(figures.of(model, program, row), base)]
    return f"{statistics.median(ratios):.2f}x"


def table_rows(figures):
    """[head, rows]; a column that says nothing in any row is left out."""
    rivals = list(dict.fromkeys(p.rival for p in figures.programs if p.rival))
    head = ["model", "what", "precision", "Hearth", "min-max", "of limit", "of base"]
    for rival in rivals:
        head += [rival, "of base", "ratio (min-max)"]
    rows = []
    for model in figures.models():
        for row in figures.rows(model):
            for ours in (p for p in figures.programs if p.rival is None):
                if figures.of(model, ours, row):
                    rows.append(one_row(figures, model, row, ours, rivals))
    used = [i for i in range(len(head)) if any(r[i] not in ("", "–") for r in rows)]
    return [head[i] for i in used], [[r[i] for i in used] for r in rows]


def one_row(figures, model, row, ours, rivals):
    values = figures.of(model, ours, row)
    limit = limit_of(ours.reports, str(model), row)
    median = statistics.median(values)
    cells = [model.name, row.label(), ours.setting, number(median), spread(values),
             f"{median / limit:.0%}" if limit else "", times_base(figures, model, ours, row)]
    for rival in rivals:
        cells += rival_cells(figures, model, rival, row, values)
    return cells


def markdown(head, rows):
    widths = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]
    lines = ["| " + " | ".join(str(c).ljust(w) for c, w in zip(r, widths)) + " |"
             for r in [head, *rows]]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    return "\n".join(lines)


def as_json(figures):
    """Every figure of every round, for other programs."""
    return [{"model": model.name, "program": figures.programs[p].rival or "Hearth",
             "setting": figures.programs[p].setting, "label": row.label(), **vars(row),
             "values": values, "median": statistics.median(values)}
            for (model, p, row), values in figures.values.items()]
