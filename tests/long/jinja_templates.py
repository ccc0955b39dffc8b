#!/usr/bin/env python3
"""Compares Hearth's Jinja with Python's jinja2, set up as transformers does for chat templates.

    jinja_templates.py --program build/release/src/template/template_render_requests
        [--templates FOLDER]...

The chat templates of llama.cpp (from llama-cpp-python's source package) and of every FOLDER, each
with the conversations below. Text must be equal byte for byte, and what is an error there must be
one here. Needs: transformers, jinja2. Exit status 1 when anything differs.
"""
import argparse
import collections
import datetime
import json
import pathlib
import subprocess
import sys
import warnings

from support.sources import llama_cpp

CLOCK = datetime.datetime(2026, 1, 2, 3, 4, 5)
SECONDS = 1767323045


class Hearth:
    """The program that renders one request per line."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, source, context=None, **settings):
        request = {"source": source, "settings": {"now": SECONDS, **settings}}
        if context is not None:
            request["context"] = context
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"the program ended with {self.process.wait()} at {source[:2000]!r}")
        return json.loads(line)


def reference():
    """What compiles a template as transformers does, with the clock standing still."""
    import transformers.utils.chat_template_utils as chat_templates

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return CLOCK

    chat_templates.datetime = Clock
    return chat_templates._cached_compile_jinja_template


def expected(compile_template, source, context):
    """(text, error) of Python's rendering."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile_template(source).render(**context), None
    except Exception as error:  # whatever a template can raise
        return None, f"{type(error).__name__}: {error}"


# ---- conversations

def user(text):
    return {"role": "user", "content": text}


def bot(text, **more):
    return {"role": "assistant", "content": text, **more}


def call(name, arguments, number=0):
    return {"type": "function", "id": f"call{number:05d}",
            "function": {"name": name, "arguments": arguments}}


def result(text, number=0, name="get_weather"):
    return {"role": "tool", "tool_call_id": f"call{number:05d}", "name": name, "content": text}


SYSTEM = {"role": "system", "content": "You are terse."}
WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a place.\nToday's, or \"later\".",
    "parameters": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string", "description": "Città <name> & country"},
        "days": {"type": "integer", "default": 1, "minimum": 0},
        "unit": {"type": ["string", "null"], "enum": ["C", "F"], "description": "°"},
        "range": {"type": "array", "items": {"type": "number"}},
        "options": {"type": "object", "properties": {"fast": {"type": "boolean"}}}}},
    "return": {"type": "object", "properties": {"t": {"type": "number"}}}}}
SEARCH = {"type": "function", "function": {
    "name": "search", "description": "", "parameters": {"type": "object", "properties": {}}}}
NESTED = {"city": "Zürich", "days": 3, "ratio": 0.25, "big": 12345678901234, "none": None,
          "yes": True, "list": [1, 2.5, "drei", None, False], "deep": {"a": {"b": [{"c": "}"}]}},
          "text": "line\n\"quoted\" 'single' \\ <tag> 日本 🙂"}
BASE = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def case(name, messages, prompt=True, **more):
    return name, {**BASE, "messages": messages, "add_generation_prompt": prompt, **more}


def conversations():
    """(name, context): what people and programs send."""
    return plain_conversations() + tool_conversations() + odd_conversations()


TURNS = [user("Hi"), bot("Hello!"), user(" How are\nyou?  ")]
TOOLS = [WEATHER, SEARCH]


