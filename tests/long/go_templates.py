#!/usr/bin/env python3
"""Compares Hearth's Go templates with Ollama's own template package and Go's text/template.

    go_templates.py --program build/release/src/template/go/go_template_requests
        [--count 20000] [--seed 0]

All templates that Ollama's module brings and those of tests/data/template/go are rendered with
the conversations there by both, and so are random small programs over random data, with what a
random mutation makes of them. The reference is tests/go_templates, built here by Go, which
fetches the module. Exit status 1 when anything differs, 77 (skipped) without Go or the module.
"""
import argparse
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
REFERENCE = HERE.parent / "go_templates"
DATA = HERE.parent / "data" / "template" / "go"
MODULE = "github.com/ollama/ollama"

DATA_VALUES = [
    None, True, False, 0, 1, -7, 2.5, 1e21, 1e-7, 100000, "", "a", "Hello, World", "h\u00e9<b>&'\"",
    "\u65e5\u672c\U0001F642", "a\nb\t\\", [], {}, [1, "x", None], [[1], [], [2, 3]], ["b", "a"],
    {"b": 1, "a": "z", "c": None}, {"k": {"x": [1, 2], "y": "w"}}, [{"n": "one"}, {"n": 2}],
]
NAMES = ["A", "B", "Cc", "d", "Missing"]
CONSTANTS = ["1", "0", "-3", "2.5", "1e3", "0x1F", "017", "0b11", "1_000", "'a'", "'\\n'", '"x"',
             '""', '"a\\tb\\u00e9"', "`raw`", "true", "false", "nil", "1e-7", "+4", "'\\''",
             '"%d"', '"<&>"']
FORMATS = ["%v", "%+v", "%#v", "%T", "%d", "%5d", "%-5d|", "%05d", "%+d", "%x", "%X", "%#x", "%o",
           "%#o", "%O", "%b", "%c", "%q", "%#q", "%+q", "%U", "%#U", "%e", "%E", "%f", "%.2f",
           "%8.3f", "%-8.1f|", "%+.1e", "%08.2f", "%g", "%G", "%.3g", "%#g", "%s", "%10s", "%-10s|",
           "%.2s", "%t", "% d", "% x", "%# x", "%%", "%!", "%z", "%*d", "%.*f", "%[1]v", "%[2]d",
           "%[9]d", "%6.2f%%", "%", "%.0f", "%x", "%.1v", "%6v", "%-6v|", "%06v", "%w", "%F",
           "%.f", "%5.q", "%#.3x", "%[1]*d", "%[1", "%-010d|", "%+-6d|", "%#b", "%b", "%.10b"]


