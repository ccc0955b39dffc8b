#!/usr/bin/env bash
# Builds and runs every test; ends with one line, `N passed, N failed, N skipped`.
#
#   ./test.sh            what every change must pass: the unit tests under ASan and UBSan (dev), the
#                        command line, the docs, a real small model and tools/tidy with the program
#                        that users run (release)
#   ./test.sh --long     that, and what takes long or needs much: the unit tests as users build
#                        them, they and the server under ThreadSanitizer, a minute of fuzzing a
#                        target, other implementations in Python (tests/long), larger real models
#
# Installs what is missing (Debian 12; Ubuntu 24.04 has the same packages, but was not tried).
# Results are left in build/results.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$root/tools/setup.sh"
results="$root/build/results"
rounds=()
test_models=(smollm2)
fuzz_seconds=60

# The tests see only what they set themselves.
for variable in $(compgen -e HEARTH_) $(compgen -e OLLAMA_); do unset "$variable"; done
export HEARTH_TEST_HOME="$root/build/test-home"
export HEARTH_LOCAL=1  # no server that happens to run here

# run_ctest ROUND PRESET [CTEST-OPTION...]: one round of tests, with its results in its folder.
run_ctest() {
  local round=$1 preset=$2 dir="$results/$1"
  shift 2
  rounds+=("$dir")
  mkdir -p "$dir"
  say "testing: $round"
  GTEST_OUTPUT="xml:$dir/" ctest --no-tests=error --test-dir "$root/build/$preset" \
    -j "$(nproc)" --timeout 1200 --output-on-failure --output-junit "$dir/ctest.xml" "$@" 2>&1 |
    tee "$dir/ctest.log" | ctest_progress || true
}

# Shows rows as they end, and all that a failed one said.
ctest_progress() {
  local line row='^ *([0-9]+/[0-9]+) Test +#[0-9]+: ([^ ]+) \.*(.*)'
  while IFS= read -r line; do
    if [[ "$line" =~ $row ]]; then
      say "  ${BASH_REMATCH[1]} ${BASH_REMATCH[2]} ${BASH_REMATCH[3]}"
    elif [[ ! "$line" =~ ^(Internal|Test\ project|\ +Start) ]]; then
      printf '%s\n' "$line" >&2
    fi
  done
}

# outcome ROUND STATUS NAME [REASON]: a result of something that is no row of ctest.
outcome() { printf '%s\t%s\t%s\n' "$2" "$3" "${4:-}" >>"$results/$1/extra.tsv"; }

# Real models for the tests, in a store of their own. Without one, its tests skip and say so.
fetch_models() {
  local model
  for model in "${test_models[@]}"; do
    HEARTH_HOME="$HEARTH_TEST_HOME" "$root/tools/fetch_starter.sh" "$model" ||
      say "going on without $model: its tests will be skipped"
  done
}

# What each target found before lies in build/corpus, kept small: after a run the inputs that reach
# something new are merged into a fresh folder, which takes the old one's place.
fuzz() {
  local target name dir="$results/fuzz" corpus log
  rounds+=("$dir")
  mkdir -p "$dir"
  build fuzz fuzzers
  while IFS= read -r target; do
    name=$(basename "$target") corpus="$root/build/corpus/$name" log="$dir/$name.log"
    mkdir -p "$corpus"
    say "fuzzing: $name, $fuzz_seconds s"
    if (cd "$dir" && "$target" -max_total_time="$fuzz_seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 "$corpus" >"$log" 2>&1); then
      outcome fuzz passed "$name"
      say "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions"
      rm -rf "$corpus.merged" && mkdir "$corpus.merged"
      if "$target" -merge=1 -rss_limit_mb=2048 "$corpus.merged" "$corpus" >>"$log" 2>&1; then
        rm -rf "$corpus" && mv "$corpus.merged" "$corpus"
      fi
    else
      tail -n 20 "$log" >&2
      outcome fuzz failed "$name" "see $log"
    fi
  done < <(find "$root/build/fuzz" -type f -name 'fuzz_*' -perm -u+x | sort)
}

# What a script of tests/long is told, one argument a line.
arguments_of() {
  local build="$root/build/release/src" data="$root/../shared/data"
  case "$1" in
    container_python.py) echo "$build/container/test_container" ;;
    tokenizer_differential.py)
      printf '%s\n' --program "$build/tokenizer/tokenizer_encode_texts"
      [ ! -d "$data" ] || printf '%s\n' --text "$data/text/wiki.test.raw" \
        --strings "$data/strings/blns.json" ;;
    pre_tokenizers.py | sentencepiece_models.py)
      printf '%s\n' --program "$build/tokenizer/tokenizer_encode_texts" ;;
    tokenizer_json.py)
      printf '%s\n' --program "$build/tokenizer/tokenizer_json_cases" --files 3000 --characters ;;
    jinja_templates.py)
      printf '%s\n' --program "$build/template/template_render_requests"
      [ ! -d "$data" ] || printf '%s\n' --templates "$data/templates" ;;
    jinja_*.py) printf '%s\n' --program "$build/template/template_render_requests" ;;
    go_templates.py) printf '%s\n' --program "$build/template/go/go_template_requests" ;;
    *) printf '%s\n' --hearth "$root/build/release/hearth" ;;
  esac
}