def plain_conversations():
    image = [{"type": "text", "text": "What is "}, {"type": "image"},
             {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
             {"type": "text", "text": "this?\n"}]
    think = "<think>\nHm, so.\n</think>\n\nFine."
    return [
        case("one turn", [user("Hi")]),
        case("no prompt", [user("Hi")], prompt=False),
        case("system", [SYSTEM, *TURNS]),
        case("turns", TURNS),
        case("ends with an answer", [SYSTEM, *TURNS, bot("Well.")], prompt=False),
        case("goes on with the answer", [*TURNS, bot("Once upon")], prompt=False,
             continue_final_message=True),
        case("parts", [user(image), bot([{"type": "text", "text": "A cat."}]), user("Sure?")]),
        case("system parts", [{"role": "system", "content": [{"type": "text", "text": "Be kind"}]},
                              user([{"type": "text", "text": "Hi"}])]),
        case("reasoning", [user("Q"), bot("A", reasoning_content="Because.\n\nYes."), user("Q2"),
                           bot("B", reasoning_content="", thinking="Hm.")], prompt=False),
        case("reasoning in text", [user("Q"), bot(think), user("Q2"), bot("<think></think>"),
                                   user("Q3")]),
        case("thinking", TURNS, enable_thinking=True, thinking=True, reasoning_effort="high"),
        case("no thinking", TURNS, enable_thinking=False, thinking=False),
        case("Unicode", [user("héllo ß Ωmega 日本 🙂 \u200d\u0301 ﬁ\u00a0\u2028 İ"),
                         bot("\t tabs \r\n"), user("<|im_end|></s>[INST]{{ x }}{% %}")]),
        case("documents", [user("Sum up")], documents=[
            {"title": "One", "text": "First\ntext", "url": "http://a/?b=c&d"},
            {"title": "Zwei", "text": "ünïcode", "score": 0.5}]),
        case("dates", TURNS, date_string="02 Jan 2026", current_date="2026-01-02",
             knowledge_cutoff="2025-06", tools_in_user_message=False, custom_tools=None,
             builtin_tools=["wolfram_alpha", "brave_search"]),
    ]


def tool_conversations():
    calls = bot("", tool_calls=[call("get_weather", NESTED), call("search", {}, 1)])
    rome = call("get_weather", {"city": "Rom"})
    return [
        case("tools", [SYSTEM, user("Weather?")], tools=TOOLS),
        case("tools without system", [user("Weather?")], tools=TOOLS),
        case("a call", [user("Weather?"), bot("", tool_calls=[rome]),
                        result("12 °C")], tools=TOOLS),
        case("calls and results", [SYSTEM, user("Weather?"), calls, result('{"t": -3.5}'),
                                   result("nothing", 1, "search"), bot("Cold."), user("Thanks")],
             tools=TOOLS),
        case("arguments as text", [user("Weather?"), bot(None, tool_calls=[
            call("get_weather", json.dumps(NESTED))]), result("12")], tools=TOOLS),
        case("content and calls", [user("W?"), bot("Let me see.", tool_calls=[
            call("get_weather", {"city": "Rom", "range": [1, 2]})]), result("1")], tools=TOOLS),
        case("reasoning and calls", [SYSTEM, user("Q"),
                                     bot("", reasoning_content="I need the weather.",
                                         thinking="I need the weather.",
                                         tool_calls=[rome]),
                                     result("12"), bot("12", reasoning_content="So."), user("?")],
             tools=TOOLS, enable_thinking=True),
    ]


def odd_conversations():
    return [
        case("None content", [user("Hi"), bot(None), user(None)]),
        case("empty content", [{"role": "system", "content": ""}, user(""), bot(""), user("")]),
        case("no content", [user("Hi"), {"role": "assistant"}, user("Yes")]),
        case("numbers", [user(12), bot(3.5), user(True)]),
        case("a role that is odd", [user("Hi"), {"role": "narrator", "content": "Night fell."},
                                    user("Go on")]),
        case("developer", [{"role": "developer", "content": "Be brief."}, user("Hi")]),
        case("two answers", [user("Hi"), bot("a"), bot("b"), user("c")]),
        case("two questions", [SYSTEM, user("a"), user("b")]),
        case("answer first", [bot("Hello"), user("a")]),
        case("system in the middle", [user("a"), bot("b"), SYSTEM, user("c")]),
        case("nobody", []),
        case("no messages and tools", [], tools=TOOLS),
        case("role alone", [{"content": "x"}]),
        case("empty lists", [user("a"), bot("b", tool_calls=[]), user([])], tools=[], documents=[]),
    ]


def template_files(folders):
    found = {}
    for folder in folders:
        for path in sorted(pathlib.Path(folder).glob("*.jinja")):
            source = path.read_text(encoding="utf-8")
            found.setdefault(source, path.name)
    return found


class Tally:
    def __init__(self):
        self.counts = collections.Counter()

    def compare(self, where, source, wanted, got):
        text, error = wanted
        if error is not None and "error" in got:
            self.counts["errors"] += 1
        elif error is None and got.get("text") == text:
            self.counts["equal"] += 1
        else:
            self.counts["differ"] += 1
            if self.counts["differ"] <= 40:
                print(f"{where}\n    {source[:700]!r}\n      hearth    "
                      f"{got.get('text', got.get('error'))!r:.700}\n"
                      f"      reference {text if error is None else error!r:.700}", flush=True)

    def report(self, what):
        print(f"{what}: {self.counts['equal']} equal, {self.counts['errors']} errors on both "
              f"sides, {self.counts['differ']} differ", flush=True)
        return self.counts["differ"]


def first_difference(a, b):
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"at {at}: {a[max(0, at - 60):at + 60]!r} / {b[max(0, at - 60):at + 60]!r}"


def compare_files(hearth, compile_template, folders):
    files = template_files(folders)
    tally = Tally()
    for source, name in files.items():
        for title, context in conversations():
            wanted = expected(compile_template, source, context)
            got = hearth.ask(source, context)
            shown = ""
            if wanted[0] is not None and "text" in got and wanted[0] != got["text"]:
                shown = first_difference(got["text"], wanted[0])
            tally.compare(f"{name}: {title} {shown}", "", wanted, got)
    return tally.report(f"{len(files)} templates, {len(conversations())} conversations each")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--templates", action="append", default=[])
    args = parser.parse_args()
    hearth, compile_template = Hearth(args.program), reference()
    folders = list(args.templates)
    source = llama_cpp()
    if source:
        folders.append(source / "models" / "templates")
    if not folders:
        print("skipped: there are no chat templates to compare")
        sys.exit(77)
    sys.exit(1 if compare_files(hearth, compile_template, folders) else 0)


if __name__ == "__main__":
    main()