class Generator:
    """Random programs: mostly well formed, with variables that exist and values of all kinds."""

    names = NAMES
    loops = [".", ".A", ".B", "$", "$.Cc", "3", "0", ".d"]

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.variables = ["$"]

    def pick(self, items):
        return self.random.choice(items)

    def chance(self, share):
        return self.random.random() < share

    def field(self):
        count = self.pick([1] * 12 + [2, 3])
        return "".join("." + self.pick(self.names) for _ in range(count))

    def variable(self):
        name = self.pick(self.variables)
        return name + (self.field() if name == "$" and self.chance(0.5) else "")

    def operand(self, depth):
        roll = self.random.random()
        if roll < 0.3:
            return ("$" if self.chance(0.7) else "") + self.field()
        if roll < 0.45:
            return self.variable()
        if roll < 0.55:
            return "."
        if roll < 0.85 or depth <= 0:
            return self.pick(CONSTANTS)
        text = "(" + self.pipeline(depth - 1) + ")"
        return text + (self.field() if self.chance(0.03) else "")

    def call(self, depth):
        def args(low, high):
            return " ".join(self.operand(depth) for _ in range(self.random.randint(low, high)))
        name = self.pick(["eq", "ne", "lt", "le", "gt", "ge", "and", "or", "not", "len", "index",
                          "slice", "print", "println", "printf", "html", "js", "urlquery", "json",
                          "printf", "printf", "printf", "print", "and", "or", "not", "json",
                          "toTypeScriptType"])
        if name in ("eq", "ne", "lt", "le", "gt", "ge") and self.chance(0.8):
            same = self.pick([["1", "2", "-3", "(len .A)", "'a'"], ['"a"', '"b"', "(print .B)"],
                              ["1.5", "1e3", "2.5"]])
            return f"{name} {self.pick(same)} {self.pick(same)}"
        if name == "len" and self.chance(0.7):
            return f"len (print {self.operand(depth)})"
        if name == "printf":
            text = "".join(self.pick(FORMATS) + self.pick(["", " ", "-"])
                           for _ in range(self.random.randint(1, 3)))
            return f"printf {json.dumps(text)} {args(0, 3)}"
        low, high = {"eq": (2, 3), "not": (1, 1), "len": (1, 1), "index": (1, 3), "slice": (1, 4),
                     "and": (1, 3), "or": (1, 3), "print": (0, 3), "println": (0, 3),
                     "html": (1, 2), "js": (1, 2), "urlquery": (1, 2), "json": (1, 1),
                     "toTypeScriptType": (1, 1)}.get(name, (2, 2))
        if self.chance(0.05):
            low, high = 0, 4
        if name in ("index", "slice") and self.chance(0.8):
            of = self.pick([self.operand(depth), '"h\u00e9llo"', "(print .A .B)", "(json .d)"])
            at = self.pick(["0", "1", "2", "1 2", "0 1"]) if name == "slice" else "0"
            return f"{name} {of} {at}"
        return f"{name} {args(low, high)}"

    def pipeline(self, depth):
        first = self.call(depth) if self.chance(0.5) else self.operand(depth)
        parts = [first]
        while self.chance(0.2):
            parts.append(self.pick(["print", "print", "not", "json", "html", "printf \"%v-%v\" 1",
                                    "printf \"%s\"", "println", "js", "urlquery", "and 1", "or 0",
                                    self.pick(["len", "eq 1", "index", "slice", "and", "or"])]))
        return " | ".join(parts)

    def text(self):
        return self.pick(["", "", " ", "x", "\n", " a \n", "}", "{", "-", "\u00e9", " \t\r\n b"])

    def action(self, inner):
        left = self.pick(["{{", "{{", "{{ ", "{{- "])
        right = self.pick(["}}", "}}", " }}", " -}}"])
        return left + inner + right

    def declaration(self, depth):
        if self.chance(0.4) and len(self.variables) > 1:
            return f"{self.pick(self.variables[1:])} = {self.pipeline(depth)}"
        name = self.pick(["$x", "$y", "$z1"])
        text = f"{name} := {self.pipeline(depth)}"
        self.variables.append(name)
        return text

    def block(self, kind, depth, in_range):
        mark = len(self.variables)
        head = self.pipeline(1)
        if kind == "range":
            if self.chance(0.5):
                head = self.pick(self.loops)
            if self.chance(0.5):
                names = self.pick([["$x"], ["$i", "$e"], ["$y", "$z1"]])
                head = ", ".join(names) + " := " + head
                self.variables += names
        elif self.chance(0.2):
            head = self.declaration(1)
        body = self.body(depth - 1, in_range or kind == "range")
        out = self.action(f"{kind} {head}") + body
        if kind != "range" and self.chance(0.2):
            out += self.action(f"else {kind} {self.pipeline(1)}") + self.body(depth - 1, in_range)
        if self.chance(0.4):
            out += self.action("else") + self.body(depth - 1, in_range)
        del self.variables[mark:]
        return out + self.action("end")

    def body(self, depth, in_range=False):
        out = self.text()
        for _ in range(self.pick([1, 1, 2, 3])):
            roll = self.random.random()
            if roll < 0.5 or depth <= 0:
                out += self.action(self.pipeline(2))
            elif roll < 0.6:
                out += self.action(self.declaration(2))
            elif roll < 0.65 and in_range:
                out += self.action(self.pick(["break", "continue"]))
            elif roll < 0.68:
                out += self.action('template "T" ' + self.operand(1))
            elif roll < 0.7:
                out += "{{/* note */}}"
            else:
                out += self.block(self.pick(["if", "with", "range"]), depth, in_range)
            out += self.text()
        return out

    def program(self):
        self.variables = ["$"]
        out = self.body(self.pick([0, 1, 1, 2, 3]))
        if '"T"' in out and self.chance(0.9):
            self.variables = ["$"]
            out = self.action('define "T"') + self.body(1).replace('template "T"', "print") + \
                self.action("end") + out
        if self.chance(0.15):
            out = self.mutated(out)
        return out

    def mutated(self, text):
        at = self.random.randrange(len(text) + 1)
        junk = self.pick(["{{", "}}", "(", ")", "|", "$", ".", " ", '"', "`", "'", ":=", "=", ",",
                          "end", "{{end}}", "{{else}}", "-", "/*", "*/", "1", "i", "_", "nil"])
        return text[:at] + junk + text[at + self.pick([0, 0, 1, 2]):]

    def data(self):
        out = {name: self.pick(DATA_VALUES) for name in NAMES[:4]}
        return self.pick(DATA_VALUES) if self.chance(0.05) else out


