#!/usr/bin/env python3
"""Runs the tests of the Jinja2 package against Hearth's Jinja.

    jinja_suite.py --program build/release/src/template/template_render_requests [--source FOLDER]
        [--list]

The tests come from Jinja2's source package (FOLDER, or fetched by pip) and run under pytest, which
pip brings where it is missing. Each template that they compile from a string is compiled by Hearth
too, and each rendering of one whose context can be JSON is Hearth's: the test judges that text, and
an error must be an error on both sides. What chat templates cannot have (loaders, host objects,
async, settings of the environment) stays with Python and is counted with its reason. Exit status 1
when a test differs that DIFFERENCES does not explain, or one of its entries no longer does.
"""
import argparse
import collections
import math
import os
import pathlib
import subprocess
import sys

from jinja_templates import Hearth
from support.sources import FOLDER, source_package

VERSION = "3.1.6"
# Tests of parts that never render a template from a string.
IGNORED = {
    "test_async.py": "async", "test_async_filters.py": "async",
    "test_bytecode_cache.py": "bytecode", "test_loader.py": "loader",
}
# Tests whose text differs from Python's, each with its reason.
DIFFERENCES = {}


def bring(name):
    """A package that the test needs, put beside the sources where it is not installed."""
    try:
        __import__(name)
    except ImportError:
        target = FOLDER / "python"
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target),
                        name], capture_output=True)
        sys.path.insert(0, str(target))


def is_json(value):
    if value is None or type(value) in (bool, str):
        return True
    if type(value) is int:
        return abs(value) < 1 << 63
    if type(value) is float:
        return math.isfinite(value)
    if type(value) in (list, tuple):
        return all(is_json(item) for item in value)
    if type(value) is dict:
        return all(type(key) is str and is_json(item) for key, item in value.items())
    return False


