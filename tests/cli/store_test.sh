#!/usr/bin/env bash
# The store through the real program: create, list, show, cp, rm, verify, intake; error lines and
# exit codes.   store_test.sh HEARTH.  Prints what failed; exit 1 then.
set -uo pipefail
hearth=$(realpath "$1")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
data="$root/tests/data/registry"
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
export HEARTH_HOME="$work/home" HOME="$work"
unset HEARTH_MODELS OLLAMA_MODELS
cd "$work" || exit 1
failures=0
checks=0

fault() { echo "line ${BASH_LINENO[1]}: $*"; failures=$((failures + 1)); }
check() {    # check WHAT EXPECTED ACTUAL
  checks=$((checks + 1))
  [ "$2" = "$3" ] || fault "$1: expected '$2', got '$3'"
}
contains() {    # contains WHAT PIECE TEXT
  checks=$((checks + 1))
  [[ "$3" == *"$2"* ]] || fault "$1: no '$2' in '$3'"
}
# refuses CODE PIECE ARGS...: exit code, one line on stderr that begins with Error:, nothing else.
refuses() {
  local code=$1 piece=$2 out rc
  shift 2
  out=$("$hearth" "$@" 2>"$work/err" </dev/null)
  rc=$?
  checks=$((checks + 1))
  local err
  err=$(cat "$work/err")
  [ "$rc" = "$code" ] || fault "$*: exit $rc, not $code"
  [ -z "$out" ] || fault "$*: prints '$out'"
  [ "$(wc -l <"$work/err")" = 1 ] || fault "$*: not one line: '$err'"
  [[ "$err" == "Error: "*"$piece"* ]] || fault "$*: no '$piece' in '$err'"
}
blobs() { find "$HEARTH_HOME/models/blobs" -type f -name 'sha256-*' | wc -l; }

# ---- words -------------------------------------------------------------------------------------
contains "no arguments" "Usage: hearth COMMAND" "$("$hearth")"
check "help" "$("$hearth")" "$("$hearth" --help)"
check "help of a command" "$("$hearth" help list)" "$("$hearth" list --help)"
contains "version" "hearth version " "$("$hearth" --version)"
refuses 2 "did you mean hearth list" lits
refuses 2 "there is no command 'frobnicate'" frobnicate
refuses 2 "there is no option '--frobnicate'" --frobnicate
refuses 2 "did you mean --json" list --jsn
refuses 2 "needs NAME" create
refuses 2 "needs SOURCE" cp
refuses 2 "does not know what to do with" verify one
[ ! -e "$HEARTH_HOME" ] || fault "words alone made a store"
"$hearth" list >/dev/full 2>"$work/err"
check "a full disk behind stdout" \
  "1 Error: the disk is full: the output is cut off; free some space" "$? $(cat "$work/err")"
{ sleep 0.2; "$hearth" list 2>"$work/err"; echo "$?" >"$work/rc"; } | true
check "a closed pipe" 1 "$(cat "$work/rc")"
contains "a closed pipe" "Error: the program that reads the output has gone" "$(cat "$work/err")"

# ---- create, list, show ------------------------------------------------------------------------
check "an empty store" "NAME    ID    SIZE    MODIFIED" "$("$hearth" list)"
check "an empty store as JSON" "[]" "$("$hearth" list --json)"
refuses 1 "there is no Modelfile here" create mine
printf 'FROM %s/tiny.gguf\nPARAMETER temperature 0\nPARAMETER stop "END"\nSYSTEM Be brief.\n' \
  "$data" >Modelfile
check "create" "created 'mine:latest'" "$("$hearth" create mine | cut -d' ' -f1,2)"
mkdir sub && cp "$data/tiny.gguf" sub/ && echo "FROM ./tiny.gguf" >sub/Recipe
"$hearth" create other:v1 -f sub/Recipe >/dev/null || fault "paths start from the Modelfile"
"$hearth" create piped -f - >/dev/null <sub/Recipe 2>/dev/null && fault "no tiny.gguf is here"
"$hearth" create quick --from "$data/tiny.gguf" >/dev/null || fault "create --from"
check "modes" "700 700" "$(stat -c %a "$HEARTH_HOME" "$HEARTH_HOME/models" | xargs)"
check "the weights are stored once" 1 \
  "$(find "$HEARTH_HOME/models/blobs" -size "$(stat -c %s "$data/tiny.gguf")c" | wc -l)"
