#!/usr/bin/env bash
# cmake/build_info.cmake: the commit is right, never stale, and leaves an unchanged header alone.
set -euo pipefail
command -v git > /dev/null && command -v cmake > /dev/null || { echo "skipped: no git or cmake"; exit 77; }
script=$1/cmake/build_info.cmake
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_CEILING_DIRECTORIES=${tree%/*}
unset GIT_DIR GIT_WORK_TREE
mkdir "$tree/src"
cd "$tree/src"

# expect TEXT: the header's commit is TEXT.
expect() {
  cmake -DSOURCE_DIR="${source:-$tree/src}" -DOUTPUT="$tree/info.h" -DVERSION=1.2.3 "-DCOMPILER=GNU 1, Release" -P "$script"
  grep -qx "#define LOE_BUILD_COMMIT \"$1\"" "$tree/info.h" || { echo "expected commit $1, got:"; cat "$tree/info.h"; exit 1; }
}
commit() { git -c user.name=a -c user.email=a@b commit -q --allow-empty -m "$1"; }

expect unknown
grep -qx '#define LOE_BUILD_VERSION "1.2.3"' "$tree/info.h"
git init -q .
expect unknown
echo 1 > file
git add file
commit one
expect "$(git rev-parse --short=12 HEAD)"
touch -d '2001-01-01' "$tree/info.h"
expect "$(git rev-parse --short=12 HEAD)"
[ "$(date -r "$tree/info.h" +%Y)" = 2001 ] || { echo "expected the unchanged header to be left alone"; exit 1; }
echo 2 > file
expect "$(git rev-parse --short=12 HEAD)-dirty"
git add file
commit two
expect "$(git rev-parse --short=12 HEAD)"
touch untracked
expect "$(git rev-parse --short=12 HEAD)"
mkdir vendored
source=$tree/src/vendored expect unknown
echo ok