class Suite:
    """A pytest plugin: puts Hearth in the place of rendering and keeps the books."""

    def __init__(self, hearth):
        import jinja2
        from jinja2 import defaults
        self.hearth, self.jinja2, self.defaults = hearth, jinja2, defaults
        self.used, self.reasons, self.problems = 0, set(), []
        self.holds, self.partly, self.apart = [], [], collections.Counter()
        self.differ, self.broken = {}, {}
        self.patch()

    def patch(self):
        suite, Environment = self, self.jinja2.Environment
        Template = self.jinja2.Template
        from_string, render = Environment.from_string, Template.render

        def compile_both(env, source, globals=None, template_class=None):
            reason = suite.unfit(env, source, globals)
            answer = {} if reason else suite.hearth.ask(source, **suite.settings(env))
            try:
                template = from_string(env, source, globals, template_class)
            except suite.jinja2.TemplateError:
                if reason:
                    suite.reasons.add(reason)
                else:
                    suite.used += 1
                    if "error" not in answer:
                        suite.problems.append(f"{source!r} compiles here, not in Python")
                raise
            if "error" in answer:
                suite.problems.append(f"{source!r}: {answer['error']}")
            template.hearth_source, template.hearth_reason = source, reason
            return template

        def render_both(template, *args, **kwargs):
            source = getattr(template, "hearth_source", None)
            reason = getattr(template, "hearth_reason", "loader")
            reason = reason or suite.unfit(template.environment, source, None)
            if set(template.globals) - set(suite.defaults.DEFAULT_NAMESPACE):
                reason = "globals of the host"
            context = dict(*args, **kwargs)
            if not reason and not is_json(context):
                reason = "host objects in the context"
            if reason:
                suite.reasons.add(reason)
                return render(template, *args, **kwargs)
            return suite.rendered(template, render, context)

        Environment.from_string, Template.render = compile_both, render_both

    def settings(self, env):
        return {"trim_blocks": env.trim_blocks, "lstrip_blocks": env.lstrip_blocks,
                "keep_trailing_newline": env.keep_trailing_newline}

    def unfit(self, env, source, names):
        """Why a template cannot be Hearth's; None where it can."""
        defaults, sandbox = self.defaults, self.jinja2.sandbox
        classes = (self.jinja2.Environment, sandbox.SandboxedEnvironment,
                   sandbox.ImmutableSandboxedEnvironment)
        marks = [env.block_start_string, env.block_end_string, env.variable_start_string,
                 env.variable_end_string, env.comment_start_string, env.comment_end_string,
                 env.line_statement_prefix, env.line_comment_prefix]
        extensions = set(env.extensions) - {"jinja2.ext.LoopControlExtension"}
        rules = [
            (type(env) not in classes, "a class of environment of its own"),
            (not isinstance(source, str), "a syntax tree, not text"),
            (env.is_async, "async"),
            (marks != ["{%", "%}", "{{", "}}", "{#", "#}", None, None], "other delimiters"),
            (env.newline_sequence != "\n", "other newlines"),
            (env.autoescape or "{% autoescape" in str(source), "autoescape"),
            (getattr(env, "intercepted_binops", None) or getattr(env, "intercepted_unops", None),
             "operators of the host"),
            (env.finalize, "finalize"),
            (env.undefined is not self.jinja2.Undefined, "another class of undefined values"),
            (extensions, "extensions: " + ", ".join(sorted(
                name.rpartition(".")[2] for name in extensions))),
            (set(env.filters) != set(defaults.DEFAULT_FILTERS), "filters of the host"),
            (set(env.tests) != set(self.tests()), "tests of the host"),
            (names or set(env.globals) != set(defaults.DEFAULT_NAMESPACE), "globals of the host"),
            (env.policies != defaults.DEFAULT_POLICIES, "policies"),
            (env.loader, "loader"),
            ("|random" in str(source), "random numbers"),
            ("l.pop()" in str(source), "lists that change, which the sandbox refuses"),
        ]
        return next((reason for holds, reason in rules if holds), None)

    def tests(self):
        return self.defaults.DEFAULT_TESTS

    def rendered(self, template, render, context):
        self.used += 1
        source = template.hearth_source
        answer = self.hearth.ask(source, context, **self.settings(template.environment))
        try:
            text = render(template, **context)
        except Exception:
            if "error" not in answer:
                self.problems.append(f"{source!r} prints {answer['text']!r}, an error in Python")
            raise
        if answer.get("text") != text:
            self.problems.append(f"{source!r} prints {answer.get('text', answer.get('error'))!r}, "
                                 f"in Python {text!r}")
        return answer.get("text", "")

    # ---- hooks of pytest

    def pytest_runtest_setup(self, item):
        self.used, self.reasons, self.problems = 0, set(), []

    def pytest_runtest_logreport(self, report):
        if report.when != "call":
            return
        name = report.nodeid
        if self.problems:
            self.differ[name] = self.problems
        elif report.failed:
            self.broken[name] = str(report.longrepr)[-600:]
        elif self.used:
            (self.partly if self.reasons else self.holds).append(name)
        else:
            self.apart.update(self.reasons or {"no template from a string is rendered"})

    def report(self, everything):
        print(f"{len(self.holds)} tests hold, {len(self.partly)} hold where they apply")
        print(f"{sum(self.apart.values())} do not apply:")
        for reason, count in self.apart.most_common():
            print(f"    {count:4} {reason}")
        known = {name: problems for name, problems in self.differ.items() if name in DIFFERENCES}
        print(f"{len(known)} differ for a reason:")
        for name in known:
            print(f"    {name}: {DIFFERENCES[name]}")
        bad = 0
        for name in sorted(set(DIFFERENCES) - set(self.differ)):
            bad += 1
            print(f"{name} is listed as different and is not")
        for name, problems in self.differ.items():
            if name in DIFFERENCES and not everything:
                continue
            bad += name not in DIFFERENCES
            print(f"DIFFERS {name}")
            for problem in problems[:4]:
                print(f"        {problem[:1500]}")
        for name, text in self.broken.items():
            bad += 1
            print(f"FAILS {name}\n{text}")
        return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--source", help="the folder of Jinja2's source package")
    parser.add_argument("--list", action="store_true", help="show the known differences too")
    args = parser.parse_args()
    program = pathlib.Path(args.program).resolve()
    folder = pathlib.Path(args.source) if args.source else source_package("jinja2", VERSION)
    bring("pytest")
    bring("markupsafe")
    try:
        import pytest
    except ImportError:
        folder = None
    if folder is None:
        print("skipped: Jinja2's source package or pytest could not be fetched")
        sys.exit(77)
    sys.path.insert(0, str(folder.resolve() / "src"))
    os.chdir(folder)
    suite = Suite(Hearth(program))
    import jinja2
    if pathlib.Path(jinja2.__file__).parent != folder.resolve() / "src" / "jinja2":
        sys.exit("another jinja2 than that of the source package was imported")
    ignored = [f"--ignore=tests/{name}" for name in IGNORED]
    pytest.main(["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", "--tb=short",
                 "tests", *ignored], plugins=[suite])
    for name, reason in IGNORED.items():
        text = (pathlib.Path("tests") / name).read_text(encoding="utf-8")
        suite.apart[reason] += text.count("def test")
    bad = suite.report(args.list)
    sys.exit(1 if bad or not suite.holds else 0)


if __name__ == "__main__":
    main()