check "list" "mine:latest other:v1 quick:latest" \
  "$("$hearth" list | awk 'NR > 1 { print $1 }' | sort | xargs)"
check "list with a prefix" 2 "$("$hearth" ls MI | wc -l)"
id=$("$hearth" list mine | awk 'NR > 1 { print $2 }')
check "the id is the digest of the manifest" "$id" \
  "$(sha256sum "$HEARTH_HOME/models/manifests/registry.ollama.ai/library/mine/latest" | cut -c1-12)"
contains "list as JSON" "\"digest\": \"$id" "$("$hearth" list --json)"
show=$("$hearth" show mine)
for piece in "architecture        llama" "quantization        Q8_0" "context length      128" \
  "embedding length    32" "temperature                    0" "Be brief." "Template (jinja)"; do
  contains "show" "$piece" "$show"
done
check "show --parameters" 'temperature 0;stop "END"' \
  "$("$hearth" show mine --parameters | sed 's/  */ /;$!s/$/;/' | tr -d '\n')"
check "show --system" "Be brief." "$("$hearth" show mine --system)"
contains "show --template" "{% for m in messages %}" "$("$hearth" show mine --template)"
contains "show --tokenizer" "eos       1 \"</s>\"" "$("$hearth" show mine --tokenizer)"
"$hearth" show mine --json | python3 -c '
import json, sys
m = json.load(sys.stdin)
assert m["parameters"] == 8 * 32 + 32 * 32 + 32 and m["context_length"] == 128, m
assert m["template_language"] == "jinja" and m["options"]["stop"] == ["END"], m
assert [t["type"] for t in m["tensor_types"]] == ["Q8_0", "F32"], m' || fault "show --json"
"$hearth" show mine --modelfile >again && "$hearth" create again -f again >/dev/null
check "a Modelfile makes the model again" "$id" \
  "$("$hearth" list again | awk 'NR > 1 { print $2 }')"
check "show of a path" "$("$hearth" show quick)" "$("$hearth" show "$data/tiny.gguf")"
contains "show of a folder" "safetensors" "$("$hearth" show "$data/folder")"
refuses 2 "one of" show mine --system --license
refuses 1 "no model 'nope'" show nope
refuses 1 "cannot open" show ./nope.gguf

# ---- what create refuses -----------------------------------------------------------------------
before=$(blobs)
bad() { printf '%s\n' "$2" >Bad; refuses 1 "$1" create bad -f Bad; }
bad "Bad: line 1: 'frm' is no instruction" "FRM x"
bad "Bad: line 2: top_p takes a number from 0 to 1, not '7'" $'FROM x\nPARAMETER top_p 7'
bad "line 2: unknown parameter 'tempratur'; did you mean temperature?" \
  $'FROM x\nPARAMETER tempratur 1'
bad "no such file and no such model" "FROM nothing"
bad "there is no such file" "FROM ./nothing.gguf"
bad "is neither a file nor a folder" "FROM /dev/zero"
head -c 900 "$data/tiny.gguf" >cut.gguf
bad "cut.gguf" "FROM ./cut.gguf"
printf 'GGUF' >four.gguf
bad "four.gguf" "FROM ./four.gguf"
for name in ../x /etc/passwd 'a b' a/b/c/d x:../../y '' $'a\nb' -- -x; do
  "$hearth" create --from "$data/tiny.gguf" -- "$name" >/dev/null 2>&1 &&
    fault "the name '$name' was taken"
  checks=$((checks + 1))
done
check "nothing was left behind" "$before" "$(blobs)"
check "no file outside the store" "" "$(find "$work" -newer Bad -name passwd)"