class ChatGenerator(Generator):
    """The same over chats: turns, calls and tools with their Go types."""

    names = ["System", "Tools", "Think", "ThinkLevel", "Prompt", "Response", "Suffix",
             "Role", "Content", "Thinking", "Images", "ToolCalls", "ToolName", "Missing"]
    loops = ["$.Messages", "$.Tools", ".Messages", "(slice $.Messages 1)", "2", "$.Missing"]
    # What can be asked of the element of a range: most lead to a value with a type of its own.
    inside = [".Role", ".Content", ".Thinking", ".Images", ".ToolCalls", ".ToolName", ".Function",
              ".Function.Name", ".Function.Parameters", ".Function.Parameters.Properties",
              ".Function.Parameters.Required", ".Type", ".Items", ".String", ".ToolCallID"]
    deep = ["{{range .ToolCalls}}%s{{end}}",
            "{{range $k, $v := .Function.Parameters.Properties}}%s{{end}}"]
    deeper = [".Function", ".Function.Arguments", ".ID", ".Function.Index", ".", "$v", "$v.Type",
              "$v.AnyOf", "$v.Enum", "$v.Items", "$v.ToTypeScriptType", ".Function.Arguments.city",
              ".Function.Arguments.String", ".Function.Arguments.at.lat", "$v.Description"]
    uses = ["%s", "json %s", "print %s", "len %s", "printf \"%%v\" %s", "printf \"%%+v\" %s",
            "printf \"%%#v\" %s", "printf \"%%T %%s %%d %%q %%x\" %s %s %s %s %s", "html %s",
            "toTypeScriptType %s", "not %s", "eq %s nil", "and %s 1", "or %s .", "index %s 0",
            "slice %s 0 1", "%s | json | len", "with $t := %s", "range $t := %s", "if %s"]

    def operand(self, depth):
        """Never all the data: it prints the addresses of the messages."""
        while (text := super().operand(depth)) in (".", "$"):
            pass
        return text

    def probe(self, paths):
        use = self.pick(self.uses)
        text = use.replace("%s", self.pick(paths)) if "%%" not in use else \
            use % ((self.pick(paths),) * use.replace("%%", "").count("%s"))
        if text.startswith(("with", "range")):
            return "{{" + text + "}}{{$t}};{{end}}"
        return "{{" + text + "}}" + ("+{{else}}-{{end}}" if text.startswith("if ") else "")

    def program(self):
        if self.chance(0.3):
            return super().program() + self.pick(["", "{{len .Messages}}", "{{ .Response }} x"])
        body = "".join(self.probe(self.inside) for _ in range(self.random.randint(1, 3)))
        if self.chance(0.6):
            body = self.pick(self.deep) % "".join(self.probe(self.deeper) for _ in range(2))
            if self.pick([True, False]) and "Properties" not in body:
                body = body.replace("$v", ".")
        return "{{range " + self.pick(["$.Messages", "$.Tools"]) + "}}" + body + "{{end}}"


