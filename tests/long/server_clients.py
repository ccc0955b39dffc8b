#!/usr/bin/env python3
"""The clients that people use, unmodified, on `hearth serve`: openai, ollama, langchain-openai and
langchain-ollama. What they read is compared with the answers of another implementation
(tests/models/answers.json), with each other and with what they document.

    server_clients.py --hearth BINARY        smollm2 of the store $HEARTH_TEST_HOME

Exit 77, with a sentence, where the model or a client is not there.
"""
import argparse
import asyncio
import functools
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
MODEL = "smollm2"
CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
LONG = [{"role": "user", "content": "Tell me a story about a river."}]
options = None


class Served:
    """hearth serve with a copy of the store; `with` ends it."""

    def __init__(self, key=None):
        self.home = tempfile.TemporaryDirectory(prefix="hearth-clients-")
        link = functools.partial(shutil.copytree, pathlib.Path(options.home) / "models",
                                 pathlib.Path(self.home.name) / "models", dirs_exist_ok=True)
        try:
            link(copy_function=os.link)      # what the store removes is only unlinked
        except (OSError, shutil.Error):
            link()
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HEARTH_", "OLLAMA_",
                                                                        "OPENAI_"))}
        env |= {"HEARTH_HOME": self.home.name} | ({"HEARTH_API_KEY": key} if key else {})
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [options.hearth, "serve", "--port", "0", "--precision", "exact"], env=env,
            stdout=self.log, stderr=self.log)
        self.port = self.wait_for_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def wait_for_port(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r"http://[\w.:\[\]]*:(\d+)", self.said())
            if found:
                return int(found[1])
            time.sleep(0.05)
        sys.exit(f"hearth serve does not start: {self.said()}")

    def close(self):
        """SIGTERM; its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return -1
        finally:
            self.home.cleanup()

    def metric(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return sum(float(v) for v in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))

    def wait_until_idle(self, test):
        """What was cancelled no longer runs."""
        end = time.monotonic() + 20
        while self.metric("vllm:num_requests_running"):
            test.assertLess(time.monotonic(), end, "a cancelled request still runs")
            time.sleep(0.02)


def reference():
    return json.loads((ROOT / "tests/models/answers.json").read_text())[MODEL]


def text_of(ids):
    """The text of token ids, by the program's own tokenizer."""
    done = subprocess.run([options.hearth, "detokenize", MODEL, json.dumps(ids)], text=True,
                          env=dict(os.environ, HEARTH_HOME=options.home), capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"hearth detokenize: {done.stderr}")
    return done.stdout.removesuffix("\n")


class WithServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.served = Served()
        cls.addClassCleanup(cls.served.close)

    def setUp(self):
        self.connect()

    def connect(self):
        pass


