"""Ollama's routes, with a real model and with one that is made here."""
import datetime
import hashlib
import json
import re
import time

from harness import MODEL, ROOT, TINY, TINY_FILES, TINY_TEMPLATE, ServerTest, call, wait_for

GENERATE, CHAT = "/api/generate", "/api/chat"
PROMPT = "The capital of France is"
QUESTION = "What is the capital of France?"
GREEDY = {"temperature": 0, "num_predict": 24}


def raw(**more):
    return {"model": MODEL, "prompt": PROMPT, "raw": True, "stream": False, "options": GREEDY,
            **more}


def chat(**more):
    return {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "stream": False,
            "options": GREEDY, **more}


class Answers(ServerTest):
    def lines(self, path, body):
        return [json.loads(line) for line in self.server.stream(path, body)]

    def test_raw_is_the_completion(self):
        other = self.server.made("/v1/completions", {"model": MODEL, "prompt": PROMPT,
                                                     "max_tokens": 24, "temperature": 0})
        whole = self.server.made(GENERATE, raw())
        self.assertEqual(whole["response"], other["choices"][0]["text"])
        self.assertEqual((whole["done"], whole["done_reason"]), (True, "length"))
        self.assertEqual((whole["prompt_eval_count"], whole["eval_count"]), (5, 24))
        self.assertNotIn("context", whole)
        for name in ("total_duration", "prompt_eval_duration", "eval_duration"):
            self.assertGreater(whole[name], 0)
        lines = self.lines(GENERATE, raw())
        self.assertEqual("".join(x["response"] for x in lines), whole["response"])
        self.assertEqual([x["done"] for x in lines], [False] * (len(lines) - 1) + [True])
        self.assertEqual(lines[-1]["eval_count"], 24)

    def test_chat_is_that_of_the_command(self):
        made = call(self.server.home, "run", MODEL, QUESTION, "--max-tokens", "24",
                    "--temperature", "0").rstrip("\n")
        whole = self.server.made(CHAT, chat())
        self.assertEqual(whole["message"]["role"], "assistant")
        self.assertEqual(whole["message"]["content"].rstrip("\n"), made)
        lines = self.lines(CHAT, chat())
        self.assertEqual("".join(x["message"]["content"] for x in lines),
                         whole["message"]["content"])
        self.assertTrue(lines[-1]["done"])
        templated = self.server.made(GENERATE, raw(prompt=QUESTION, raw=False))
        self.assertEqual(templated["response"], whole["message"]["content"])

    def test_streams_unless_told_otherwise(self):
        body = raw()
        del body["stream"]
        answer = self.server.post(GENERATE, body)
        self.assertEqual(answer.headers["Content-Type"], "application/x-ndjson")
        self.assertGreater(len(answer.body.splitlines()), 2)

    def test_context_goes_round(self):
        first = self.server.made(GENERATE, raw(prompt="My name is Ada.", raw=False))
        text = self.server.made("/detokenize", {"model": MODEL, "tokens": first["context"]})
        self.assertIn("My name is Ada.", text["prompt"])
        self.assertTrue(text["prompt"].rstrip().endswith(first["response"].rstrip()))
        second = self.server.made(GENERATE, raw(prompt="What is my name?", raw=False,
                                                context=first["context"]))
        self.assertEqual(second["context"][:len(first["context"])], first["context"])
        self.assertGreater(second["prompt_eval_count"], len(first["context"]))
        alone = self.server.made(GENERATE, raw(prompt="What is my name?", raw=False))
        self.assertNotEqual(alone["response"], second["response"])

    def test_system_and_template_replace_the_models_own(self):
        def context_of(**more):
            made = self.server.made(GENERATE, {
                "model": TINY, "prompt": "Hello", "stream": False,
                "options": {"num_predict": 1, "temperature": 0}, **more})
            return self.server.made("/detokenize",
                                    {"model": TINY, "tokens": made["context"]})["prompt"]
        self.assertIn("[user] Hello", context_of())
        self.assertIn("<Be brief.>[user] Hello", context_of(system="Be brief."))
        self.assertIn("Q: Hello A:", context_of(template="Q: {{ .Prompt }} A:"))

    def test_a_model_without_a_template_goes_on_with_the_texts(self):
        bare, modelfile = "bare", self.server.home / "Modelfile.bare"
        modelfile.write_text(f"FROM {TINY_FILES}\n")
        call(self.server.home, "create", bare, "-f", str(modelfile))
        self.addCleanup(call, self.server.home, "rm", bare)
        options = {"num_predict": 8, "temperature": 0, "seed": 1}
        texts = ["Once upon", " a time", " there was"]
        roles = ("user", "assistant", "user")
        told = self.server.made(CHAT, {
            "model": bare, "stream": False, "options": options,
            "messages": [{"role": r, "content": t} for r, t in zip(roles, texts)]})
        for more in ({}, {"raw": True}):
            made = self.server.made(GENERATE, {"model": bare, "prompt": "".join(texts),
                                               "stream": False, "options": options, **more})
            self.assertEqual(made["response"], told["message"]["content"])
        refused = self.server.post("/v1/chat/completions", {
            "model": bare, "messages": [{"role": "user", "content": "x"}]})
        self.assertEqual(refused.status, 400)
        self.assertIn("no chat template", refused.error())

    def test_an_answer_may_be_begun(self):
        begun = chat(messages=[{"role": "user", "content": QUESTION},
                               {"role": "assistant", "content": "The capital of France is"}])
        self.assertIn("Paris", self.server.made(CHAT, begun)["message"]["content"])

    def test_logprobs(self):
        whole = self.server.made(GENERATE, raw(logprobs=True, top_logprobs=2))
        self.assertEqual("".join(e["token"] for e in whole["logprobs"]), whole["response"])
        self.assertTrue(all(e["logprob"] == e["top_logprobs"][0]["logprob"]
                            for e in whole["logprobs"]))

    def test_long_prompts(self):
        small = {**GREEDY, "num_ctx": 64}
        long = "word " * 200
        cut = chat(messages=[{"role": "user", "content": long},
                             {"role": "user", "content": "Hi"}], options=small)
        self.assertLess(self.server.made(CHAT, cut)["prompt_eval_count"], 64)
        wait_for("a line in the log", lambda: any("left out" in x for x in self.server.log))
        many = [{"role": ("user", "assistant")[i % 2], "content": f"This is message {i}."}
                for i in range(5001)]
        options = {**small, "num_ctx": 256}
        count = self.server.made(CHAT, chat(messages=many, options=options))["prompt_eval_count"]
        self.assertTrue(220 < count < 256, "no more is left out than must be")
        answer = self.server.post(GENERATE, raw(prompt=long, options=small, shift=False))
        self.refused(answer, 400, "64", "20")

    def test_refusals(self):
        for path, body in ((GENERATE, raw(model="none")), (CHAT, chat(model="none")),
                           ("/api/show", {"model": "none"}), (GENERATE, raw(model="")),
                           (GENERATE, {"model": "none", "keep_alive": 0})):
            with self.subTest(path=path, body=body):
                self.refused(self.server.post(path, body), 404, "not found")
        for body in (b"", b"{", b"[]", b"7", b'{"model": 1}'):
            for path in (GENERATE, CHAT, "/api/show", "/api/create", "/api/copy"):
                with self.subTest(path=path, body=body):
                    self.refused(self.server.post(path, body), 400)
        for field, value in (("format", "json"), ("format", {"type": "object"}),
                             ("images", ["AAAA"])):
            self.refused(self.server.post(GENERATE, raw(**{field: value})), 400, field)
        seen = {"role": "user", "content": "What is this?", "images": ["AAAA"]}
        self.refused(self.server.post(CHAT, chat(messages=[seen])), 400, "images")
        tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
        self.refused(self.server.post(CHAT, chat(tools=[tool])), 400, "tools")
        for option, value in (("temperature", -1), ("top_p", 2), ("num_ctx", -5),
                              ("temperature", "warm"), ("stop", "x")):
            with self.subTest(option=option):
                self.refused(self.server.post(GENERATE, raw(options={option: value})), 400, option)
        self.refused(self.server.post(GENERATE, raw(suffix="!")), 400, "insert")