def built_reference(folder):
    """The reference program, or None where there is no Go or its module cannot be had."""
    go = shutil.which("go")
    if not go:
        return None, "no go on this machine"
    program = folder / "go_templates"
    run = subprocess.run([go, "build", "-o", program, "."], cwd=REFERENCE, capture_output=True,
                         text=True)
    if run.returncode != 0:
        return None, f"go could not fetch or build {MODULE}: {run.stderr.strip()[-200:]}"
    where = subprocess.run([go, "list", "-m", "-f", "{{.Dir}}", MODULE], cwd=REFERENCE,
                           capture_output=True, text=True)
    return (program, pathlib.Path(where.stdout.strip())), ""


def answers(command, requests):
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    run = subprocess.run(command, input=lines.encode(), capture_output=True)
    if run.returncode != 0:
        sys.exit(f"{command[0]} ended with {run.returncode}: {run.stderr.decode()[-500:]}")
    out = [json.loads(line) for line in run.stdout.decode().split("\n") if line]
    if len(out) != len(requests):
        sys.exit(f"{command[0]} gave {len(out)} answers to {len(requests)} requests")
    return out


def comparable(answer, kind):
    """What must be equal. Bytes that are no UTF-8 are replaced one by one by the one side, and
    in groups by the other, where the answer becomes JSON; the addresses of messages differ."""
    if "text" not in answer:
        return "refused" if answer.get("parse") else "error"
    text = re.sub("\ufffd+", "\ufffd", answer["text"])
    if kind == "plain":
        return text
    text = re.sub(r"\b(0[xX])?[0-9a-fA-F]{10,12}\b", "ADDRESS", text)
    return [text] + [answer.get(key) or "" for key in ("names", "open", "close")]


def is_known(request, wanted, got):
    """Where Hearth differs on purpose: it has no imaginary numbers, has budgets, and goes on where
    Ollama panics."""
    if wanted.get("error", "").startswith("panic"):
        return True
    if "prints too much" in got.get("error", ""):
        return True
    return bool(re.search(r"[0-9.]i\b", request["template"]))


def compare(title, reference, program, requests):
    wanted = answers([str(reference), "serve"], requests)
    got = answers([program], requests)
    bad = texts = 0
    for request, want, have in zip(requests, wanted, got):
        texts += "text" in want
        if comparable(want, request["kind"]) == comparable(have, request["kind"]):
            continue
        if is_known(request, want, have):
            continue
        bad += 1
        if bad <= 20:
            have.pop("foreign", None)
            print(f"{title}: {json.dumps(request)}\n  wanted {want}\n  got    {have}")
    print(f"{title}: {len(requests)} compared, {texts} of them texts, {bad} differ")
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found, why = built_reference(pathlib.Path(folder))
        if not found:
            print(f"skipped: {why}")
            return 77
        reference, module = found
        conversations = json.loads((DATA / "conversations.json").read_text())
        theirs = sorted((module / "template").glob("*.gotmpl"))
        bad = 0 if len(theirs) >= 20 else 1
        for title, paths in (("Ollama's templates", theirs),
                             ("templates of the tests", sorted(DATA.glob("*.gotmpl")))):
            bad += compare(title, reference, options.program, [
                {"kind": "ollama", "template": path.read_text(), "data": conversation}
                for path in paths for conversation in conversations.values()])
        chats = list(conversations.values())
        generator = ChatGenerator(options.seed)
        bad += compare("random templates of chats", reference, options.program, [
            {"kind": "ollama", "template": generator.program(), "data": generator.pick(chats)}
            for _ in range(options.count)])
        generator = Generator(options.seed)
        bad += compare("random programs", reference, options.program, [
            {"kind": "plain", "template": generator.program(), "data": generator.data()}
            for _ in range(options.count)])
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