# ---- cp, rm ------------------------------------------------------------------------------------
check "cp" "copied 'mine:latest' to 'team/copy:2'" "$("$hearth" cp mine team/copy:2)"
refuses 1 "no model 'nope:latest'" cp nope x
refuses 1 "no model 'nope:latest'" rm mine nope
"$hearth" show mine >/dev/null || fault "rm removed one of two although the other was missing"
check "rm" "deleted 'mine:latest' deleted 'other:v1'" \
  "$("$hearth" rm MINE other:v1 | xargs -d '\n')"
check "the copy still works" "Be brief." "$("$hearth" show team/copy:2 --system)"
"$hearth" rm team/copy:2 again quick >/dev/null
check "all space is free again" 0 "$(blobs)"
"$hearth" create folder --from "$data/folder" >/dev/null
"$hearth" show folder >/dev/null      # makes the view
check "a folder comes back as it was" "" "$(for f in "$data"/folder/*; do
  cmp "$f" "$HEARTH_HOME/models/views/"*/"${f##*/}"; done 2>&1)"
check "the view" "config.json model.safetensors tokenizer.json tokenizer_config.json" \
  "$(ls "$HEARTH_HOME/models/views/"* | xargs)"
"$hearth" rm folder >/dev/null
check "the view goes with the model" "" "$(ls "$HEARTH_HOME/models/views")"

