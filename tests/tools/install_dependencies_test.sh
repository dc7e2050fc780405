#!/usr/bin/env bash
# tools/install_dependencies against pretended dpkg, apt and sudo.   install_dependencies_test.sh SOURCE_DIR
set -euo pipefail
script=$1/tools/install_dependencies
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
unset LOE_SKIP_INSTALL

stub() {  # stub NAME BODY
  printf '#!/bin/bash\n%s\n' "$2" > "$place/bin/$1"
  chmod +x "$place/bin/$1"
}

# A machine with the packages of $place/installed; apt-get logs its arguments and installs nothing.
machine() {
  rm -rf "${place:?}"/*
  mkdir "$place/bin"
  ln -s "$(command -v bash)" "$place/bin/bash"
  ln -s "$(command -v env)" "$place/bin/env"
  touch "$place/log"
  stub id "echo $1"
  stub dpkg-query "$2"
  stub apt-get "echo \"\$*\" >> $place/log; $3"
}

run() { env -i PATH="$place/bin" "$place/bin/bash" "$script" "$@" > "$place/output" 2>&1; }
fail() { echo "$1"; echo "--- output"; cat "$place/output"; echo "--- apt-get"; cat "$place/log"; exit 1; }
calls() { grep -c "$1" "$place/log" || true; }

machine 1000 'echo installed' 'exit 1'
run || fail "complete machine without root: expected success"
[ ! -s "$place/log" ] || fail "complete machine: expected no apt-get call"
[ ! -s "$place/output" ] || fail "complete machine: expected silence"

machine 0 'case "$*" in *libhwy-dev) exit 1 ;; *cmake) echo config-files ;; *) echo installed ;; esac' ''
run build || fail "two missing, root: expected success"
[ "$(calls 'install -y --no-install-recommends cmake libhwy-dev$')" = 1 ] || fail "expected one install of cmake and libhwy-dev"
[ "$(calls update)" = 0 ] || fail "expected no update where the install succeeds"

machine 0 'exit 1' "case \"\$*\" in *update*) : > $place/lists ;; *) [ -e $place/lists ] ;; esac"
run || fail "no package lists: expected success after an update"
[ "$(calls update)" = 1 ] && [ "$(calls install)" = 2 ] || fail "expected install, update, install"

machine 0 'exit 1' 'exit 100'
if run; then fail "apt-get fails: expected failure"; fi
grep -q 'install_dependencies: expected to install build-essential .* apt-get failed' "$place/output" || fail "expected what failed"

machine 1000 'exit 1' 'exit 100'
if run; then fail "neither root nor sudo: expected failure"; fi
grep -q 'expected root or sudo to install build-essential' "$place/output" || fail "expected who can install what"
[ ! -s "$place/log" ] || fail "neither root nor sudo: expected no apt-get call"

machine 1000 'exit 1' ''
stub sudo 'echo sudo >> '"$place"'/log; exec "$@"'
run lint || fail "sudo: expected success"
[ "$(calls sudo)" = 1 ] && [ "$(calls clang-tidy)" = 1 ] || fail "expected apt-get through sudo"

machine 0 'exit 1' ''
if run nonsense; then fail "unknown group: expected failure"; fi
echo ok
