# shellcheck shell=bash
# Builds the functions as `sam build` does. The caller sets `chosen`, the functions, and `architectures`.

ARCHITECTURES=(x86_64 arm64)
PACKAGES=$TARGET/package

own_architecture() { [[ $(uname -m) == x86_64 ]] && printf x86_64 || printf arm64; }

# package_of ARCHITECTURE FUNCTION: its executable.
package_of() { printf '%s/%s/%s/bootstrap' "$PACKAGES" "$1" "$2"; }

# The folder in which cargo builds for an architecture. Each has its own: cargo locks a folder while it builds.
build_folder() { printf '%s/build/%s' "$PACKAGES" "$1"; }

build_packages() {
  local function
  title "Packages"
  for function in "${chosen[@]}"; do
    working "$function for ${architectures[*]} (a first time takes many minutes)" "$LOGS/package-$function.log" build_function "$function" ||
      die "$function cannot be built."
  done
}

# For all architectures at once, since link-time optimisation, the longest part, uses one core.
build_function() {
  local function=$1 architecture failed=0
  declare -A builds=()
  for architecture in "${architectures[@]}"; do
    build_package "$architecture" "$function" >"$LOGS/package-$function-$architecture.log" 2>&1 &
    builds[$architecture]=$!
  done
  for architecture in "${architectures[@]}"; do
    wait "${builds[$architecture]}" && continue
    failed=1
    printf '%s for %s (%s):\n' "$function" "$architecture" "$LOGS/package-$function-$architecture.log"
    tail -n 10 "$LOGS/package-$function-$architecture.log"
  done
  return "$failed"
}

# As aws_lambda_builders does: in the function's folder; without a target for the machine's own architecture.
build_package() {
  local architecture=$1 function=$2 flags=() jobs
  case $architecture in
    arm64) flags+=(--arm64) ;;
    x86_64) [[ $(uname -m) == x86_64 ]] || flags+=(--x86-64) ;;
  esac
  jobs=$((($(nproc) + ${#architectures[@]} - 1) / ${#architectures[@]}))
  cd "$ROOT/functions/$function" && PATH=$PACKAGE_TOOLS/bin:$PATH CARGO_TARGET_DIR=$(build_folder "$architecture") \
    CARGO_BUILD_JOBS=${CARGO_BUILD_JOBS:-$jobs} \
    cargo lambda build --release --bin "$function" "${flags[@]}" --lambda-dir "$PACKAGES/$architecture"
}
