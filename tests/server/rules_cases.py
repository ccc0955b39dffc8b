"""How the server runs: who may ask, who hangs up, too many clients, how it ends, what it logs."""
import json
import socket
import subprocess
import threading
import time

import harness
from harness import MODEL, PATIENCE, TINY, ServerTest, at_once, environment, raw_post, wait_for

TEXT = "/v1/completions"
LONG = " ".join(f"word{i}" for i in range(1500))   # some 6,000 tokens


def endless(**more):
    return {"model": MODEL, "prompt": "Once upon a time", "max_tokens": 7000, "ignore_eos": True,
            "temperature": 0.8, "seed": 1, "stream": True, **more}


class Access(ServerTest):
    KEY = "a-key-of-the-tests-0815"

    def test_a_key(self):
        server = self.start(env={"HEARTH_API_KEY": self.KEY})
        asked = {"model": TINY, "prompt": "x", "max_tokens": 1}
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"x-api-key": self.KEY + "x"}):
            for path in (TEXT, "/api/generate", "/tokenize"):
                answer = server.post(path, asked, headers)
                self.refused(answer, 401, "key")
                self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
            self.assertIsInstance(server.post(TEXT, asked, headers).json()["error"], dict)
            self.assertIsInstance(server.post("/api/chat", asked, headers).json()["error"], str)
            self.assertEqual(server.get("/metrics", headers).status, 401)
        for headers in ({"Authorization": f"Bearer {self.KEY}"}, {"x-api-key": self.KEY}):
            self.assertEqual(server.post(TEXT, asked, headers).status, 200)
            self.assertEqual(server.get("/api/tags", headers).status, 200)
        for path in ("/", "/health", "/ready"):
            self.assertEqual(server.get(path).status, 200)
        self.assertEqual(server.stop(), 0)
        self.assertNotIn(self.KEY, "".join(server.log))

    def test_any_key_passes_where_none_is_set(self):
        for value in ("Bearer ollama", "Bearer sk-123", "Basic eDp5"):
            self.assertEqual(self.server.get("/v1/models", {"Authorization": value}).status, 200)

    def test_hosts(self):
        for host, status in (("evil.test", 403), ("evil.test:80", 403), ("8.8.8.8", 403),
                             ("localhost.evil.test", 403), ("localhost", 200), ("[::1]:9", 200),
                             ("127.0.0.1", 200), ("box.local", 200)):
            for path in ("/api/tags", "/v1/models", "/"):
                with self.subTest(host=host, path=path):
                    self.assertEqual(self.server.get(path, {"Host": host}).status, status)
        named = self.start("--hosts", "models.example,other.example")
        for host, status in (("models.example", 200), ("evil.test", 403)):
            self.assertEqual(named.get("/api/tags", {"Host": host}).status, status)

    def test_origins(self):
        asked = {"model": TINY, "prompt": "x", "max_tokens": 1}
        for origin, status in (("http://evil.test", 403), ("null", 403),
                               ("http://localhost:1@evil.test", 403),
                               ("http://localhost:3000", 200), ("app://desktop", 200)):
            with self.subTest(origin=origin):
                answer = self.server.post(TEXT, asked, {"Origin": origin})
                self.assertEqual(answer.status, status)
                allowed = answer.headers["Access-Control-Allow-Origin"]
                self.assertEqual(allowed, origin if status == 200 else None)
        preflight = {"Access-Control-Request-Method": "POST",
                     "Access-Control-Request-Headers": "content-type"}
        for origin, status in (("http://localhost:3000", 204), ("http://evil.test", 403)):
            answer = self.server.ask("OPTIONS", TEXT, headers={**preflight, "Origin": origin})
            self.assertEqual(answer.status, status)
        hidden = {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
        self.assertEqual(self.server.post(TEXT, asked, hidden).status, 403)
        self.assertEqual(self.server.get("/api/tags", hidden).status, 200)
        form = {"Content-Type": "application/x-www-form-urlencoded"}     # as curl -d sends it
        self.assertEqual(self.server.post(TEXT, asked, form).status, 200)
        named = self.start("--origins", "https://chat.example")
        self.assertEqual(named.get("/api/tags", {"Origin": "https://chat.example"}).status, 200)

    def test_others_are_not_served_without_a_key(self):
        for host in ("0.0.0.0", "::"):
            done = subprocess.run([harness.hearth, "serve", "--host", host, "--port", "0"],
                                  env=environment(self.server.home), capture_output=True, text=True,
                                  timeout=PATIENCE, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("HEARTH_API_KEY", done.stderr)
        server = self.start("--host", "0.0.0.0", env={"HEARTH_API_KEY": self.KEY})
        self.assertEqual(server.get("/health").status, 200)

    def test_a_port_that_is_taken(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            done = subprocess.run(
                [harness.hearth, "serve", "--host", "127.0.0.1", "--port",
                 str(taken.getsockname()[1])], env=environment(self.server.home),
                capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Error: ", done.stderr)


class HangingUp(ServerTest):
    def running(self):
        return self.server.metric("vllm:num_requests_running")

    def aborted(self):
        return self.server.metric("vllm:request_success_total", finished_reason="abort")

    def free_again(self, before):
        """All that the request held, long before it could have ended by itself."""
        begin = time.monotonic()
        wait_for("nothing runs", lambda: self.running() == 0)
        wait_for("it counts as given up", lambda: self.aborted() == before + 1)
        self.assertEqual(self.server.metric("vllm:kv_cache_usage_perc"), 0)
        self.assertEqual(self.server.metric("vllm:num_requests_waiting"), 0)
        return time.monotonic() - begin

    def test_in_the_middle_of_a_stream(self):
        for path, body in ((TEXT, endless()),
                           ("/api/generate", {"model": MODEL, "prompt": "x", "raw": True,
                                              "options": {"num_predict": 7000,
                                                          "ignore_eos": True}})):
            with self.subTest(path=path):
                before = self.aborted()
                stream = self.server.stream(path, body)
                next(stream), next(stream)
                self.assertEqual(self.running(), 1)
                stream.close()
                self.free_again(before)
        wait_for("the log says so", lambda: any('"gone":true' in x for x in self.server.log))

    def test_in_the_middle_of_a_prompt(self):
        for stream in (False, True):
            with self.subTest(stream=stream):
                before = self.aborted()
                client = raw_post(self.server, TEXT, endless(prompt=f"{stream} {LONG}",
                                                             stream=stream, max_tokens=1000))
                wait_for("it runs", lambda: self.running() == 1)
                client.close()
                self.free_again(before)

    def test_many_at_once(self):
        before = self.aborted()
        clients = [raw_post(self.server, TEXT, endless(prompt=f"{i} times", seed=i))
                   for i in range(8)]
        wait_for("all run", lambda: self.running() == 8)
        for client in clients:
            client.close()
        wait_for("nothing runs", lambda: self.running() == 0)
        wait_for("all count as given up", lambda: self.aborted() == before + 8)
        self.assertEqual(self.server.metric("vllm:kv_cache_usage_perc"), 0)


class Ending(ServerTest):
    def first_line(self, server, path, body):
        stream = server.stream(path, body)
        return stream, next(stream)

    def test_at_once_where_nothing_runs(self):
        server = self.start()
        self.assertEqual(server.get("/ready").status, 200)
        self.assertEqual(server.stop(), 0)
        self.assertIn("Hearth has stopped\n", server.log)

    def test_who_is_inside_no_request_is_closed_at_once(self):
        server = self.start("--drain", "600")
        stream, _ = self.first_line(server, TEXT, endless())
        health = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        clients = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
                   for _ in range(60)]
        for i, client in enumerate(clients):
            if i % 3 == 1:                   # its answer was read, and it may ask again
                client.sendall(health)
                self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200"))
            elif i % 3 == 2:                 # in the middle of a head
                client.sendall(health[:30])
        server.terminate()
        for client in clients:
            try:
                self.assertEqual(client.recv(4096), b"")
            except ConnectionResetError:
                pass
            client.close()
        self.assertTrue(next(stream).startswith("data: "), "the stream goes on")
        stream.close()
        self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_a_stream_may_end(self):
        server = self.start("--drain", "600")
        stream, _ = self.first_line(server, TEXT, endless(max_tokens=150))
        server.terminate()
        lines = list(stream)
        self.assertEqual(lines[-1], "data: [DONE]")
        self.assertEqual(json.loads(lines[-2][6:])["choices"][0]["finish_reason"], "length")
        self.assertEqual(server.stop(), 0)

    def test_no_more_are_taken_meanwhile(self):
        server = self.start()
        stream, _ = self.first_line(server, TEXT, endless())
        server.terminate()

        def refused():
            try:
                return server.get("/ready").status == 503
            except OSError:
                return True
        wait_for("others are refused", refused)
        self.assertTrue(next(stream).startswith("data: "))
        server.terminate()                   # the second one does not wait
        self.assertEqual(server.process.wait(PATIENCE), 0)
        stream.close()

    def test_without_a_drain_a_stream_says_why(self):
        for path, body in ((TEXT, endless()),
                           ("/api/generate", {"model": MODEL, "prompt": "x", "raw": True,
                                              "options": {"num_predict": 7000,
                                                          "ignore_eos": True}})):
            with self.subTest(path=path):
                server = self.start("--drain", "0")
                stream, _ = self.first_line(server, path, body)
                server.terminate()
                lines = list(stream)
                if path == TEXT:
                    self.assertEqual(lines.pop(), "data: [DONE]")
                    self.assertTrue(json.loads(lines[-1][6:])["error"]["message"])
                else:
                    self.assertTrue(json.loads(lines[-1])["error"])
                self.assertEqual(server.stop(), 0)

    def test_without_a_drain_who_waits_is_told(self):
        server = self.start("--drain", "0")
        client = raw_post(server, TEXT, endless(stream=False))
        wait_for("it runs", lambda: server.metric("vllm:num_requests_running") == 1)
        server.terminate()
        answer = client.makefile("rb").read()
        client.close()
        self.assertRegex(answer.split(b"\r\n")[0], rb"^HTTP/1.1 5\d\d ")
        self.assertIn(b'"error"', answer)
        self.assertEqual(server.stop(), 0)


class Overload(ServerTest):
    def test_a_full_queue(self):
        server = self.start("--parallel", "1", "--queue", "1")
        words = "many words"
        holder = server.stream(TEXT, endless())
        next(holder)
        waiting = raw_post(server, TEXT, endless(prompt="waits", stream=False))
        wait_for("one waits", lambda: server.metric("vllm:num_requests_waiting") == 1)
        for path, body in ((TEXT, endless(stream=False)),
                           (TEXT, endless()),
                           ("/v1/chat/completions",
                            {"model": MODEL, "messages": [{"role": "user", "content": words}]}),
                           ("/api/generate", {"model": MODEL, "prompt": words}),
                           ("/api/chat", {"model": MODEL, "messages": [
                               {"role": "user", "content": words}]})):
            with self.subTest(path=path):
                answer = server.post(path, body)
                self.assertIn(answer.status, (429, 503), answer.body[:200])
                self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
                self.assertTrue(answer.error())
        self.assertEqual(server.metric("vllm:num_requests_running"), 1)
        self.assertTrue(next(holder).startswith("data: "), "who is served goes on")
        holder.close()
        waiting.close()
        wait_for("nothing is left", lambda: server.metric("vllm:num_requests_running") +
                 server.metric("vllm:num_requests_waiting") == 0)
        self.assertEqual(server.post(TEXT, endless(stream=False, max_tokens=2)).status, 200)

    def test_who_waits_too_long_is_told(self):
        # So long that a stream has begun by then, to say that it is still there.
        server = self.start("--parallel", "1", "--queue-time", "7")
        holder = raw_post(server, TEXT, endless(stream=False))
        wait_for("it runs", lambda: server.metric("vllm:num_requests_running") == 1)
        chat = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
        whole, events, lines = at_once([
            lambda: server.post(TEXT, endless(stream=False)),
            lambda: list(server.stream("/v1/chat/completions", chat)),
            lambda: list(server.stream("/api/chat", chat))])
        self.refused(whole, 503, "too long")
        self.assertGreaterEqual(int(whole.headers["Retry-After"]), 1)
        self.assertIn("too long", json.loads(events[-2][len("data: "):])["error"]["message"])
        self.assertEqual(events[-1], "data: [DONE]")
        self.assertIn("too long", json.loads(lines[-1])["error"])
        self.assertEqual(server.metric("vllm:num_requests_running"), 1, "who is served goes on")
        holder.close()

    def test_a_model_that_does_not_fit(self):
        server = self.start("--memory", "0.05")
        self.refused(server.post(TEXT, endless(stream=False)), 413, "memory")
        self.assertEqual(server.made(TEXT, {"model": TINY, "prompt": "x", "max_tokens": 1})
                         ["usage"]["completion_tokens"], 1)


class Log(ServerTest):
    SECRET = "word-that-no-log-may-hold"

    def test_lines(self):
        server = self.start(env={"HEARTH_API_KEY": self.SECRET})
        headers = {"Authorization": f"Bearer {self.SECRET}"}
        asked = {"model": TINY, "prompt": f"{self.SECRET} ", "max_tokens": 3, "temperature": 0}
        made = server.post(TEXT, asked, headers)
        server.post("/api/generate?" + self.SECRET, {**asked, "unknown_field": self.SECRET},
                    headers)
        server.post(TEXT, {**asked, "tools": [self.SECRET]}, headers)
        server.post(TEXT, {"model": TINY, "prompt": self.SECRET, "temperature": self.SECRET},
                    {"Authorization": self.SECRET + "x"})
        server.get("/nowhere", headers)
        self.assertEqual(server.stop(), 0)
        text = "".join(server.log)
        self.assertNotIn(self.SECRET, text)
        self.assertNotIn(made.json()["choices"][0]["text"].strip() or "\0", text)
        lines = [json.loads(x) for x in server.log if x.startswith("{")]
        requests = {x["id"]: x for x in lines if "method" in x}
        line = requests[made.headers["X-Request-Id"]]
        self.assertEqual((line["method"], line["path"], line["status"]), ("POST", TEXT, 200))
        self.assertEqual((line["model"], line["generated_tokens"]), (f"{TINY}:latest", 3))
        self.assertGreater(line["ms"], 0)
        self.assertEqual(sorted(x["status"] for x in requests.values()), [200, 200, 400, 401, 404])

    def test_quiet(self):
        server = self.start("--quiet")
        server.get("/api/tags")
        self.assertEqual(server.stop(), 0)
        self.assertFalse([x for x in server.log if x.startswith("{")])


class LongBodies(ServerTest):
    """What a worker reads; the answers are those of short ones."""

    def test_they_are_read_whole(self):
        short = {"model": TINY, "prompt": "Pack my box", "max_tokens": 3, "temperature": 0}
        padded = json.dumps(short).encode() + b" " * (1 << 20)
        self.assertEqual(self.server.made(TEXT, padded)["choices"],
                         self.server.made(TEXT, short)["choices"])
        long = "".join(f"é{i}\n" for i in range(40_000))
        tokens = self.server.made("/tokenize", {"model": MODEL, "prompt": long})["tokens"]
        self.assertGreater(len(tokens), 100_000)
        back = self.server.made("/detokenize", {"model": MODEL, "tokens": tokens})
        self.assertEqual(back["prompt"], long)

    def test_they_are_refused_in_the_words_of_the_route(self):
        for path, body in ((TEXT, {"prompt": LONG * 20}), ("/v1/chat/completions",
                           {"messages": [{"role": "user", "content": LONG * 20}]})):
            answer = self.server.post(path, {"model": MODEL, **body})
            self.refused(answer, 400, "8192")
            self.assertEqual(answer.json()["error"]["code"], "context_length_exceeded")
        cut = json.dumps({"model": MODEL, "prompt": "x" * 100_000}).encode()[:-1]
        for path in (TEXT, "/api/generate", "/api/create", "/api/show", "/tokenize",
                     "/detokenize"):
            self.refused(self.server.post(path, cut), 400, "JSON")
            deep = b'{"model":' + b"[" * 100_000
            self.refused(self.server.post(path, deep), 400)
        self.refused(self.server.ask("DELETE", "/api/delete", cut), 400, "JSON")

    def test_who_leaves_meanwhile(self):
        for body in ({"prompt": "word " * 1_000_000}, {"prompt": [40] * 500_000}):
            raw_post(self.server, TEXT, {"model": MODEL, **body}).close()
        wait_for("nothing runs", lambda: self.server.metric("vllm:num_requests_running") == 0)
        self.assertEqual(self.server.made(TEXT, {"model": TINY, "prompt": "x",
                                                 "max_tokens": 1})["usage"]["total_tokens"], 2)


class Clients(ServerTest):
    """Clients that do not behave."""

    def test_broken_requests_leave_others_alone(self):
        done = threading.Event()
        answers = []

        def ask():
            while not done.is_set():
                answers.append(self.server.get("/health").status)
        asking = threading.Thread(target=ask)
        asking.start()
        try:
            for data in (b"\r\n\r\n\0\0", b"GET / HTTP/9.9\r\n\r\n", b"X" * 100_000,
                         b"GET /api/tags HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n",
                         b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):
                with socket.create_connection(("127.0.0.1", self.server.port), 10) as client:
                    client.sendall(data)
                    client.shutdown(socket.SHUT_WR)
                    head = client.makefile("rb").read()
                    self.assertTrue(head == b"" or head.startswith(b"HTTP/1.1 4") or
                                    head.startswith(b"HTTP/1.1 505"), head[:80])
        finally:
            done.set()
            asking.join()
        self.assertEqual(set(answers), {200})
