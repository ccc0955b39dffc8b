#!/usr/bin/env bash
# From a fresh clone to a server: installs what is missing, builds Hearth, fetches a starter model,
# and starts.
#
#   ./start.sh                     starts the server and prints its address; Ctrl-C ends it
#   ./start.sh "question"          prints the answer, and nothing else, on stdout
#   ./start.sh --build-only        stops after the build
#
# HEARTH_STARTER=smollm2 takes the small model (98 MB) instead of qwen2.5-coder:1.5b (1.1 GB); it is
# also what is taken where less than 4 GB of memory or 3 GB of disk are free. Debian 12 is tested;
# Ubuntu 24.04 has the same packages, but was not tried.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$root/tools/setup.sh"
hearth="$root/build/release/hearth"
default_starter=qwen2.5-coder:1.5b
small_starter=smollm2

usage() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; }

in_store() { "$hearth" show "$1" >/dev/null 2>&1; }

# The starter model's name; says why when it is not the default.
choose_starter() {
  if [ -n "${HEARTH_STARTER:-}" ]; then
    echo "$HEARTH_STARTER"
    return
  fi
  local store="${HEARTH_MODELS:-${HEARTH_HOME:-$HOME/.hearth}}" memory disk
  memory=$(memory_free_mb) disk=$(disk_free_mb "$store")
  if [ "$memory" -lt 4000 ]; then
    say "only $memory MB of memory are free, so the small model $small_starter answers" \
      "(HEARTH_STARTER=$default_starter takes the larger one all the same)"
    echo "$small_starter"
  elif [ "$disk" -lt 3000 ] && ! in_store "$default_starter"; then
    say "only $disk MB of disk are free at $store, so the small model $small_starter answers" \
      "(HEARTH_STARTER=$default_starter takes the larger one all the same)"
    echo "$small_starter"
  else
    echo "$default_starter"
  fi
}

main() {
  local build_only= question= starter tests=ON
  while [ $# -gt 0 ]; do
    case "$1" in
      --build-only) build_only=1 ;;
      -h | --help) usage; return 0 ;;
      --) shift; question="$*"; break ;;
      -*) printf 'Error: no option %s; ./start.sh --help lists them\n' "$1" >&2; return 2 ;;
      *) question="$*"; break ;;
    esac
    shift
  done

  need_packages "${build_packages[@]}" "${fetch_packages[@]}"
  [ -z "$(missing_packages libgtest-dev)" ] || tests=OFF
  if [ -e "$root/build/release/build.ninja" ]; then
    build release hearth
  else
    build release hearth -DHEARTH_TESTS=$tests
  fi
  [ -z "$build_only" ] || { say "built: $hearth"; return 0; }

  starter=$(choose_starter)
  in_store "$starter" || "$root/tools/fetch_starter.sh" "$starter"
  if [ -n "$question" ]; then
    exec "$hearth" run "$starter" "$question" </dev/null  # what waits there was not meant for it
  fi
  cat >&2 <<TEXT
Hearth is built and has a model. Besides the server, which starts now, there is the chat:

    $hearth run $starter

TEXT
  exec "$hearth" serve
}

main "$@"
