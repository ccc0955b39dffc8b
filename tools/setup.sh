# What start.sh and test.sh share: messages, packages, memory and disk, builds. Sourced by bash with
# $root set to the repository. Everything said goes to stderr.

sys_root="${sys_root:-}"          # tests read another machine's /proc and /sys
build_packages=(g++ cmake ninja-build ccache pkg-config libfmt-dev libspdlog-dev
  nlohmann-json3-dev libssl-dev libcurl4-openssl-dev libpcre2-dev libicu-dev
  prometheus-cpp-dev
  "libboost1.81-dev|libboost1.83-dev")  # Debian 12 has the one, Ubuntu 24.04 the other
fetch_packages=(python3 python3-pip unzip ca-certificates)
test_packages=(libgtest-dev git tmux curl)

say() { printf '[%4d s] %s\n' "$SECONDS" "$*" >&2; }
die() { printf 'Error: %s\n' "$*" >&2; exit 1; }

# Those of the given Debian packages that are not installed. "a|b" asks for one of them.
missing_packages() {
  local installed package name there names="${*//|/ }"
  # shellcheck disable=SC2086 (names are words)
  installed=" $(dpkg-query -W -f='${db:Status-Abbrev}${Package} ' $names 2>/dev/null) "
  for package in "$@"; do
    there=
    for name in ${package//|/ }; do
      case "$installed" in *" ii $name "*) there=1 ;; esac
    done
    [ -n "$there" ] || printf '%s ' "$package"
  done
}

# Of each "a|b" the first that this system's archive has.
known_packages() {
  local package name known
  for package in "$@"; do
    known=
    for name in ${package//|/ }; do
      if [ -z "$known" ] && apt-cache show "$name" >/dev/null 2>&1; then known=$name; fi
    done
    printf '%s ' "${known:-${package%%|*}}"
  done
}

# Runs a command as root, through sudo where we are somebody else.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs what is missing of the given packages; touches nothing when nothing is.
need_packages() {
  command -v dpkg-query >/dev/null ||
    { say "this is no Debian or Ubuntu: install what corresponds to: $*"; return 0; }
  local missing log="$root/build/packages.log"
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    die "these packages are missing: $missing- install them as root: apt-get install $missing"
  say "installing packages: $missing"
  mkdir -p "$root/build"
  as_root apt-get -q update >"$log" 2>&1 ||
    say "apt-get update failed ($(grep -m1 -E '^(E|W|Err)' "$log" || tail -n1 "$log")); going on"
  # shellcheck disable=SC2086 (names are words)
  missing=$(known_packages $missing)
  # shellcheck disable=SC2086
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
    $missing >>"$log" 2>&1 && return 0
  grep -E '^E:' "$log" | tail -n 5 >&2
  die "apt-get could not install: $missing- is the network there? All it said is in $log;" \
    "when it works again, run this command once more"
}

# Megabytes of memory that a new process can use: what the kernel calls available, within the
# limit of the cgroup (files that only sit in its cache do not count).
memory_free_mb() {
  local kb limit used cached dir="$sys_root/sys/fs/cgroup" own
  kb=$(awk '/^MemAvailable:/ { print $2 }' "$sys_root/proc/meminfo")
  own=$(awk -F: '$1 == 0 { print $3 }' "$sys_root/proc/self/cgroup" 2>/dev/null)
  [ -e "$dir$own/memory.max" ] && dir="$dir$own"
  if [ -e "$dir/memory.max" ]; then
    limit=$(cat "$dir/memory.max") used=$(cat "$dir/memory.current")
  elif [ -e "$dir/memory/memory.limit_in_bytes" ]; then
    dir="$dir/memory" limit=$(cat "$dir/memory.limit_in_bytes")
    used=$(cat "$dir/memory.usage_in_bytes")
  fi
  if [[ "${limit:-max}" =~ ^[0-9]{1,17}$ ]]; then
    cached=$(awk '$1 == "inactive_file" { print $2 }' "$dir/memory.stat" 2>/dev/null)
    limit=$(( (limit - used + ${cached:-0}) / 1024 ))
    [ "$limit" -ge "$kb" ] || kb=$limit
  fi
  echo $((kb / 1024))
}

# Megabytes free where the given path is, or will be.
disk_free_mb() {
  local dir=$1
  while [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
  df -Pm "$dir" | awk 'NR == 2 { print $4 }'
}

# Compilers at once: one per processor, and no more than memory holds.
build_jobs() {
  local jobs by_memory
  jobs=$(nproc) by_memory=$(($(memory_free_mb) / 900))
  [ "$by_memory" -ge "$jobs" ] || jobs=$by_memory
  [ "$jobs" -ge 1 ] || jobs=1
  echo "$jobs"
}

# Passes lines of a build on to a log, and shows how far it is: on a terminal in one line, else
# every 15 seconds.
show_progress() {
  local line last=$SECONDS
  while IFS= read -r line; do
    printf '%s\n' "$line" >&3
    [[ "$line" =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    if [ -t 2 ]; then
      printf '\r[%4d s] %s of %s steps ' "$SECONDS" "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" >&2
    elif [ $((SECONDS - last)) -ge 15 ]; then
      last=$SECONDS
      say "${BASH_REMATCH[1]} of ${BASH_REMATCH[2]} steps"
    fi
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
}

# Whether the build in folder $1 was configured with each of the given -DNAME=VALUE.
configured() {
  local dir=$1 option name
  [ -e "$dir/build.ninja" ] || return 1
  for option in "${@:2}"; do
    name=${option%%=*} name=${name#-D}
    grep -qE "^$name:[A-Z]+=${option#*=}\$" "$dir/CMakeCache.txt" || return 1
  done
}

# Whether any source is newer than file $1.
changed_since() {
  [ -n "$(find "$root/src" "$root/tests" "$root/cmake" "$root/CMakeLists.txt" \
    "$root/CMakePresets.json" -not -path '*/data/*' -not -name __pycache__ -newer "$1" \
    -print -quit)" ]
}

# build PRESET TARGET [-DNAME=VALUE...]: configures where needed and builds. Nothing is run when no
# source has changed since the last build of the same target with the same options.
build() {
  local preset=$1 target=$2 dir="$root/build/$1" stamp log
  shift 2
  stamp="$dir/.built-$target" log="$dir/build.log"
  if [ -e "$stamp" ] && configured "$dir" "$@" && ! changed_since "$stamp"; then
    return 0
  fi
  mkdir -p "$dir"
  touch "$stamp.new"                         # what changes from now on is built next time
  say "building ($preset, $target)"
  : >"$log"
  if ! configured "$dir" "$@"; then
    (cd "$root" && cmake --preset "$preset" "$@") >>"$log" 2>&1 ||
      { tail -n 15 "$log" >&2; die "cmake failed; all it said is in $log"; }
  fi
  # pipefail is set by whoever sources this
  cmake --build "$dir" --target "$target" -j "$(build_jobs)" 2>&1 | show_progress 3>>"$log" ||
    { { grep -m1 -A12 -E '^FAILED|error:' "$log" || tail -n 15 "$log"; } | cut -c 1-400 >&2
      die "the build failed; all it said is in $log"; }
  mv "$stamp.new" "$stamp"
  say "built"
}
