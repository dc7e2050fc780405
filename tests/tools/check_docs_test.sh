#!/usr/bin/env bash
# tools/check_docs finds dead links, headings and make targets.   check_docs_test.sh SOURCE_DIR
set -euo pipefail
command -v python3 > /dev/null && command -v git > /dev/null || { echo "skipped: no python3 or git"; exit 77; }
check=$1/tools/check_docs
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"
git init -q .
mkdir docs
printf 'build:\n' > Makefile
printf '# Title\n## How `it` works\n[a](#how-it-works) [web](https://example.org)\n`make build`\n' > docs/a.md
printf '[a](docs/a.md#how-it-works) ![p](p.png)\n```\n[not a link](nowhere)\n```\n' > README.md
touch p.png
git add .
"$check" "$tree"
for line in '[x](absent.md)' '[x](docs/a.md#absent)' '<img width="3" src="absent.png">' 'run `make absent`'; do
  cp README.md kept
  echo "$line" >> README.md
  if output=$("$check" "$tree" 2>&1); then echo "expected '$line' to be refused"; exit 1; fi
  case $output in *README.md:5:*absent*) ;; *) echo "expected README.md:5 to be named, got: $output"; exit 1 ;; esac
  mv kept README.md
done
mkdir examples
printf 'int main() {\n  return 0;\n}\n' > examples/a.cpp
printf '# Code\n```cpp\nreturn 0;\n```\n[a](examples/a.cpp)\n' > README.md
"$check" "$tree"
sed -i 's/return 0/return 1/' README.md
if output=$("$check" "$tree" 2>&1); then echo "expected code that is not in the example to be refused"; exit 1; fi
case $output in *README.md:2:*'return 1'*) ;; *) echo "expected README.md:2 to be named, got: $output"; exit 1 ;; esac
echo ok
