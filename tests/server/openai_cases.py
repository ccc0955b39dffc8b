"""OpenAI's routes with a real model."""
import json
import os
import pathlib
import shutil
import tempfile

from harness import MODEL, TINY_FILES, ServerTest, at_once, call

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
PROMPT = "The capital of France is"
QUESTION = "What is the capital of France?"


def completion(**more):
    return {"model": MODEL, "prompt": PROMPT, "max_tokens": 24, "temperature": 0, **more}


def chat(**more):
    return {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 24,
            "temperature": 0, **more}


def joined(events, index=0):
    """The text of one choice of a stream."""
    choices = [c for e in events for c in e["choices"] if c["index"] == index]
    return "".join(c["text"] if "text" in c else c["delta"].get("content", "") for c in choices)


class Answers(ServerTest):
    """The same text by every way."""

    def text(self, **more):
        return self.server.made(TEXT, completion(**more))["choices"][0]

    def test_completion_is_that_of_the_command(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as ids:
            json.dump(self.server.made("/tokenize", {"model": MODEL, "prompt": PROMPT})["tokens"],
                      ids)
            ids.flush()
            made = json.loads(call(self.server.home, "generate", MODEL, "--tokens", ids.name,
                                   "--max-tokens", "24", "--temperature", "0"))
        whole = self.server.made(TEXT, completion())
        self.assertEqual(whole["choices"][0]["text"], made["text"])
        self.assertEqual(whole["choices"][0]["finish_reason"], made["finish_reason"])
        self.assertIn("Paris", made["text"])
        self.assertEqual(joined(self.server.events(TEXT, completion())), made["text"])
        self.assertEqual(whole["usage"]["completion_tokens"], 24)
        self.assertEqual(whole["usage"]["prompt_tokens"], 5)
        self.assertEqual(whole["usage"]["total_tokens"], 29)

    def test_chat_is_that_of_the_command(self):
        made = call(self.server.home, "run", MODEL, QUESTION, "--max-tokens", "24",
                    "--temperature", "0").rstrip("\n")
        whole = self.server.made(CHAT, chat())
        message = whole["choices"][0]["message"]
        self.assertEqual((message["role"], message["content"].rstrip("\n")), ("assistant", made))
        self.assertEqual(joined(self.server.events(CHAT, chat())), message["content"])

    def test_token_ids_are_the_text(self):
        tokens = self.server.made("/tokenize", {"model": MODEL, "prompt": PROMPT})["tokens"]
        self.assertEqual(self.text(prompt=tokens)["text"], self.text()["text"])
        several = self.server.made(TEXT, completion(prompt=[tokens, tokens[:3]]))["choices"]
        self.assertEqual([c["index"] for c in several], [0, 1])
        self.assertEqual(several[0]["text"], self.text()["text"])
        self.assertEqual(several[1]["text"], self.text(prompt=tokens[:3])["text"])
        self.refused(self.server.post(TEXT, completion(prompt=[10**8])), 400)

    def test_stop(self):
        whole = self.text()["text"]
        word = whole.split()[1]
        cut = self.text(stop=["nothing says this", word])
        self.assertEqual(cut["text"], whole[:whole.index(word)])
        self.assertEqual((cut["finish_reason"], cut["stop_reason"]), ("stop", word))
        self.assertEqual(joined(self.server.events(TEXT, completion(stop=word))), cut["text"])

    def test_seed(self):
        def drawn(seed):
            return self.text(temperature=1.5, seed=seed)["text"]
        first = drawn(7)
        self.assertEqual(drawn(7), first)
        self.assertGreater(len({first, drawn(8), drawn(9)}), 1)
        events = self.server.events(TEXT, completion(temperature=1.5, seed=7))
        self.assertEqual(joined(events), first)
        unseeded = {self.text(temperature=1.5)["text"] for _ in range(4)}
        self.assertGreater(len(unseeded), 1)

    def test_several_choices(self):
        asked = completion(n=3, temperature=1.2, seed=1, max_tokens=8)
        choices = self.server.made(TEXT, asked)["choices"]
        self.assertEqual([c["index"] for c in choices], [0, 1, 2])
        self.assertGreater(len({c["text"] for c in choices}), 1)
        events = self.server.events(TEXT, asked)
        self.assertEqual([joined(events, i) for i in range(3)], [c["text"] for c in choices])
        best = self.server.made(TEXT, completion(n=1, best_of=3, temperature=1.2, seed=1))
        self.assertEqual(len(best["choices"]), 1)

    def test_echo(self):
        self.assertEqual(self.text(echo=True)["text"], PROMPT + self.text()["text"])
        self.assertEqual(joined(self.server.events(TEXT, completion(echo=True))),
                         PROMPT + self.text()["text"])
        scored = self.text(echo=True, max_tokens=0, logprobs=2)
        self.assertEqual((scored["text"], scored["finish_reason"]), (PROMPT, "length"))
        logprobs = scored["logprobs"]
        self.assertEqual("".join(logprobs["tokens"]), PROMPT)
        self.assertIsNone(logprobs["token_logprobs"][0])
        self.assertTrue(all(p <= 0 for p in logprobs["token_logprobs"][1:]))
        self.assertEqual(logprobs["text_offset"][:2], [0, len(logprobs["tokens"][0])])
        # A stream begins with the prompt and what it scored, and goes on token by token.
        whole = self.text(echo=True, max_tokens=6, logprobs=2, n=2)["logprobs"]
        events = self.server.events(TEXT, completion(echo=True, max_tokens=6, logprobs=2, n=2))
        for index in (0, 1):
            told = [c for e in events for c in e["choices"] if c["index"] == index]
            self.assertEqual(told[0]["text"], PROMPT)
            self.assertEqual(told[0]["logprobs"]["token_logprobs"],
                             scored["logprobs"]["token_logprobs"])
            self.assertGreaterEqual(len(told), 6)
            pieces = [c["logprobs"] for c in told if c["logprobs"]]
            for field in ("tokens", "token_logprobs", "text_offset"):
                self.assertEqual([x for piece in pieces for x in piece[field]], whole[field])

    def test_logprobs(self):
        answer = self.text(logprobs=3)
        logprobs = answer["logprobs"]
        self.assertEqual("".join(logprobs["tokens"]), answer["text"])
        for token, logprob, top in zip(logprobs["tokens"], logprobs["token_logprobs"],
                                       logprobs["top_logprobs"]):
            self.assertEqual(logprob, max(top.values()), "greedy takes the likeliest")
            self.assertEqual(top[token], logprob)
            self.assertGreaterEqual(len(top), 3)
        content = self.server.made(CHAT, chat(logprobs=True, top_logprobs=2))["choices"][0]
        entries = content["logprobs"]["content"]
        self.assertEqual("".join(e["token"] for e in entries), content["message"]["content"])
        self.assertTrue(all(e["bytes"] == list(e["token"].encode()) and
                            e["top_logprobs"][0]["logprob"] == e["logprob"] and
                            len(e["top_logprobs"]) == 2 for e in entries))
        events = self.server.events(CHAT, chat(logprobs=True, top_logprobs=2))
        streamed = [e for x in events for c in x["choices"] if c["logprobs"]
                    for e in c["logprobs"]["content"]]
        self.assertEqual(streamed, entries)

    def test_shape_of_a_stream(self):
        for path, asked in ((CHAT, chat(ignore_eos=True)), (TEXT, completion(ignore_eos=True))):
            events = self.server.events(path, {**asked, "stream_options": {"include_usage": True}})
            self.assertEqual(len({(e["id"], e["created"], e["model"]) for e in events}), 1)
            *pieces, end, usage = events
            self.assertEqual(end["choices"][0]["finish_reason"], "length")
            self.assertTrue(all(c["finish_reason"] is None for e in pieces for c in e["choices"]))
            self.assertEqual((usage["choices"], usage["usage"]["completion_tokens"]), ([], 24))
            if path == CHAT:
                self.assertEqual(pieces[0]["object"], "chat.completion.chunk")
                self.assertEqual(pieces[0]["choices"][0]["delta"],
                                 {"role": "assistant", "content": ""})
                self.assertTrue(all("role" not in e["choices"][0]["delta"] for e in pieces[1:]))
            self.assertFalse(any("usage" in e for e in self.server.events(path, asked)))

    def test_models(self):
        models = self.server.get("/v1/models").json()["data"]
        self.assertIn(f"{MODEL}:latest", [m["id"] for m in models])
        self.assertEqual(self.server.get(f"/v1/models/{MODEL}").json()["object"], "model")
        self.refused(self.server.get("/v1/models/none"), 404, "none")

    def test_sixteen_at_once_answer_as_alone(self):
        asked = [completion(prompt=f"{i} things that {word} in the", temperature=0.9, seed=i,
                            max_tokens=12 + i, logprobs=2)
                 for i, word in enumerate(["live", "swim", "fly", "grow"] * 4)]

        def choices(body):
            return json.dumps(self.server.made(TEXT, body)["choices"])
        alone = [choices(body) for body in asked]
        self.assertEqual(at_once([lambda b=b: choices(b) for b in asked]), alone)
        self.assertEqual(len(set(alone)), 16)


class Refusals(ServerTest):
    def test_models_that_are_not_there(self):
        for path, body in ((CHAT, chat(model="none")), (TEXT, completion(model="none")),
                           ("/tokenize", {"model": "none", "prompt": "x"})):
            answer = self.server.post(path, body)
            self.refused(answer, 404, "none")
            self.assertEqual(answer.json()["error"]["code"], "model_not_found")
        for stream in (False, True):
            self.refused(self.server.post(TEXT, completion(model="none", stream=stream)), 404)

    def test_bad_bodies(self):
        for body in (b"", b"{", b"[1", b'{"model": "x"} y', b"\xff", b"[]", b"null", b"7"):
            for path in (CHAT, TEXT, "/tokenize", "/detokenize"):
                with self.subTest(path=path, body=body):
                    self.refused(self.server.post(path, body), 400)

    def test_fields_that_are_not_built(self):
        tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
        image = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
        for field, value in (("tools", [tool]), ("response_format", {"type": "json_object"}),
                             ("format", "json"), ("functions", [{"name": "f"}]),
                             ("grammar", "root ::= x"), ("guided_json", {"type": "object"}),
                             ("structured_outputs", {"json": {}}),
                             ("messages", [{"role": "user", "content": image}])):
            with self.subTest(field=field):
                answer = self.server.post(CHAT, chat(**{field: value}))
                self.refused(answer, 400, "image" if field == "messages" else field)
                self.assertTrue(answer.json()["error"]["param"].startswith(field))

    def test_fields_out_of_range(self):
        for field, value in (("temperature", 2.5), ("temperature", -1), ("top_p", 0), ("n", 0),
                             ("temperature", "warm"), ("max_tokens", -7), ("stop", [1]),
                             ("presence_penalty", 3), ("logprobs", 99), ("echo", "yes"),
                             ("logit_bias", {"1": 101}), ("seed", 0.5), ("stream", "no")):
            with self.subTest(field=field, value=value):
                answer = self.server.post(TEXT, completion(**{field: value}))
                self.refused(answer, 400, field)
                self.assertTrue(answer.json()["error"]["param"].startswith(field))

    def test_suffix_wants_a_model_that_knows_it(self):
        answer = self.server.post(TEXT, completion(suffix="!"))
        self.refused(answer, 400, "insert")
        self.assertEqual(answer.json()["error"]["param"], "suffix")

    def test_prompts_that_are_too_long(self):
        long = "word " * 9000
        for path, body in ((TEXT, completion(prompt=long)),
                           (CHAT, chat(messages=[{"role": "user", "content": long}]))):
            answer = self.server.post(path, body)
            self.refused(answer, 400, "8192")
            self.assertRegex(answer.error(), r"\b90\d\d\b")
            self.assertEqual(answer.json()["error"]["code"], "context_length_exceeded")


class Tokens(ServerTest):
    def test_there_and_back(self):
        text = "Grüße, 世界 <|im_start|>"
        made = self.server.made("/tokenize", {"model": MODEL, "prompt": text,
                                              "return_token_strs": True})
        self.assertEqual((made["count"], made["max_model_len"]), (len(made["tokens"]), 8192))
        self.assertEqual(len(made["token_strs"]), made["count"])
        back = self.server.made("/detokenize", {"model": MODEL, "tokens": made["tokens"]})
        self.assertEqual(back["prompt"], text)
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "text")
            with open(file, "w", encoding="utf-8") as out:
                out.write(PROMPT)
            ids = json.loads(call(self.server.home, "tokenize", MODEL, "--file", file))
        made = self.server.made("/tokenize", {"model": MODEL, "prompt": PROMPT})
        self.assertEqual(made["tokens"], ids)
        self.refused(self.server.post("/detokenize", {"model": MODEL, "tokens": [10**6]}), 400,
                     "tokens[0]")


