# shellcheck shell=bash
# Cargo: its location, its target folder, and builds that show their progress.

[[ -x $HOME/.cargo/bin/cargo && ":$PATH:" != *":$HOME/.cargo/bin:"* ]] && PATH=$PATH:$HOME/.cargo/bin
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
# Demo, up and tests use one profile, so that dependencies are compiled once.
PROFILE=local
BUILT=$TARGET/$PROFILE

require_cargo() {
  local required
  required=$(sed -n 's/^channel *= *"\(.*\)".*/\1/p' "$ROOT/rust-toolchain.toml")
  command -v cargo >/dev/null || die "Rust is not installed (no cargo in PATH)." \
    "Get it from https://rustup.rs :  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" \
    "Then run this again. rustup installs Rust $required."
  if command -v rustup >/dev/null; then
    (cd "$ROOT" && rustc --version >/dev/null 2>&1) && return
    working "Fetching Rust $required" "$LOGS/rustup.log" rustup toolchain install "$required" --profile minimal -c clippy -c rustfmt ||
      die "rustup could not fetch Rust $required." "Is static.rust-lang.org reachable from here?"
  elif [[ $(rustc --version) != "rustc $required "* ]]; then
    die "This project builds with Rust $required; this machine has $(rustc --version)." "Install rustup (https://rustup.rs): it selects the compiler by rust-toolchain.toml."
  fi
}

# cargo_build LABEL LOG ARGUMENTS...: shows how many units cargo has compiled and about how long the others take.
cargo_build() {
  local label=$1 log=$2 began=$SECONDS pid code=0
  shift 2
  cd "$ROOT" || return 1
  mkdir -p "$(dirname "$log")"
  [[ -t 2 && "${TERM:-dumb}" != dumb ]] || note "$label ..."
  CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=80 CARGO_TERM_COLOR=never cargo "$@" >"$log" 2>&1 </dev/null &
  pid=$! at_work=$!
  watch_over "$pid" "$label" units_left "$log"
  wait "$pid" || code=$?
  at_work=''
  if ((code == 0)); then
    done_line "$label ${dim}$((SECONDS - began)) s${plain}"
  else
    # Only the errors: the progress bar and the units that compiled are removed.
    tr '\r' '\n' <"$log" | grep -avE '^ *(Building|Compiling|Checking|Downloaded|Downloading|Blocking) |^$' >&2 || true
  fi
  return "$code"
}

# units_left LOG SECONDS: prints the compiled units of all and, after some seconds, the minutes left.
# Late units take longer than early ones: PASSED has, for each tenth of the units, the share of the time in percent.
PASSED="0 4 7 10 22 30 38 51 64 74 100"
units_left() {
  local count
  count=$(tail -c 2000 "$1" | grep -aoE "[0-9]+/[0-9]+" | tail -n 1)
  [[ -n $count ]] || return 0
  awk -v compiled="${count%/*}" -v all="${count#*/}" -v seconds="$2" -v passed="$PASSED" 'BEGIN {
    split(passed, at); tenths = 10 * compiled / all; low = int(tenths)
    share = at[low + 1] + (tenths - low) * (at[low + 2] - at[low + 1])
    printf ", %d of %d units", compiled, all
    if (seconds >= 20 && compiled < all && share > 0) {
      left = seconds * (100 - share) / share
      if (left < 90) printf ", about %d s left", 10 * int(left / 10 + 1); else printf ", about %d min left", left / 60 + 0.5
    }
  }'
}

# build_programs [PROGRAM...]: compiles these programs, else all. Without -p: cargo then uses the features of the
# whole workspace, so that a later build of others compiles no dependency again.
build_programs() {
  local program selected=()
  for program in "$@"; do selected+=(--bin "$program"); done
  cargo_build "Compiling (a first time takes minutes)" "$LOGS/build.log" \
    build --locked --profile "$PROFILE" --workspace "${selected[@]}" || die "The build failed."
}

functions() { # prints the names of the functions: one folder each
  local folder
  for folder in "$ROOT"/functions/*/; do basename "$folder"; done
}

# The functions with the profile of packages, and the libraries of this machine.
build_shipped() {
  local function names=()
  for function in $(functions); do names+=(--bin "$function"); done
  cargo_build "Compiling for shipment (link-time optimisation: many minutes)" "$LOGS/release.log" \
    build --locked --release "${names[@]}" || die "The build failed."
}

build_all_but_functions() {
  local function excluded=()
  for function in $(functions); do excluded+=(--exclude "$function"); done
  cargo_build "Compiling (a first time takes minutes)" "$LOGS/build.log" \
    build --locked --profile "$PROFILE" --workspace "${excluded[@]}" --bins || die "The build failed."
}
