"""Plays another program in peerlib_test.py, which copies it under that program's name.

It takes the flags that llama-bench (llama.cpp 0c1e570), that of ik_llama.cpp (8337e4cd3) and
llama-batched-bench take of those that peers.py gives, refuses others, and prints what those print,
with other figures in every call. Beside it, calls.jsonl keeps what it was given and what it told:
a row [tokens read, tokens made, depth or sequences, tokens/s] for each figure.

STAND_IN_FAILS and STAND_IN_BABBLES name the call that ends with an error, that prints something
else.
"""
import json
import os
import pathlib
import sys

KIND = pathlib.Path(sys.argv[0]).name
FLAGS = {"llama-bench": "-m -t -r -o -p -n -d --n-depth --repack",
         "ik-bench": "-m -t -r -o -p -n -gp -w -rtr --run-time-repack",
         "llama-batched-bench": "-m -t -c -npp -ntg -npl --output-format"}
ALONE = {"llama-bench": ["--no-warmup"], "llama-batched-bench": ["--no-repack"]}


def parse(words):
    """{flag: what follows it}"""
    words, given = list(words), {}
    valued, alone = FLAGS[KIND].split(), ALONE.get(KIND, [])
    if "--help" in words:
        print("usage:\n" + "\n".join(f"  {flag} <n>" for flag in valued + alone))
        sys.exit()
    while words:
        word = words.pop(0)
        if word not in valued + alone:
            sys.exit(f"error: invalid parameter for argument: {word}")
        given[word] = words.pop(0) if word in valued else ""
    return given


class Call:
    def __init__(self, given, count):
        self.given, self.count, self.told = given, count, []

    def figure(self, speed, *row):
        """Settings differ by more than calls do."""
        if self.given.get("--repack") == "0" or "--no-repack" in self.given:
            speed *= 1.5
        if self.given.get("-rtr") == "1":
            speed *= 0.5
        self.told.append([*row, round(speed + 7 * self.count % 10 / 4 + self.count / 100, 6)])
        return self.told[-1][-1]

    def row(self, prompt, made, depth=0, after=0):
        ik = KIND == "ik-bench"
        speed = self.figure(1000 if prompt else 100, prompt, made, depth or after)
        return {"build_commit": "8337e4cd3" if ik else "0c1e570", "build_number": 1,
                "cpu_info": "AMD EPYC", "model_filename": self.given["-m"],
                "model_type": "llama 256M Q4_1", "n_batch": 2048,
                "n_threads": int(self.given["-t"]), "type_k": "f16", "tensor_split": "0.00",
                "n_prompt": prompt or after, "n_gen": made, **({} if ik else {"n_depth": depth}),
                "test_time": "2026-11-28T03:59:16Z", "avg_ns": 4647980409, "stddev_ns": 0,
                "avg_ts": speed, "stddev_ts": 0.0, "samples_ns": [4647980409],
                "samples_ts": [speed]}

    def bench(self):
        prompt, made, depth = (int(self.given.get(flag, 0)) for flag in ("-p", "-n", "-d"))
        rows = [self.row(*test, depth) for test in ((prompt, 0), (0, made)) if any(test)]
        if "-gp" in self.given:
            after, made = map(int, self.given["-gp"].split(","))
            rows.append(self.row(0, made, after=after))
        if KIND == "ik-bench":
            print("~ggml_backend_cpu_context: [0] done")
        print("[\n" + ",\n".join(json.dumps(row, indent=4) for row in rows) + "\n]")

    def batched(self):
        read, made, room = (int(self.given[flag]) for flag in ("-npp", "-ntg", "-c"))
        print()
        for side in map(int, self.given["-npl"].split(",")):
            if side * (read + made) > room:
                sys.exit("failed to decode the batch")
            print(json.dumps({"n_kv_max": room, "n_threads": int(self.given["-t"]), "pp": read,
                              "tg": made, "pl": side, "n_kv": side * (read + made),
                              "t_pp": 0.304412, "speed_pp": 26.280172, "t_tg": 0.201643,
                              "speed_tg": self.figure(100 * side ** 0.5, 0, made, side),
                              "t": 0.506055, "speed": 19.760698}))
        print()


def main():
    given = parse(sys.argv[1:])
    log = pathlib.Path(sys.argv[0]).with_name("calls.jsonl")
    count = len(log.read_text().splitlines()) + 1 if log.exists() else 1
    call = Call(given, count)
    if os.environ.get("STAND_IN_FAILS") == str(count):
        print("[")  # as the real one does
        sys.exit("llama_bench: error: failed to load model 'x'")
    if os.environ.get("STAND_IN_BABBLES") == str(count):
        print("Segmentation of the market\n[\n]")
    elif KIND == "llama-batched-bench":
        call.batched()
    else:
        call.bench()
    with log.open("a") as file:
        file.write(json.dumps({"program": KIND, "given": given, "told": call.told}) + "\n")


if __name__ == "__main__":
    main()