class Contexts(ServerTest):
    """A checkpoint of a few kilobytes that allows 65,536 tokens, in memory for little more."""

    def test_a_prompt_that_needs_more_context_gets_it(self):
        with tempfile.TemporaryDirectory() as folder:
            copy, modelfile = pathlib.Path(folder) / "tiny", pathlib.Path(folder) / "Modelfile"
            shutil.copytree(TINY_FILES, copy)
            config = json.loads((copy / "config.json").read_text())
            config["max_position_embeddings"] = 65536
            (copy / "config.json").write_text(json.dumps(config))
            modelfile.write_text(f"FROM {copy}\n")
            call(self.server.home, "create", "long", "-f", str(modelfile))
        self.addCleanup(call, self.server.home, "rm", "long")
        server = self.start("--memory", "0.015")

        def made(count):
            return server.made(TEXT, {"model": "long", "prompt": [5] * count, "max_tokens": 1,
                                      "temperature": 0})["usage"]["prompt_tokens"]
        self.assertEqual(made(100), 100)
        self.assertEqual(server.loaded()["long:latest"]["context_length"], 32768)
        self.assertEqual(made(33000), 33000)
        self.assertEqual(server.loaded()["long:latest"]["context_length"], 65536)
        self.assertEqual(made(100), 100)
        self.assertEqual(server.loaded()["long:latest"]["context_length"], 65536)
        self.refused(server.post(TEXT, {"model": "long", "prompt": [5] * 70000}), 400, "65536",
                     "70000")
