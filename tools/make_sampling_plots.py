#!/usr/bin/env python3
"""Draw what each sampler does to a real distribution: docs/sampling/NAME.svg.

    make_sampling_plots.py docs/sampling --hearth BINARY --model smollm2

Each plot shows the likeliest next tokens of SmolLM2 after a prompt, before the chain (outlines) and
after it (bars), as `hearth generate --logprobs` and `--logprobs-after` give them.
"""
import argparse
import html
import json
import math
import pathlib
import subprocess

TALE = "Once upon a time, in a small village, there lived a"
SAID = ("A wise king and a wise woman went into the woods. " + TALE)
AGAIN = (TALE + " wise woman. " + TALE)
OFF = ["--top-k", "0", "--top-p", "1", "--temperature", "1"]
SHOWN = 24

# name: (prompt, flags). The last --temperature counts.
PLOTS = {
    "greedy": (TALE, "--temperature 0"),
    "temperature": (TALE, "--temperature 0.5"),
    "temperature-high": (TALE, "--temperature 1.8"),
    "dynamic-temperature": (TALE, "--temperature 0.8 --dynatemp-range 0.7"),
    "top-k": (TALE, "--top-k 8"),
    "top-p": (TALE, "--top-p 0.5"),
    "min-p": (TALE, "--min-p 0.2"),
    "typical": (TALE, "--typical-p 0.4"),
    "top-n-sigma": (TALE, "--top-n-sigma 1"),
    "xtc": (TALE, "--xtc-probability 1 --xtc-threshold 0.05"),
    "mirostat-1": (TALE, "--mirostat 1 --mirostat-tau 2"),
    "mirostat-2": (TALE, "--mirostat 2 --mirostat-tau 2"),
    "penalties": (SAID, "--repeat-penalty 1.1 --frequency-penalty 0.5"),
    "dry": (AGAIN, "--dry-multiplier 0.8 --dry-allowed-length 8"),
    "no-repeat-ngram": (AGAIN, "--no-repeat-ngram-size 4"),
    "bad-words": (TALE, "--bad-word wise --bad-word brave"),
}


def generate(options, prompt, flags):
    command = [options.hearth, "generate", options.model, "--raw", "--prompt", prompt,
               "--max-tokens", "1", *OFF]
    run = subprocess.run([*command, *flags], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def distribution(options, prompt, flags, count):
    """{token: (text, probability)}, the likeliest first."""
    rows = generate(options, prompt, [*flags, "--ignore-eos", "--logprobs", str(count)])
    top = rows["logprobs"][0]["top"]
    return {row["token"]: (row["text"], math.exp(row["logprob"])) for row in top}


def svg(title, before, after):
    shown = list(before)[:SHOWN]
    chances = [before[t][1] for t in shown] + [after.get(t, ("", 0))[1] for t in shown]
    left, width, height, step = 44, 660, 220, 25
    highest = max(chances)
    scale = 130 / highest
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
           f'font-family="sans-serif" font-size="10" fill="#888">',
           f'<title>{html.escape(title)}</title>']
    for share in (0, highest / 2, highest):
        y = 145 - share * scale
        out.append(f'<path d="M{left} {y:.1f}H{width - 8}" stroke="#8884"/>'
                   f'<text x="{left - 6}" y="{y + 3:.1f}" text-anchor="end">{share:.0%}</text>')
    for i, token in enumerate(shown):
        x = left + 4 + i * step
        text, old = before[token]
        new = after.get(token, ("", 0))[1]
        out.append(f'<rect x="{x}" y="{145 - new * scale:.1f}" width="17" '
                   f'height="{new * scale:.1f}" fill="#4a90d9"/>')
        out.append(f'<rect x="{x}" y="{145 - old * scale:.1f}" width="17" '
                   f'height="{old * scale:.1f}" fill="none" stroke="#888"/>')
        out.append(f'<text transform="translate({x + 12} 154) rotate(-60)" text-anchor="end">'
                   f'{html.escape(text.strip() or repr(text))}</text>')
    return "\n".join(out) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--hearth", required=True)
    parser.add_argument("--model", required=True)
    options = parser.parse_args()
    for name, (prompt, flags) in PLOTS.items():
        before = distribution(options, prompt, [], SHOWN)
        after = distribution(options, prompt, [*flags.split(), "--logprobs-after"], 1000)
        (options.out / f"{name}.svg").write_text(svg(flags, before, after))
        left = sum(p > 0 for _, p in after.values())
        print(name, len(after), left, f"{sum(p for _, p in after.values()):.4f}")


if __name__ == "__main__":
    main()