class Loading(ServerTest):
    """When models come and go; on a server of its own."""

    def load(self, server, **more):
        return server.made(GENERATE, {"model": TINY, **more})

    def test_load_and_unload(self):
        server = self.start()
        self.assertEqual(server.loaded(), {})
        self.assertEqual(self.load(server)["done_reason"], "load")
        entry = server.loaded()[f"{TINY}:latest"]
        self.assertGreater(entry["size"], 0)
        self.assertEqual(entry["context_length"], 256)
        self.assertEqual(self.load(server, keep_alive=0)["done_reason"], "unload")
        wait_for("the model is gone", lambda: not server.loaded())
        self.assertEqual(self.load(server, keep_alive=0)["done_reason"], "unload")
        unloaded = server.made(CHAT, {"model": TINY, "messages": [], "stream": False})
        self.assertEqual(unloaded["done_reason"], "load")
        self.assertEqual(unloaded["message"]["content"], "")

    def test_gone_right_after_its_answer(self):
        server = self.start()
        server.made(GENERATE, {"model": TINY, "prompt": "Hi", "stream": False, "keep_alive": 0,
                               "options": {"num_predict": 2}})
        wait_for("the model is gone", lambda: not server.loaded())

    def test_expiry(self):
        server = self.start("--keep-alive", "1h")
        now = datetime.datetime.now(datetime.timezone.utc)

        def expiry():
            return datetime.datetime.fromisoformat(server.loaded()[f"{TINY}:latest"]["expires_at"])
        self.load(server)
        self.assertLess(abs((expiry() - now).total_seconds() - 3600), 60)
        self.load(server, keep_alive="10m")
        self.assertLess(abs((expiry() - now).total_seconds() - 600), 60)
        self.load(server, keep_alive="2s")
        then = expiry().timestamp()
        while server.loaded():           # as long as it is told, and no longer
            self.assertLess(time.time(), then + 1)
            time.sleep(0.02)
        self.assertGreaterEqual(time.time(), then)

    def test_two_models_at_once(self):
        server = self.start()
        bodies = [{"model": model, "prompt": PROMPT, "options": {"temperature": 0,
                                                                 "num_predict": 60}}
                  for model in (MODEL, TINY)]
        alone = ["".join(json.loads(x)["response"] for x in server.stream(GENERATE, body))
                 for body in bodies]
        streams = [server.stream(GENERATE, body) for body in bodies]
        texts = ["", ""]
        for one, other in zip(*streams, strict=False):
            texts[0] += json.loads(one)["response"]
            texts[1] += json.loads(other)["response"]
        for i, stream in enumerate(streams):
            texts[i] += "".join(json.loads(x)["response"] for x in stream)
        self.assertTrue(all(a.startswith(t) and t for a, t in zip(alone, texts)), texts)
        self.assertEqual(set(server.loaded()), {f"{MODEL}:latest", f"{TINY}:latest"})


