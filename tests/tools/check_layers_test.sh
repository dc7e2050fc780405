#!/usr/bin/env bash
# tools/check_layers accepts a proper tree and names each kind of violation.   check_layers_test.sh SOURCE_DIR
set -euo pipefail
command -v python3 > /dev/null || { echo "skipped: no python3"; exit 77; }
check=$1/tools/check_layers
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

fresh_tree() {
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/include/loe/{base,nn} "$tree"/src/{base,nn,io,train,backend/cpu,backend/reference}
  printf '#pragma once\n#include <vector>\ninline std::vector<int> base() { return {}; }\n' > "$tree/include/loe/base/base.h"
  printf '#include "loe/base/base.h"\n' > "$tree/include/loe/nn/nn.h"
  printf '#include "loe/base/base.h"\n#include "loe/nn/nn.h"\n' > "$tree/include/loe/loe.h"
  printf '#include <fmt/format.h>\n#include "loe/nn/nn.h"\n' > "$tree/src/nn/nn.cpp"
  printf '#include <hwy/highway.h>\n#include <unistd.h>\n' > "$tree/src/backend/cpu/kernel.cpp"
}

# refuses FILE LINE MESSAGE [FLAG]: the tree with LINE added to FILE is refused with MESSAGE.
refuses() {
  fresh_tree
  printf '%s\n' "$2" >> "$tree/$1"
  if output=$("$check" "$tree" ${4-} 2>&1); then
    echo "expected $1 with '$2' to be refused, but it passed: $output"
    exit 1
  fi
  case $output in
    *"$3"*) ;;
    *) echo "$1 with '$2': expected '$3', got: $output"; exit 1 ;;
  esac
}

fresh_tree
"$check" "$tree"
refuses src/base/base.cpp '#include "loe/nn/nn.h"' 'base may not include nn' --no-compile
refuses src/backend/cpu/kernel.cpp '#include "backend/reference/x.h"' 'expected a path below src/' --no-compile
touch_reference() { touch "$tree/src/backend/reference/x.h"; }
fresh_tree; touch_reference
printf '#include "backend/reference/x.h"\n' >> "$tree/src/backend/cpu/kernel.cpp"
if "$check" "$tree" --no-compile > /dev/null 2>&1; then echo "backend/cpu may not include backend/reference"; exit 1; fi
refuses src/nn/nn.cpp '#include <nlohmann/json.hpp>' 'nn may not include <nlohmann/json.hpp>' --no-compile
refuses src/nn/nn.cpp '#include <dnnl.hpp>' 'nn may not include <dnnl.hpp>' --no-compile
refuses src/nn/nn.cpp '#include <boost/any.hpp>' 'is no library this project uses' --no-compile
refuses src/nn/nn.cpp '#include <immintrin.h>' 'intrinsics belong in src/backend/cpu' --no-compile
refuses src/nn/nn.cpp '#include "loe/loe.h"' 'is for users' --no-compile
refuses src/nn/nn.cpp '#include "loe/nn/absent.h"' 'does not exist' --no-compile
refuses include/loe/nn/nn.h '#include <fmt/format.h>' 'public headers include the standard library only' --no-compile
refuses include/loe/nn/nn.h 'std::string text();' 'does not compile by itself'
refuses include/loe/nn/new.h '' 'expected it to include loe/nn/new.h' --no-compile
refuses src/loose.cpp '' 'in no part of the library' --no-compile
refuses src/nn/nn.cpp "$(yes '//' | head -700)" 'about 600 lines' --no-compile
fresh_tree
mkdir -p "$tree/include/loe/train"
touch "$tree"/include/loe/train/{run_state,trainer}.h
printf '#include "loe/train/%s.h"\n' run_state trainer >> "$tree/include/loe/loe.h"
printf '#include "loe/train/run_state.h"\n' > "$tree/src/io/io.cpp"
"$check" "$tree"
printf '#include "loe/train/trainer.h"\n' > "$tree/src/io/io.cpp"
if "$check" "$tree" --no-compile > /dev/null 2>&1; then echo "io may include only the run state of train"; exit 1; fi
echo ok
