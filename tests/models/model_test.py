#!/usr/bin/env python3
"""A real model through the program that users run: the same token ids and the same greedy answers
as another implementation gave in float32 (answers.json; make_answers.py made it).

    model_test.py --hearth BINARY --model NAME      NAME in the store $HEARTH_TEST_HOME

Exit 77, with a sentence, where the model is not there.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77


class Hearth:
    def __init__(self, binary, home):
        self.binary = binary
        self.env = dict(os.environ, HEARTH_HOME=home)

    def __call__(self, *arguments, check=True):
        run = subprocess.run([self.binary, *arguments], env=self.env, capture_output=True,
                             text=True, timeout=900)
        if check and run.returncode != 0:
            sys.exit(f"hearth {' '.join(arguments)[:200]}: exit {run.returncode}: {run.stderr}")
        return run


def compare(hearth, model, row, ends):
    """What differs, as sentences."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as text, \
            tempfile.NamedTemporaryFile("w", suffix=".json") as ids:
        text.write(row["prompt"])
        text.flush()
        got = json.loads(hearth("tokenize", model, "--file", text.name).stdout)
        if got != row["ids"]:
            yield f"tokens of {row['prompt']!r}: {got}, expected {row['ids']}"
        json.dump(row["ids"], ids)
        ids.flush()
        yield from compare_answer(hearth, model, row, ends, "--tokens", ids.name)


def compare_answer(hearth, model, row, ends, *prompt):
    """The greedy answer to a prompt that the options `prompt` give."""
    made = json.loads(hearth("generate", model, *prompt, "--max-tokens", str(len(row["greedy"])),
                             "--temperature", "0", "--precision", "exact").stdout)
    if not answers_agree(made, row["greedy"], ends):
        yield f"answer to {prompt}: {made['tokens']}, expected {row['greedy']}"


def answers_agree(made, greedy, ends):
    """Equal, or equal up to the token that ends an answer: the reference went on past it."""
    tokens = [t for t in made["tokens"] if t not in ends]
    length = next((i for i, t in enumerate(greedy) if t in ends), len(greedy))
    return tokens == greedy[:length] and \
        made["finish_reason"] == ("length" if length == len(greedy) else "stop")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    home = os.environ.get("HEARTH_TEST_HOME", "")
    hearth = Hearth(options.hearth, home)
    if not home or hearth("show", options.model, check=False).returncode != 0:
        print(f"{options.model} is not in the tests' store; ./test.sh fetches it where a network "
              "is there")
        return SKIPPED
    expected = json.loads((HERE / "answers.json").read_text())[options.model]
    problems = [p for row in expected["prompts"]
                for p in compare(hearth, options.model, row, expected["ends"])]
    for row in expected.get("gaps", []):
        problems += compare_answer(hearth, options.model, row, expected["ends"], "--prompt",
                                   row["before"], "--suffix", row["after"])
    first = expected["prompts"][0]  # its template is written out: raw, it gives what its ids give
    problems += compare_answer(hearth, options.model, first, expected["ends"], "--prompt",
                               first["prompt"], "--raw")
    if options.model == "smollm2":
        said = hearth("run", options.model, "What is the capital of France?").stdout
        if "Paris" not in said:
            problems.append(f"the capital of France: {said!r} does not name Paris")
    print("\n".join(problems) or f"{len(expected['prompts'])} prompts and "
          f"{len(expected.get('gaps', []))} gaps agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
