#!/usr/bin/env python3
"""Tests of tools/tidy: the lexer and the function finder on hard cases, and every check on a small
repository that breaks its rule once (a check that finds nothing there is broken)."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from tidylib import checks, headers, report, rules  # noqa: E402 (the path comes first)
from tidylib.source import cpp_functions, split_code  # noqa: E402


def functions(text):
    return [(f.name, f.line, f.lines) for f in cpp_functions(split_code(text)[0])]


class Lexer(unittest.TestCase):
    def code(self, text):
        code, comments = split_code(text)
        self.assertEqual(len(code), len(text))
        self.assertEqual(code.count("\n"), text.count("\n"))
        self.assertEqual(len(comments), len(text))
        return code

    def test_comments_go(self):
        self.assertEqual(self.code("a // b\nc /* d\n */ e").split(), ["a", "c", "e"])
        self.assertEqual(self.code("a // b \\\n still comment\nc").split(), ["a", "c"])

    def test_comment_marks_in_literals_stay_out(self):
        self.assertEqual(self.code('x = "// no"; y').split(), ["x", "=", '"', '";', "y"])
        self.assertEqual(self.code('x = "\\"/*"; y').split()[-1], "y")
        self.assertEqual(self.code("c = '\"'; d = '\\''; e // f").split()[-1], "e")

    def test_raw_strings(self):
        self.assertEqual(self.code('R"(a "quoted" // b)" + x').split()[-2:], ["+", "x"])
        self.assertEqual(self.code('R"end( )" )end"; y // z').split()[-1], "y")
        self.assertEqual(self.code('u8R"(\n/*\n)"; y').split()[-1], "y")

    def test_digit_separators_are_no_characters(self):
        self.assertEqual(self.code("n = 1'000'000; // x\nm = 0xFF'FFu;").split(),
                         ["n", "=", "1'000'000;", "m", "=", "0xFF'FFu;"])

    def test_comments_are_found(self):
        self.assertEqual(split_code('a = "//"; // why')[1].strip(), "// why")


class Functions(unittest.TestCase):
    def test_plain(self):
        self.assertEqual(functions("int f(int a) {\n  if (a) { g(); }\n  return a;\n}\n"),
                         [("f", 1, 4)])

    def test_scopes(self):
        text = ("namespace a {\nclass B : public C {\n public:\n  int f() const { return 1; }\n"
                "};\n}")
        self.assertEqual(functions(text), [("f", 4, 1)])

    def test_constructor_lists(self):
        text = "A::A(int x)\n    : B{x}, c_(x),\n      d_{1, 2} {\n  go();\n}\n"
        self.assertEqual(functions(text), [("A::A", 1, 5)])
        self.assertEqual(functions("A::A() : a_(1) {}"), [("A::A", 1, 1)])

    def test_no_function(self):
        self.assertEqual(functions("const int t[] = {1, 2};\nenum class E { a, b };\n"
                                   "struct S { int x = 1; };\nint y{3};"), [])

    def test_defaults_lambdas_operators(self):
        self.assertEqual(functions("int f(A a = {}, B b = B{1}) {\n}\n"), [("f", 1, 2)])
        self.assertEqual(functions("void f() {\n  auto g = [](int x) {\n    return x;\n  };\n}"),
                         [("f", 1, 5)])
        self.assertEqual([n for n, _, _ in functions(
            "bool operator==(A a) const { return 1; }\nvoid operator()(int) {}\n"
            "explicit operator bool() const { return 1; }")],
            ["operator==", "operator()", "operator bool"])

    def test_attributes_templates_tests(self):
        self.assertEqual(functions('__attribute__((target("avx2")))\nstatic void f(int a) {\n}'),
                         [("f", 1, 3)])
        self.assertEqual(functions("template <class T>\n  requires C<T>\nResult<T> f(T t) {\n}"),
                         [("f", 1, 4)])
        self.assertEqual(functions("TEST(Reader, StopsAtEnd) {\n}\n"),
                         [("TEST(Reader, StopsAtEnd)", 1, 2)])

    def test_conditional_braces(self):
        text = "void f() {\n#ifdef A\n  if (a) {\n#else\n  if (b) {\n#endif\n  }\n}\nint g() {}\n"
        self.assertEqual(functions(text), [("f", 1, 8), ("g", 9, 1)])


LONG = "void f() {\n" + "  g();\n" * rules.FUNCTION_LINES_MAX + "}\n"
CLEAN = {
    "src/base/README.md": "base\n",
    "src/base/CMakeLists.txt": "hearth_library(base SOURCES a.cc)\n",
    "src/base/a.h": "#pragma once\n\nint answer();\n",
    "src/base/a.cc": '#include "base/a.h"\n\nint answer() { return 42; }  // no call: abort()\n',
    "tools/tidy_ratchet.txt": "# long functions\n",
}
LEFT_OVER = rules.LEFT_OVERS[0]
# check -> files that break it, and a piece of the message that must come.
BROKEN = {
    "arrows": ({"src/base/b.h": '#pragma once\n#include "nn/x.h"\n',
                "src/nn/x.h": "#pragma once\n"},
               "src/base/b.h:2: base/ may not include nn/"),
    "one_home": ({"src/base/b.h": "#pragma once\n#include <nlohmann/json.hpp>\n"},
                 "src/base/b.h:2: <nlohmann/json.hpp> belongs only in"),
    "line_length": ({"src/base/a.h": "#pragma once\n// " + "x" * 98 + "\n"},
                    "src/base/a.h:2: 101 columns"),
    "whitespace": ({"src/base/a.h": "#pragma once \n"}, "src/base/a.h:1: remove the blanks"),
    "function_length": ({"src/base/a.cc": LONG}, "src/base/a.cc:1: f has 62 lines, 60 are allowed"),
    "banned_calls": ({"src/base/a.cc": "int f() {\n  return std::stoi(text);\n}\n"},
                     "src/base/a.cc:2: stoi() is not used here"),
    "dead_files": ({"src/base/b.cc": "int f() { return 1; }\n"},
                   "src/base/b.cc:1: no CMakeLists.txt lists it"),
    "left_overs": ({"src/base/a.h": f"#pragma once\n// {LEFT_OVER}: more\n"}, "src/base/a.h:2:"),
    "large_files": ({"big.bin": "x" * (rules.TRACKED_BYTES_MAX + 1)}, "big.bin:1: 1048577 bytes"),
    "readmes": ({"src/nn/x.h": "#pragma once\n"}, "src/nn/README.md:1: is missing"),
    "test_names": ({"src/base/a.cc": "TEST(A, B) {\n}\n"}, "src/base/a.cc:1: a file with tests"),
    "pragma_once": ({"src/base/a.h": "int answer();\n"}, "src/base/a.h:1: add #pragma once"),
    "compile_alone": ({"src/base/a.h": "#pragma once\nstd::string f();\n"},
                      "src/base/a.h:1: does not compile alone"),
}


class Checks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)
        self.write(CLEAN)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, files):
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)

    def problems(self, name):
        check = {f.__name__: f for f in [*checks.CHECKS, headers.compile_alone]}[name]
        return [f"{p.path}:{p.line}: {p.message}" for p in check(checks.House(self.root))]

    def test_every_check_has_a_case(self):
        self.assertEqual(set(BROKEN), {f.__name__ for f in checks.CHECKS} | {"compile_alone"})

    def test_clean_passes_and_broken_fails(self):
        for name, (files, message) in BROKEN.items():
            with self.subTest(name):
                self.assertEqual(self.problems(name), [])
                self.write(files)
                found = self.problems(name)
                self.assertTrue(any(p.startswith(message) for p in found), found)
                for path in files:
                    os.unlink(self.root / path)
                self.write(CLEAN)

    def test_calls_of_our_own_are_not_banned(self):
        self.write({"src/base/a.cc": "std::string system() const;\nint f(X x) {\n"
                                     "  x.system(); x->abort(); Foo::rand();\n"
                                     "  static_assert(sizeof(x) > 1);\n"
                                     "  auto exit = [](int) {};\n  exit(1);\n}\n"})
        self.assertEqual(self.problems("banned_calls"), [])

    def test_ratchet_only_lowers(self):
        self.write({"src/base/a.cc": LONG, "tools/tidy_ratchet.txt": "# x\nsrc/base/a.cc 70 f\n"})
        self.assertIn("run tools/tidy --ratchet", self.problems("function_length")[0])
        self.assertEqual(checks.write_ratchet(checks.House(self.root)), 1)
        self.assertEqual((self.root / "tools/tidy_ratchet.txt").read_text(),
                         "# x\nsrc/base/a.cc 62 f\n")
        self.assertEqual(self.problems("function_length"), [])

    def test_report_counts(self):
        self.write({"src/base/a_test.cc": '#include "support/x.h"\nTEST(A, B) {\n}\n',
                    "tests/support/x.h": "#pragma once\n"})
        facts = report.gather(checks.House(self.root))
        base = facts["folders"][0]
        self.assertEqual((base["folder"], base["code"], base["test"]), ("base", 4, 3))
        self.assertIn("base", report.as_text(checks.House(self.root)))


if __name__ == "__main__":
    unittest.main()
