#!/usr/bin/env python3
"""`hearth serve` as its users meet it: the real program with a real model, asked over HTTP.

    server_test.py --hearth BINARY [-k PATTERN] [-v]

The cases: routes (here), openai_cases.py, ollama_cases.py, rules_cases.py. Exit 77, with a
sentence, where smollm2 is not in the store $HEARTH_TEST_HOME.
"""
import argparse
import pathlib
import re
import sys
import unittest

import harness
import ollama_cases
import openai_cases
import rules_cases
from harness import MODEL, ROOT, TINY, ServerTest

SKIPPED = 77


def routes_of_source():
    """(method, path) of each row of the route table."""
    text = (ROOT / "src/server/route_table.cc").read_text()
    return re.findall(r'^    \{"([A-Z]+)", "(/[^"]*)", &', text, re.MULTILINE)


# What each row is asked, and a word of its good answer. A row without an entry fails.
ZEROS = "sha256:" + "0" * 64
CALLS = {
    ("GET", "/"): (None, 200, "Ollama is running"),
    ("GET", "/health"): (None, 200, "ok"),
    ("GET", "/ready"): (None, 200, "ok"),
    ("GET", "/metrics"): (None, 200, "hearth:http_requests_total"),
    ("GET", "/v1/models"): (None, 200, f'"id":"{MODEL}:latest"'),
    ("GET", f"/v1/models/{MODEL}"): (None, 200, f'"id":"{MODEL}:latest"'),
    ("POST", "/v1/chat/completions"):
        ({"model": TINY, "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}, 200,
         '"chat.completion"'),
    ("POST", "/v1/completions"):
        ({"model": TINY, "prompt": "x", "max_tokens": 1}, 200, '"text_completion"'),
    ("POST", "/tokenize"): ({"model": TINY, "prompt": "x"}, 200, '"tokens":['),
    ("POST", "/detokenize"): ({"model": TINY, "tokens": [40, 41]}, 200, '"prompt":'),
    ("GET", "/api/version"): (None, 200, '"version"'),
    ("GET", "/api/tags"): (None, 200, f"{MODEL}:latest"),
    ("GET", "/api/ps"): (None, 200, '"models"'),
    ("POST", "/api/show"): ({"model": TINY}, 200, '"model_info"'),
    ("POST", "/api/generate"): ({"model": TINY, "prompt": "x", "options": {"num_predict": 1}}, 200,
                                '"done":true'),
    ("POST", "/api/chat"): ({"model": TINY, "messages": [{"role": "user", "content": "x"}],
                             "options": {"num_predict": 1}}, 200, '"done":true'),
    ("POST", "/api/create"): ({"model": "route", "from": TINY}, 200, "success"),
    ("POST", "/api/copy"): ({"source": TINY, "destination": "route"}, 200, ""),
    ("DELETE", "/api/delete"): ({"model": "route"}, 200, ""),
    ("GET", f"/api/blobs/{ZEROS}"): (None, 404, "not found"),
    ("POST", f"/api/blobs/{ZEROS}"): (b"no", 400, "digest"),
}
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


class Routes(ServerTest):
    def call_of(self, method, path):
        prefix = path.split("{")[0]
        found = [c for c in CALLS if c[0] == method and
                 (c[1].startswith(prefix) and "/" not in c[1][len(prefix):] if "{" in path
                  else c[1] == path) and (path != "/" or c[1] == "/")]
        if "{" not in path:
            return found[0] if found else None
        return next((c for c in found if c[1] != prefix.rstrip("/")), None)

    def test_every_row_answers(self):
        rows = routes_of_source()
        self.assertGreater(len(rows), 15)
        asked = set()
        for method, path in rows:
            with self.subTest(route=f"{method} {path}"):
                call = self.call_of(method, path)
                self.assertIsNotNone(call, "the test asks every route; this one is new")
                asked.add(call)
                body, status, word = CALLS[call]
                answer = self.server.ask(method, call[1], body)
                self.assertEqual(answer.status, status, answer.body[:300])
                self.assertIn(word, answer.body.decode())
                self.assertRegex(answer.headers["X-Request-Id"], r"^\w+")
        self.assertEqual(asked, set(CALLS), "no call is for a route that is gone")

    def test_head_is_get_without_a_body(self):
        for method, path in routes_of_source():
            if method == "GET" and "{" not in path:
                answer = self.server.ask("HEAD", path)
                self.assertEqual((answer.status, answer.body), (200, b""), path)

    def test_other_methods_are_405(self):
        rows = routes_of_source()
        for path in {p for _, p in rows if "{" not in p}:
            known = {m for m, p in rows if p == path}
            for method in set(METHODS) - known:
                answer = self.server.ask(method, path)
                self.assertEqual(answer.status, 405, f"{method} {path}")
                self.assertLessEqual(known, set(re.split(r",\s*", answer.headers["Allow"])))

    def test_what_is_not_there(self):
        for path in ("/nowhere", "/v1/nowhere", "/api/nowhere", "/v1", "/api"):
            self.refused(self.server.get(path), 404)
        self.assertIsInstance(self.server.get("/v1/nowhere").json()["error"], dict)
        self.assertIsInstance(self.server.get("/api/nowhere").json()["error"], str)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hearth", required=True)
    parser.add_argument("-k", action="append", default=None)
    parser.add_argument("-v", action="store_true")
    options = parser.parse_args()
    harness.hearth = str(pathlib.Path(options.hearth).resolve())
    if not harness.has_model():
        print(f"{MODEL} is not in the tests' store; ./test.sh fetches it where a network is there")
        return SKIPPED
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{k}*" for k in options.k] if options.k else None
    suite = unittest.TestSuite(
        loader.loadTestsFromModule(m)
        for m in (sys.modules[__name__], openai_cases, ollama_cases, rules_cases))
    result = unittest.TextTestRunner(verbosity=2 if options.v else 1).run(suite)
    code = harness.stop_shared()
    if code != 0:
        print(f"the shared server ended with {code}")
    return 0 if result.wasSuccessful() and code == 0 and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