# The scripts of tests/long compare with other implementations, which pip brings.
compare() {
  local venv="$root/build/venv" script name log dir="$results/compare" status arguments
  local imports='import torch, transformers, gguf, tokenizers, safetensors'
  local clients='import openai, ollama, langchain_openai, langchain_ollama'
  rounds+=("$dir")
  mkdir -p "$dir"
  if ! "$venv/bin/python" -c "$imports" 2>/dev/null; then
    say "installing torch, transformers, gguf, tokenizers in build/venv"
    python3 -m venv "$venv" && "$venv/bin/python" -m pip install --quiet torch transformers gguf \
      tokenizers numpy safetensors sentencepiece jinja2 protobuf >"$dir/pip.log" 2>&1 ||
      say "pip could not install them: $(tail -n 1 "$dir/pip.log" 2>/dev/null)"
  fi
  "$venv/bin/python" -c "$clients" 2>/dev/null ||
    "$venv/bin/python" -m pip install --quiet openai ollama langchain-openai langchain-ollama \
      >>"$dir/pip.log" 2>&1 || say "pip could not install clients of the server"
  "$venv/bin/python" -c "$imports" 2>/dev/null ||
    { outcome compare skipped tests/long "torch and transformers could not be installed"; return; }
  for script in "$root"/tests/long/*.py; do
    name=$(basename "$script") log="$dir/$(basename "$script").log" status=0
    say "comparing: $name"
    mapfile -t arguments < <(arguments_of "$name")
    "$venv/bin/python" "$script" "${arguments[@]}" >"$log" 2>&1 || status=$?
    case $status in
      0) outcome compare passed "$name" ;;
      77) outcome compare skipped "$name" "$(tail -n 1 "$log")" ;;
      *) tail -n 20 "$log" >&2; outcome compare failed "$name" "see $log" ;;
    esac
  done
}

main() {
  local long=
  case "${1:-}" in
    "") ;;
    --long) long=1 test_models+=(gemma3:270m qwen2.5-coder:0.5b) ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2; return 2 ;;
  esac
  need_packages "${build_packages[@]}" "${fetch_packages[@]}" "${test_packages[@]}"
  [ -z "$long" ] || need_packages clang-19 libclang-rt-19-dev python3-venv
  rm -rf "$results"
  mkdir -p "$results"

  build release hearth -DHEARTH_TESTS=ON
  fetch_models
  build dev all -DHEARTH_TESTS=ON
  run_ctest dev dev -LE surface
  run_ctest release release -L surface
  if [ -n "$long" ]; then
    build release all -DHEARTH_TESTS=ON
    run_ctest release-unit release -LE surface
    run_ctest release-models release -L long -C long
    HEARTH_TEST_LONG=1 run_ctest dev-long dev -R '^(malformed|engine)$'  # all mutants, all runs
    build tsan all -DHEARTH_TESTS=ON
    run_ctest tsan tsan -LE surface
    run_ctest tsan-server tsan -L surface
    fuzz
    compare
  fi
  say "results are in build/results"
  python3 "$root/tools/count_tests.py" "${rounds[@]}"
}

main "$@"
