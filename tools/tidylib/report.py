"""The picture of the house: what `tools/tidy --report` prints. Counted from the files as they are,
so that it cannot be out of date."""
import collections
import json
import statistics

from . import rules
from .checks import folder_of

# The storeys of ARCHITECTURE.md, roof first, as they are drawn.
STOREYS = [
    ("roof", ["cli", "lib", "server", "api"]),
    ("data", ["accounts", "retrieval", "ingest", "registry", "store"]),
    ("models", ["planner", "eval", "train", "compress", "engine", "model", "arch", "nn"]),
    ("ground", ["kernels", "template", "tokenizer", "container", "encoding", "tensor", "fetch",
                "base"]),
]
OUTSIDE = ["tests", "tools", "bench", "web", "python"]


def percentile(values, share):
    """The nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)] if ordered else 0


def arrows_between(house):
    """{(from, to): number of includes} between folders of src/."""
    arrows = collections.Counter()
    for s in house.cpp():
        for _, name, quoted in s.includes:
            theirs = folder_of("src/" + name)
            if quoted and theirs != folder_of(s.path) and "src/" + name in house.by_path:
                arrows[folder_of(s.path), theirs] += 1
    return arrows


def public_headers(house):
    """Headers that another folder includes."""
    found = set()
    for s in house.cpp():
        for _, name, quoted in s.includes:
            if quoted and folder_of("src/" + name) != folder_of(s.path):
                found.add("src/" + name)
    return [house.by_path[p] for p in sorted(found) if p in house.by_path]


def share(sources):
    """Percent of the lines that hold anything which are only comment."""
    code = sum(s.counts[0] for s in sources)
    comment = sum(s.counts[1] for s in sources)
    return round(100 * comment / (code + comment), 1) if code + comment else 0.0


def row_of(name, sources, public):
    own = [s for s in sources if not s.is_test]
    functions = [f.lines for s in own for f in s.functions]
    return {
        "folder": name,
        "files": len(sources),
        "code": sum(s.counts[0] for s in own),
        "comment": sum(s.counts[1] for s in own),
        "test": sum(s.counts[0] for s in sources if s.is_test),
        "longest_file": max((s.text.count("\n") for s in own), default=0),
        "header_comment_share": share([s for s in public if s in sources]),
        "functions": len(functions),
        "function_median": statistics.median_low(functions) if functions else 0,
        "function_p90": percentile(functions, 90),
        "function_max": max(functions, default=0),
    }


def gather(house):
    public = public_headers(house)
    code = house.code()
    rows, groups = [], collections.defaultdict(list)
    for s in code:
        groups[folder_of(s.path) or s.path.split("/")[0]].append(s)
    order = [f for _, folders in STOREYS for f in folders] + OUTSIDE
    for name in order:
        if groups.get(name):
            rows.append(row_of(name, groups[name], public))
    house_code = [s for s in code if s.path.startswith("src/")]
    return {"folders": rows,
            "total": row_of("src, all", house_code, public),
            "everything": row_of("everything", code, public),
            "public_headers": len(public),
            "arrows": [{"from": a, "to": b, "includes": n}
                       for (a, b), n in sorted(arrows_between(house).items())]}


COLUMNS = [("folder", "folder"), ("files", "files"), ("code", "code"), ("comment", "comment"),
           ("test", "tests"), ("longest_file", "longest file"),
           ("header_comment_share", "header comment %"), ("functions", "functions"),
           ("function_median", "median"), ("function_p90", "p90"), ("function_max", "longest")]


def table(rows):
    cells = [[title for _, title in COLUMNS]] + [[str(r[key]) for key, _ in COLUMNS] for r in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(COLUMNS))]
    lines = []
    for row in cells:
        parts = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        lines.append("  ".join(parts).rstrip())
    lines.insert(1, "  ".join("-" * w for w in widths))
    return lines


def drawing(rows, arrows):
    """The storeys, each folder with a bar (one # for 100 lines of code) and what it includes."""
    code = {r["folder"]: r["code"] for r in rows}
    lines = []
    for storey, folders in STOREYS:
        present = [f for f in folders if f in code]
        if not present:
            continue
        lines.append(f"{storey} " + "-" * (92 - len(storey)))
        for folder in present:
            below = sorted({a["to"] for a in arrows if a["from"] == folder},
                           key=lambda f: list(rules.ARROWS).index(f))
            bar = "#" * max(1, round(code[folder] / 100))
            arrow = " -> " + " ".join(below) if below else ""
            lines.append(f"  {folder:<10} {bar}{arrow}")
    return lines


def tree(house):
    """Files of the folders of src/, wrapped."""
    folders = collections.defaultdict(list)
    for s in house.code():
        if s.path.startswith("src/") and not s.is_test:
            folders[s.folder].append(s.name)
    lines = []
    for folder in sorted(folders):
        names = collections.defaultdict(list)
        for name in folders[folder]:
            stem, _, suffix = name.rpartition(".")
            names[stem].append(suffix)
        text = f"{folder}/ "
        for stem in sorted(names):
            word = stem + "." + ",".join(sorted(names[stem], reverse=True))
            if len(text) + len(word) > 98:
                lines.append(text.rstrip())
                text = " " * 6
            text += word + " "
        lines.append(text.rstrip())
    return lines


def as_text(house):
    facts = gather(house)
    lines = ["The house (one # is 100 lines of code; -> what its files include)", ""]
    lines += drawing(facts["folders"], facts["arrows"])
    lines += ["", "Files", ""] + tree(house)
    lines += ["", "Lines without tests, and with what share of comment in the headers that other "
              "folders include", ""]
    lines += table(facts["folders"] + [facts["total"]])
    total = facts["total"]
    tests = facts["everything"]["test"]
    lines += ["", f"{facts['public_headers']} public headers, {total['header_comment_share']} % "
              f"comment; functions: median {total['function_median']}, p90 "
              f"{total['function_p90']}, longest {total['function_max']} lines; "
              f"{tests} lines of tests in all"]
    return "\n".join(lines)


def as_json(house):
    return json.dumps(gather(house), indent=1)
