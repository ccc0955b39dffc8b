#!/usr/bin/env python3
"""Sums test results into one line: `N passed, N failed, N skipped`.

    count_tests.py FOLDER...

Each FOLDER holds what one round of tests left: ctest.xml (`ctest --output-junit`), NAME.xml of each
GoogleTest program (`GTEST_OUTPUT=xml:FOLDER/`), and extra.tsv (status, name, reason) of what ran
outside ctest. A row of ctest that is a GoogleTest program counts as the tests in it, any other as
one. Failed and skipped tests are listed on stderr with their reason. Exit 1 when one failed.
"""
import collections
import pathlib
import sys
import xml.etree.ElementTree as xml

Outcome = collections.namedtuple("Outcome", "status name reason")


def gtest_outcomes(path):
    for case in xml.parse(path).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        failure, skip = case.find("failure"), case.find("skipped")
        if failure is not None:
            yield Outcome("failed", name, (failure.get("message") or "").split("\n")[0])
        elif skip is not None:
            reason = (skip.get("message") or "").strip().split("\n")
            yield Outcome("skipped", name, reason[-1])
        elif case.get("status") == "run":
            yield Outcome("passed", name, "")


def last_line(text):
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def ctest_outcomes(folder):
    path = folder / "ctest.xml"
    if not path.exists():
        yield Outcome("failed", folder.name, "ctest left no results: it did not run to its end")
        return
    for row in xml.parse(path).iter("testcase"):
        name, status = row.get("name"), row.get("status")
        output = row.findtext("system-out")
        cases = []
        if (folder / f"test_{name}.xml").exists():
            cases = list(gtest_outcomes(folder / f"test_{name}.xml"))
        yield from cases
        failed = status == "fail"
        if failed and not any(c.status == "failed" for c in cases):
            yield Outcome("failed", name, last_line(output) or "ended without a result")
        elif not cases and not failed:
            skipped = row.find("skipped") is not None or status in ("notrun", "disabled")
            reason = last_line(output)
            yield Outcome("skipped" if skipped else "passed", name, reason if skipped else "")


def extra_outcomes(folder):
    path = folder / "extra.tsv"
    for line in path.read_text().splitlines() if path.exists() else []:
        yield Outcome(*(line.split("\t") + ["", ""])[:3])


def main(folders):
    outcomes = []
    for folder in map(pathlib.Path, folders):
        found = list(extra_outcomes(folder))
        if not found or (folder / "ctest.xml").exists():
            found += ctest_outcomes(folder)
        if not found:
            found = [Outcome("failed", "round", "not one test ran")]
        outcomes += [o._replace(name=f"{folder.name}: {o.name}") for o in found]
    for status in ("skipped", "failed"):
        for o in outcomes:
            if o.status == status:
                print(f"{status}: {o.name}{': ' if o.reason else ''}{o.reason}", file=sys.stderr)
    count = collections.Counter(o.status for o in outcomes)
    sys.stderr.flush()
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not outcomes else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