# ---- verify ------------------------------------------------------------------------------------
"$hearth" create mine >/dev/null
"$hearth" create well --from "$data/tiny.gguf" >/dev/null
contains "verify" ": clean" "$("$hearth" verify)"
blob=$(grep -lx "Be brief." "$HEARTH_HOME"/models/blobs/*)
printf 'B3' | dd of="$blob" conv=notrunc status=none
"$hearth" verify >out 2>err
check "verify of a damaged store" 1 $?
contains "verify names the blob" "$(basename "$blob")" "$(cat out)"
contains "verify names the model" "model mine:latest" "$(cat out)"
contains "verify says what to do" "--repair" "$(cat err)"
"$hearth" verify --json >out 2>/dev/null
python3 -c 'import json; assert len(json.load(open("out"))["problems"]) == 2' ||
  fault "verify --json"
"$hearth" verify --repair >/dev/null || fault "verify --repair"
contains "after the repair" ": clean" "$("$hearth" verify)"
check "what was whole stays" "well:latest" "$("$hearth" list | awk 'NR > 1 { print $1 }')"
printf '{"sch' >"$HEARTH_HOME/models/manifests/registry.ollama.ai/library/well/half"
contains "list goes on" "well:latest" "$("$hearth" list 2>/dev/null)"
contains "and warns" "Warning: manifest well:half" "$("$hearth" list 2>&1 >/dev/null)"
refuses 1 "is damaged" show well:half
"$hearth" rm well:half >/dev/null || fault "rm of a damaged manifest"

# ---- kill -9 in the middle ---------------------------------------------------------------------
for i in $(seq 1 15); do
  "$hearth" create "k$i" -f Modelfile >/dev/null 2>&1 & pid=$!
  sleep "0.00$((i % 10))$i"
  kill -9 "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  "$hearth" verify >/dev/null 2>err || fault "after kill -9: $(cat err)"
  checks=$((checks + 1))
done

# ---- several at once ---------------------------------------------------------------------------
pids=()
for i in 1 2 3 4 5 6; do
  ( for j in 1 2 3; do "$hearth" create "p$i:$j" >/dev/null && "$hearth" list >/dev/null &&
      "$hearth" rm "p$i:$j" >/dev/null || exit 1; done ) & pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || fault "six writers at once"; done
contains "after six writers" ": clean" "$("$hearth" verify)"

# ---- intake ------------------------------------------------------------------------------------
cp "$data/tiny.gguf" whole
split -b 1000 -d whole part.
size=$(stat -c %s whole) sha=$(sha256sum whole | cut -d' ' -f1)
take() { "$hearth" intake --sha256 "$sha" --size "$size" --of 3 "$@"; }
rm -rf "$HEARTH_HOME"
check "status of nothing" "next 1 of 3" "$(take --status)"
check "first part" "next 2 of 3" "$(take --part 1 part.00)"
refuses 1 "part 1 is out of order: part 2 comes next" \
  intake --sha256 "$sha" --size "$size" --of 3 --part 1 part.00
refuses 1 "fetch it again" \
  intake --sha256 "$sha" --size "$size" --of 3 --part 2 --bytes 1000 part.02
check "a broken part changes nothing" "next 2 of 3" "$(take --status)"
{ head -c 500 part.01; sleep 5; } | take --part 2 - >/dev/null 2>&1 & pid=$!
sleep 0.3
kill -9 "$(pgrep -P "$pid" -f intake || echo "$pid")" 2>/dev/null
kill "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
check "killed within a part" "next 2 of 3" "$(take --status)"
check "from standard input" "next 3 of 3" "$(take --part 2 --bytes 1000 - <part.01)"
check "an unfinished blob is no blob" "0 models, 0 blobs, 0 B: clean" "$("$hearth" verify)"
check "the last part" "done sha256:$sha" "$(take --part 3 part.02)"
check "once more" "done sha256:$sha" "$(take --status)"
printf 'FROM sha256:%s\n' "$sha" | "$hearth" create starter -f - >/dev/null || fault "FROM sha256:"
contains "it is the model" "Tiny" "$("$hearth" show starter)"
refuses 1 "no SHA-256 digest" intake --sha256 ../../x --size 1 --of 1 --part 1 whole
refuses 1 "have the digest" \
  intake --sha256 "$(printf '%064d' 0)" --size "$size" --of 1 --part 1 whole

# ---- environment -------------------------------------------------------------------------------
OLLAMA_MODELS="$work/theirs" "$hearth" create t --from "$data/tiny.gguf" >/dev/null
[ -e "$work/theirs/blobs" ] || fault "OLLAMA_MODELS is honoured"
HEARTH_MODELS="$work/ours" OLLAMA_MODELS="$work/theirs" \
  "$hearth" create t --from "$data/tiny.gguf" >/dev/null
[ -e "$work/ours/blobs" ] || fault "HEARTH_MODELS comes before OLLAMA_MODELS"
contains "the default" ".hearth" "$(unset HEARTH_HOME; "$hearth" create t --from "$data/tiny.gguf" \
  >/dev/null; ls -d "$work/.hearth")"
HEARTH_HOME=/proc/none refuses 1 "cannot make the folder" create t --from "$data/tiny.gguf"
HEARTH_HOME="$work/whole" refuses 1 "whole" create t --from "$data/tiny.gguf"

# ---- a full disk -------------------------------------------------------------------------------
# A file system of 512 KiB in a name space of our own, where the system allows one.
full_disk() {
  mount -t tmpfs -o size=512k tmpfs small || return 77
  local HEARTH_HOME="$PWD/small/home" code
  export HEARTH_HOME
  "$1" create ok --from "$2" >/dev/null || return 1
  head -c 900000 /dev/zero >big.bin
  "$1" intake --sha256 "$(sha256sum big.bin | cut -c1-64)" --size 900000 --of 1 --part 1 big.bin
  code=$?
  "$1" create no --from "$2" >/dev/null && return 1     # no space for that either
  "$1" show ok >/dev/null && "$1" verify && [ "$code" = 1 ]
}
mkdir small
export -f full_disk
unshare -rm bash -c 'full_disk "$@"' _ "$hearth" "$data/tiny.gguf" >out 2>err
rc=$?
if grep -qE "unshare|mount:" err; then
  echo "not tried: a full disk (no name space or mount here)"
else
  check "a full disk: the store stays whole" 0 "$rc"
  check "a full disk is named, twice" 2 "$(grep -cE "^Error: .*(No space left|MB free)" err)"
fi

[ "$failures" = 0 ] && echo "all $checks checks passed"
[ "$failures" = 0 ]