class OpenAi(WithServer):
    def connect(self):
        self.client = openai.OpenAI(base_url=self.served.url + "/v1", api_key="any",
                                    max_retries=0, timeout=120)
        self.chat = functools.partial(self.client.chat.completions.create, model=MODEL,
                                      temperature=0)
        self.complete = functools.partial(self.client.completions.create, model=MODEL,
                                          temperature=0)

    def test_models(self):
        found = {m.id: m for m in self.client.models.list()}
        self.assertIn(f"{MODEL}:latest", found)
        for name in found:
            self.assertEqual(self.client.models.retrieve(name).object, "model")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("there-is-none")

    def test_completions_are_those_of_another_implementation(self):
        known = reference()
        for row in known["prompts"]:
            ends = [i for i, t in enumerate(row["greedy"]) if t in known["ends"]]
            expected = row["greedy"][:ends[0]] if ends else row["greedy"]
            made = self.complete(prompt=row["ids"], max_tokens=len(row["greedy"]))
            self.assertEqual(made.choices[0].text, text_of(expected), row["prompt"])
            self.assertEqual(made.choices[0].finish_reason, "stop" if ends else "length")
            self.assertEqual(made.usage.prompt_tokens, len(row["ids"]))

    def test_chat(self):
        made = self.chat(messages=CAPITAL, max_tokens=40)
        self.assertEqual(made.object, "chat.completion")
        self.assertEqual(made.model, MODEL)
        self.assertEqual(made.choices[0].message.role, "assistant")
        self.assertIn("Paris", made.choices[0].message.content)
        self.assertEqual(made.choices[0].finish_reason, "stop")
        usage = made.usage
        self.assertEqual(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens)
        self.assertGreater(usage.prompt_tokens, 0)

    def test_stream_is_the_whole_answer_in_pieces(self):
        whole = self.chat(messages=LONG, max_tokens=40)
        chunks = list(self.chat(messages=LONG, max_tokens=40, stream=True,
                                stream_options={"include_usage": True}))
        self.assertEqual(len({(c.id, c.created, c.model, c.object) for c in chunks}), 1)
        choices = [c.choices[0] for c in chunks if c.choices]
        self.assertEqual(choices[0].delta.role, "assistant")
        self.assertFalse(any(c.delta.role for c in choices[1:]))
        self.assertEqual("".join(c.delta.content or "" for c in choices),
                         whole.choices[0].message.content)
        self.assertGreater(len(choices), 10)
        self.assertEqual([c.finish_reason for c in choices if c.finish_reason], ["length"])
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, 40)
        self.assertEqual(chunks[-1].usage.prompt_tokens, whole.usage.prompt_tokens)
        without = list(self.chat(messages=LONG, max_tokens=4, stream=True))
        self.assertFalse(any(c.usage for c in without))

    def test_stream_helper(self):
        with self.client.chat.completions.stream(model=MODEL, messages=CAPITAL, temperature=0,
                                                 max_tokens=40) as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
        self.assertLessEqual({"chunk", "content.delta", "content.done"}, kinds)
        self.assertEqual(final.choices[0].message.content,
                         self.chat(messages=CAPITAL, max_tokens=40).choices[0].message.content)

    def test_limits_and_stops(self):
        made = self.chat(messages=LONG, max_completion_tokens=5)
        self.assertEqual(made.choices[0].finish_reason, "length")
        self.assertEqual(made.usage.completion_tokens, 5)
        made = self.chat(messages=CAPITAL, stop=["France"], max_tokens=40)
        self.assertEqual(made.choices[0].message.content, "The capital of ")
        self.assertEqual(made.choices[0].finish_reason, "stop")

    def test_several_choices(self):
        made = self.chat(messages=LONG, n=3, max_tokens=12, temperature=1, seed=7)
        self.assertEqual([c.index for c in made.choices], [0, 1, 2])
        self.assertGreater(len({c.message.content for c in made.choices}), 1)
        again = self.chat(messages=LONG, n=3, max_tokens=12, temperature=1, seed=7)
        self.assertEqual([c.message.content for c in made.choices],
                         [c.message.content for c in again.choices])
        made = self.complete(prompt=["One, two,", "The capital of France is"], max_tokens=3)
        self.assertEqual([c.index for c in made.choices], [0, 1])
        self.assertIn("three", made.choices[0].text)
        self.assertIn("Paris", made.choices[1].text)

    def test_logprobs_of_a_chat(self):
        made = self.chat(messages=CAPITAL, max_tokens=5, logprobs=True, top_logprobs=4)
        content = made.choices[0].logprobs.content
        self.assertEqual(len(content), made.usage.completion_tokens)
        self.assertEqual("".join(t.token for t in content), made.choices[0].message.content)
        for token in content:
            top = token.top_logprobs
            self.assertEqual(len(top), 4)
            self.assertEqual(top[0].token, token.token)       # the greedy one
            self.assertEqual(top[0].logprob, token.logprob)
            self.assertEqual(sorted((t.logprob for t in top), reverse=True),
                             [t.logprob for t in top])
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(bytes(token.bytes).decode(), token.token)

    def test_logprobs_of_a_completion_and_scoring(self):
        made = self.complete(prompt="The capital of France is", max_tokens=2, logprobs=2)
        logprobs = made.choices[0].logprobs
        self.assertEqual("".join(logprobs.tokens), made.choices[0].text)
        self.assertEqual(logprobs.text_offset[0], 0)
        text = "The capital of France is" + made.choices[0].text
        scored = self.complete(prompt=text, max_tokens=0, logprobs=0, echo=True).choices[0]
        self.assertEqual(scored.text, text)
        self.assertIsNone(scored.logprobs.token_logprobs[0])
        for one, other in zip(scored.logprobs.token_logprobs[-2:], logprobs.token_logprobs):
            self.assertAlmostEqual(one, other, places=4)

    def test_errors(self):
        cases = [
            (openai.NotFoundError, "model", {"model": "there-is-none", "messages": CAPITAL}),
            (openai.BadRequestError, "temperature", {"temperature": -1, "messages": CAPITAL}),
            (openai.BadRequestError, "tools", {"messages": CAPITAL, "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {}}}]}),
            (openai.BadRequestError, "response_format", {
                "messages": CAPITAL, "response_format": {"type": "json_object"}}),
            (openai.BadRequestError, "messages", {"messages": [{"role": "user",
                                                                "content": "word " * 9000}]}),
        ]
        for kind, param, more in cases:
            with self.assertRaises(kind, msg=param) as raised:
                self.chat(**more)
            error = raised.exception
            self.assertIn(param, f"{error.param} {error.message}")
            self.assertTrue(error.type)
        self.assertEqual(error.code, "context_length_exceeded")
        self.assertRegex(error.message, r"8192.*9\d\d\d")    # both lengths
        with self.assertRaises(openai.NotFoundError):
            self.client.embeddings.create(model=MODEL, input="x")

    def test_cancel(self):
        stream = self.chat(messages=LONG, stream=True, max_tokens=4000,
                           extra_body={"ignore_eos": True})
        for _ in zip(range(3), stream):
            pass
        self.assertEqual(self.served.metric("vllm:num_requests_running"), 1)
        stream.close()
        self.served.wait_until_idle(self)
        with self.assertRaises(openai.APITimeoutError):
            self.chat(messages=LONG, max_tokens=4000, timeout=0.3,
                      extra_body={"ignore_eos": True})
        self.served.wait_until_idle(self)

    def test_many_at_once_answer_as_one_does(self):
        client = openai.AsyncOpenAI(base_url=self.served.url + "/v1", api_key="any", timeout=300)

        async def ask(content):
            made = await client.chat.completions.create(
                model=MODEL, temperature=0, max_tokens=12,
                messages=[{"role": "user", "content": content}])
            return made.choices[0].message.content

        async def ask_all(texts):
            return await asyncio.gather(*map(ask, texts))

        texts = [f"Say something about the number {i}." for i in range(8)]
        together = asyncio.run(ask_all(texts))
        for text, answer in zip(texts, together):
            alone = self.chat(messages=[{"role": "user", "content": text}], max_tokens=12)
            self.assertEqual(answer, alone.choices[0].message.content)


class Keys(unittest.TestCase):
    def test_only_the_key_that_was_set(self):
        served = Served(key="the-key")
        try:
            good = openai.OpenAI(base_url=served.url + "/v1", api_key="the-key", max_retries=0)
            bad = openai.OpenAI(base_url=served.url + "/v1", api_key="another", max_retries=0)
            self.assertTrue(list(good.models.list()))
            with self.assertRaises(openai.AuthenticationError):
                bad.models.list()
            with self.assertRaises(ollama.ResponseError) as raised:
                ollama.Client(served.url).list()
            self.assertEqual(raised.exception.status_code, 401)
            headers = {"Authorization": "Bearer the-key"}
            self.assertTrue(ollama.Client(served.url, headers=headers).list().models)
        finally:
            self.assertEqual(served.close(), 0)


class Ollama(WithServer):
    def connect(self):
        self.client = ollama.Client(self.served.url, timeout=120)
        self.greedy = {"temperature": 0, "num_predict": 40}

    def test_chat_is_that_of_the_other_dialect(self):
        made = self.client.chat(MODEL, CAPITAL, options=self.greedy)
        self.assertEqual(made.message.role, "assistant")
        self.assertTrue(made.done)
        self.assertEqual(made.done_reason, "stop")
        self.assertGreater(made.eval_count, 0)
        self.assertGreater(made.eval_duration, 0)
        self.assertGreater(made.total_duration, made.eval_duration)
        other = openai.OpenAI(base_url=self.served.url + "/v1", api_key="any").chat.completions
        said = other.create(model=MODEL, messages=CAPITAL, temperature=0, max_tokens=40)
        self.assertEqual(made.message.content, said.choices[0].message.content)
        self.assertEqual(made.prompt_eval_count, said.usage.prompt_tokens)

    def test_stream(self):
        whole = self.client.chat(MODEL, LONG, options=self.greedy)
        parts = list(self.client.chat(MODEL, LONG, options=self.greedy, stream=True))
        self.assertEqual("".join(p.message.content for p in parts), whole.message.content)
        self.assertEqual([p.done for p in parts], [False] * (len(parts) - 1) + [True])
        self.assertGreater(len(parts), 10)
        self.assertEqual(parts[-1].done_reason, "length")
        self.assertEqual(parts[-1].eval_count, 40)

    def test_generate(self):
        row = reference()["prompts"][0]
        made = self.client.generate(MODEL, row["prompt"], raw=True, options=self.greedy)
        self.assertEqual(made.response, text_of(row["greedy"][:row["greedy"].index(2)]))
        self.assertIsNone(made.context)
        made = self.client.generate(MODEL, CAPITAL[0]["content"], options=self.greedy)
        self.assertEqual(made.response,
                         self.client.chat(MODEL, CAPITAL, options=self.greedy).message.content)
        self.assertEqual(len(made.context), made.prompt_eval_count + made.eval_count)
        made = self.client.generate(MODEL, "And of Italy?", context=made.context,
                                    options=self.greedy)
        self.assertGreater(made.prompt_eval_count, 50)
        parts = list(self.client.generate(MODEL, "x", options=self.greedy, stream=True))
        self.assertTrue(parts[-1].done)

    def test_logprobs(self):
        made = self.client.generate(MODEL, CAPITAL[0]["content"], logprobs=True, top_logprobs=2,
                                    options=self.greedy)
        self.assertEqual("".join(t.token for t in made.logprobs), made.response)
        for token in made.logprobs:
            self.assertEqual(len(token.top_logprobs), 2)
            self.assertEqual(token.top_logprobs[0].logprob, token.logprob)

    def test_models(self):
        listed = {m.model: m for m in self.client.list().models}
        self.assertIn(f"{MODEL}:latest", listed)
        self.assertEqual(len(listed[f"{MODEL}:latest"].digest), 64)
        shown = self.client.show(MODEL)
        self.assertIn("completion", shown.capabilities)
        self.assertEqual(shown.modelinfo["general.architecture"], "llama")
        self.assertEqual(shown.modelinfo["llama.context_length"], 8192)
        self.client.generate(MODEL, keep_alive="5m")
        self.assertIn(f"{MODEL}:latest", [m.name for m in self.client.ps().models])
        done = self.client.generate(MODEL, keep_alive=0)
        self.assertEqual(done.done_reason, "unload")
        end = time.monotonic() + 20
        while self.client.ps().models:
            self.assertLess(time.monotonic(), end, "it is still loaded")
            time.sleep(0.05)

    def test_copies_of_a_model(self):
        self.client.copy(MODEL, "second")
        self.assertIn("second:latest", [m.model for m in self.client.list().models])
        made = self.client.create("third", from_=MODEL, system="Answer in French.",
                                  parameters={"temperature": 0, "num_predict": 6})
        self.assertEqual(made.status, "success")
        statuses = [p.status for p in self.client.create("third", from_=MODEL, stream=True)]
        self.assertEqual(statuses[-1], "success")
        self.assertEqual(self.client.chat("second", CAPITAL, options=self.greedy).message.content,
                         self.client.chat(MODEL, CAPITAL, options=self.greedy).message.content)
        for name in ("second", "third"):
            self.client.delete(name)
            with self.assertRaises(ollama.ResponseError) as raised:
                self.client.show(name)
            self.assertEqual(raised.exception.status_code, 404)
        self.assertIn("Paris", self.client.chat(MODEL, CAPITAL, options=self.greedy)
                      .message.content)

    def test_create_from_a_file(self):
        source = ROOT / "tests/data/models/llama"
        files = {p.name: self.client.create_blob(p) for p in source.iterdir()
                 if p.suffix in (".json", ".safetensors")}
        for name, digest in files.items():
            content = (source / name).read_bytes()
            self.assertEqual(digest, "sha256:" + hashlib.sha256(content).hexdigest())
        self.assertEqual(self.client.create("tiny", files=files).status, "success")
        made = self.client.generate("tiny", "abc", raw=True, options={"num_predict": 4})
        self.assertLessEqual(made.eval_count, 4)
        self.client.delete("tiny")

    def test_errors(self):
        cases = [(404, {"model": "there-is-none", "messages": CAPITAL}),
                 (400, {"model": MODEL, "messages": CAPITAL, "options": {"top_p": "x"}}),
                 (400, {"model": MODEL, "messages": CAPITAL, "format": "json"}),
                 (400, {"model": MODEL, "messages": CAPITAL, "think": True}),
                 (400, {"model": MODEL, "messages": CAPITAL, "tools": [
                     {"type": "function", "function": {"name": "f", "parameters": {
                         "type": "object", "properties": {}}}}]})]
        for status, body in cases:
            for stream in (False, True):
                with self.assertRaises(ollama.ResponseError, msg=body) as raised:
                    list(self.client.chat(**body, stream=stream))
                self.assertEqual(raised.exception.status_code, status, body)
                self.assertTrue(raised.exception.error)

    def test_cancel(self):
        stream = self.client.chat(MODEL, LONG, options={"num_predict": 4000, "stop": []},
                                  stream=True)
        next(stream)
        stream.close()
        self.served.wait_until_idle(self)

    def test_asynchronous(self):
        async def ask():
            client = ollama.AsyncClient(self.served.url)
            made = [client.chat(MODEL, CAPITAL, options=self.greedy) for _ in range(4)]
            return [m.message.content for m in await asyncio.gather(*made)]

        self.assertEqual(len(set(asyncio.run(ask()))), 1)


class LangChain(WithServer):
    """Both integrations: whole, streamed, in batches; and what they tell besides the text."""

    def connect(self):
        base = self.served.url + "/v1"
        self.open_chat = functools.partial(langchain_openai.ChatOpenAI, model=MODEL, base_url=base,
                                           api_key="any", temperature=0, max_tokens=40,
                                           max_retries=0)
        self.chats = {
            "openai": self.open_chat(),
            "ollama": langchain_ollama.ChatOllama(model=MODEL, base_url=self.served.url,
                                                  temperature=0, num_predict=40,
                                                  validate_model_on_init=True),
        }

    def test_invoke_and_stream(self):
        answers = {}
        for name, chat in self.chats.items():
            said = chat.invoke("What is the capital of France?")
            self.assertIn("Paris", said.content, name)
            self.assertGreater(said.usage_metadata["input_tokens"], 0, name)
            self.assertGreater(said.usage_metadata["output_tokens"], 0, name)
            pieces = list(chat.stream("What is the capital of France?"))
            self.assertEqual("".join(p.content for p in pieces), said.content, name)
            self.assertGreater(len([p for p in pieces if p.content]), 3, name)
            answers[name] = said.content
        self.assertEqual(answers["openai"], answers["ollama"])

    def test_batches_and_coroutines(self):
        for name, chat in self.chats.items():
            texts = ["Name a colour.", "Name an animal.", "Name a city."]
            together = [m.content for m in chat.batch(texts)]
            self.assertEqual(together, [chat.invoke(t).content for t in texts], name)
            said = asyncio.run(chat.ainvoke(texts[0]))
            self.assertEqual(said.content, together[0], name)

    def test_logprobs_and_usage_of_a_stream(self):
        chat = self.open_chat(logprobs=True, top_logprobs=2, stream_usage=True)
        said = chat.invoke("What is the capital of France?")
        content = said.response_metadata["logprobs"]["content"]
        self.assertEqual("".join(t["token"] for t in content), said.content)
        *_, last = chat.stream("What is the capital of France?")
        total = functools.reduce(lambda a, b: a + b,
                                 chat.stream("What is the capital of France?"))
        self.assertEqual(total.usage_metadata["output_tokens"],
                         said.usage_metadata["output_tokens"])

    def test_completions(self):
        texts = [langchain_openai.OpenAI(model=MODEL, base_url=self.served.url + "/v1",
                                         api_key="any", temperature=0, max_tokens=8)
                 .invoke("The capital of France is"),
                 langchain_ollama.OllamaLLM(model=MODEL, base_url=self.served.url, raw=True,
                                            temperature=0, num_predict=8)
                 .invoke("The capital of France is")]
        self.assertIn("Paris", texts[0])
        for text in texts:
            self.assertTrue(text)

    def test_errors(self):
        with self.assertRaises(openai.NotFoundError):
            self.open_chat(model="there-is-none").invoke("x")
        with self.assertRaises(ollama.ResponseError):
            langchain_ollama.ChatOllama(model="there-is-none",
                                        base_url=self.served.url).invoke("x")
        with self.assertRaises(Exception):
            langchain_ollama.ChatOllama(model="there-is-none", base_url=self.served.url,
                                        validate_model_on_init=True)

    def test_a_stream_that_is_left(self):
        for chat in self.chats.values():
            stream = chat.stream("Tell me a story about a river.")
            next(stream)
            stream.close()
        self.served.wait_until_idle(self)


def main():
    global options, openai, ollama, langchain_openai, langchain_ollama
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hearth", required=True)
    options, rest = parser.parse_known_args()
    options.hearth = str(pathlib.Path(options.hearth).resolve())
    options.home = os.environ.get("HEARTH_TEST_HOME", "")
    shown = subprocess.run([options.hearth, "show", MODEL], capture_output=True,
                           env=dict(os.environ, HEARTH_HOME=options.home))
    if not options.home or shown.returncode != 0:
        print(f"{MODEL} is not in the tests' store; ./test.sh fetches it where a network is there")
        return SKIPPED
    try:
        import langchain_ollama
        import langchain_openai
        import ollama
        import openai
    except ImportError as error:
        print(f"a client is not installed: {error}")
        return SKIPPED
    result = unittest.main(argv=[sys.argv[0], *rest], exit=False,
                           warnings="ignore").result  # of clients that leave connections open
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
