#!/usr/bin/env bash
# The SDK as a user meets it: installed into an empty prefix, found with find_package and pkg-config, built with
# Clang 19 and with g++ 12 under ASan, and run.
#   install_test.sh BUILD_DIR [HOST:PORT]     of a cluster's proxy; without one: everything must be unavailable
set -euo pipefail
build=$(realpath "$1")
proxy=("${@:2}")
source=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --component sdk --prefix "$work/sdk" >"$work/install.log" || { cat "$work/install.log"; exit 1; }

echo "installed headers include only the standard library and each other"
if grep -rhoE '#include [<"][^>"]+[>"]' "$work/sdk/include" | grep -vE '<(meridian/)?[a-z_]+(\.h)?>'; then exit 1; fi

echo "the library exports meridian::sdk and nothing else"
library=$(find "$work/sdk" -name 'libmeridian_client.so')
if nm -DC --defined-only "$library" | grep -v 'meridian::sdk::'; then exit 1; fi

# Side by side: building takes the processors, running mostly waits.
by_cmake() {
  local name=$1 cxx=$2 flags=$3
  { cmake -S "$source/outside" -B "$work/$name" -D CMAKE_CXX_COMPILER="$cxx" -D CMAKE_CXX_FLAGS="$flags" \
    -D CMAKE_PREFIX_PATH="$work/sdk" && cmake --build "$work/$name" && "$work/$name/outside" "${proxy[@]}"; }
}
by_pkg_config() {
  local modules
  modules=$(dirname "$(find "$work/sdk" -name 'meridian-client.pc')")
  # shellcheck disable=SC2046
  "$gcc" -std=c++20 "$source/outside/main.cc" -o "$work/by-pkg-config" \
    $(PKG_CONFIG_PATH=$modules pkg-config --cflags --libs meridian-client) &&
    LD_LIBRARY_PATH=$(dirname "$library") "$work/by-pkg-config" "${proxy[@]}"
}
gcc=$(command -v g++-12 || command -v g++)
by_cmake clang clang++-19 "-O1" >"$work/clang.log" 2>&1 & clang_pid=$!
by_cmake gcc-asan "$gcc" "-O1 -g -fsanitize=address" >"$work/gcc-asan.log" 2>&1 & gcc_pid=$!
by_pkg_config >"$work/pkg-config.log" 2>&1 & pkg_config_pid=$!

status=0
ended() {
  echo "$1: builds, and runs ${proxy[*]:-without a cluster}"
  if wait "$2"; then
    tail -n 1 "$work/$1.log"  # what the program says
  else
    echo "$1: FAILED"
    cat "$work/$1.log"
    status=1
  fi
}
ended clang "$clang_pid"
ended gcc-asan "$gcc_pid"
ended pkg-config "$pkg_config_pid"
exit "$status"