class Store(ServerTest):
    """What changes the store; the server's is a copy."""

    def upload(self, data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        answer = self.server.post(f"/api/blobs/{digest}", data)
        self.assertIn(answer.status, (200, 201), answer.body)
        self.assertEqual(self.server.ask("HEAD", f"/api/blobs/{digest}").status, 200)
        return digest

    def names(self):
        time.sleep(0.1)                  # a list may be older by half of that
        return {m["name"] for m in self.server.get("/api/tags").json()["models"]}

    def say(self, model):
        return self.server.made(GENERATE, {"model": model, "prompt": "Pack my box", "raw": True,
                                           "stream": False, "options": GREEDY})["response"]

    def test_tags_show_version(self):
        models = {m["name"]: m for m in self.server.get("/api/tags").json()["models"]}
        self.assertEqual(models[f"{MODEL}:latest"]["details"]["family"], "llama")
        shown = self.server.made("/api/show", {"model": MODEL})
        self.assertEqual(shown["model_info"]["general.architecture"], "llama")
        self.assertEqual(shown["capabilities"], ["completion"])
        self.assertIn("FROM", shown["modelfile"])
        self.assertRegex(self.server.get("/api/version").json()["version"], r"^\d+\.\d+\.\d+$")

    def test_a_model_from_its_files(self):
        files = {path.name: self.upload(path.read_bytes()) for path in TINY_FILES.iterdir()
                 if path.suffix in (".json", ".safetensors")}
        statuses = [json.loads(x)["status"] for x in self.server.stream("/api/create", {
            "model": "uploaded", "files": files, "template": TINY_TEMPLATE,
            "parameters": {"temperature": 0.5, "stop": ["END"]}, "system": "Be brief."})]
        self.assertEqual(statuses[-1], "success")
        self.assertIn("writing manifest", statuses)
        shown = self.server.made("/api/show", {"model": "uploaded"})
        self.assertEqual((shown["template"], shown["system"]), (TINY_TEMPLATE, "Be brief."))
        self.assertIn("END", shown["parameters"])
        self.assertEqual(self.say("uploaded"), self.say(TINY))

    def test_a_model_from_a_gguf_copied_and_deleted(self):
        shown = self.server.made("/api/show", {"model": MODEL})["modelfile"]
        digest = re.search(r"sha256[-:]([0-9a-f]{64})", shown)[1]   # as clients find it there
        self.assertEqual(self.server.ask("HEAD", f"/api/blobs/sha256:{digest}").status, 200)
        made = self.server.made("/api/create", {"model": "one", "stream": False,
                                                "files": {"one.gguf": f"sha256:{digest}"}})
        self.assertEqual(made, {"status": "success"})
        copy = self.server.post("/api/copy", {"source": "one", "destination": "two:x"})
        self.assertEqual(copy.status, 200)
        self.assertLessEqual({"one:latest", "two:x"}, self.names())
        self.assertEqual(self.say("two:x"), self.say(MODEL))
        derived = self.server.made("/api/create", {"model": "three", "from": "two:x",
                                                   "system": "S", "stream": False})
        self.assertEqual(derived, {"status": "success"})
        for name in ("one", "two:x", "three"):
            self.assertEqual(self.server.ask("DELETE", "/api/delete", {"model": name}).status, 200)
            self.refused(self.server.ask("DELETE", "/api/delete", {"model": name}), 404)
        self.assertFalse({"one:latest", "two:x", "three:latest"} & self.names())
        self.refused(self.server.post(GENERATE, {"model": "two:x", "prompt": "x"}), 404)
        self.assertTrue(self.say(MODEL))

    def test_a_replaced_model_answers_anew(self):
        for system in ("First.", "Second."):
            self.server.made("/api/create", {"model": "changing", "from": TINY, "system": system,
                                             "stream": False})
            made = self.server.made(GENERATE, {"model": "changing", "prompt": "x",
                                               "stream": False, "options": GREEDY})
            text = self.server.made("/detokenize", {"model": TINY, "tokens": made["context"]})
            self.assertIn(f"<{system}>", text["prompt"])

    def told(self, name):
        """Whether /metrics has anything of a model."""
        return f'model_name="{name}:latest"' in self.server.get("/metrics").body.decode()

    def test_metrics_of_models_that_are_gone(self):
        self.say(MODEL)
        for name in ("asked", "by-command", "still-runs"):
            self.server.post("/api/copy", {"source": MODEL, "destination": name})
            self.say(name)
            self.server.made(GENERATE, {"model": name, "keep_alive": 0})
            wait_for("it is unloaded", lambda: f"{name}:latest" not in self.server.loaded())
            self.assertEqual(self.server.metric("vllm:request_success_total",
                                                model_name=f"{name}:latest"), 1)
        self.server.ask("DELETE", "/api/delete", {"model": "asked"})
        call(self.server.home, "rm", "by-command")
        self.assertFalse(self.told("asked") or self.told("by-command"))
        stream = self.server.stream(GENERATE, raw(model="still-runs", options={
            "num_predict": 7000, "ignore_eos": True}))
        next(stream)
        self.server.ask("DELETE", "/api/delete", {"model": "still-runs"})
        self.assertFalse(self.told("still-runs"))
        next(stream)
        before = len(self.server.log)
        stream.close()
        wait_for("the answer has ended", lambda: any(
            '"gone":true' in line for line in self.server.log[before:]))
        self.assertFalse(self.told("still-runs"))
        self.assertTrue(self.told(MODEL))
        self.server.post("/api/copy", {"source": MODEL, "destination": "asked"})
        self.say("asked")
        self.assertEqual(self.server.metric("vllm:request_success_total",
                                            model_name="asked:latest"), 1)
        self.server.ask("DELETE", "/api/delete", {"model": "asked"})

    def test_refusals(self):
        digest = "sha256:" + "0" * 64
        self.assertEqual(self.server.ask("HEAD", f"/api/blobs/{digest}").status, 404)
        self.refused(self.server.post(f"/api/blobs/{digest}", b"not that"), 400, "digest")
        self.assertEqual(self.server.ask("HEAD", f"/api/blobs/{digest}").status, 404)
        self.refused(self.server.post("/api/blobs/sha256:12", b"x"), 400, "digest")
        self.refused(self.server.post("/api/copy", {"source": "none", "destination": "x"}), 404)
        self.refused(self.server.post("/api/create", {"model": "x"}), 400, "from")
        self.refused(self.server.post("/api/create", {"model": "x", "from": "none"}), 404)
        self.refused(self.server.post("/api/create", {"model": "x", "files": {"a": digest}}), 400)
        vocabulary = (ROOT / "tests/data/container/vocabulary.gguf").read_bytes()
        for data in (b"GGUF but not really", vocabulary[:200]):
            made = self.server.post("/api/create", {
                "model": "x", "files": {"a.gguf": self.upload(data)}, "stream": False})
            self.refused(made, 400)
        self.assertNotIn("x:latest", self.names())
