# shellcheck shell=bash
# Cargo: its location, its target folder, and builds that show their progress.

[[ -x $HOME/.cargo/bin/cargo && ":$PATH:" != *":$HOME/.cargo/bin:"* ]] && PATH=$PATH:$HOME/.cargo/bin
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
# All local programs use one profile, so that dependencies are compiled once.
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

# cargo_build LABEL LOG ARGUMENTS...: cargo's progress bar on a terminal, elsewhere a line every 20 seconds.
cargo_build() {
  local label=$1 log=$2 began=$SECONDS pid printed=$SECONDS code=0
  shift 2
  cd "$ROOT" || return 1
  if [[ -t 2 && "${TERM:-dumb}" != dumb ]]; then
    cargo "$@" || code=$?
  else
    mkdir -p "$(dirname "$log")"
    note "$label ..."
    CARGO_TERM_PROGRESS_WHEN=always CARGO_TERM_PROGRESS_WIDTH=80 CARGO_TERM_COLOR=never cargo "$@" >"$log" 2>&1 </dev/null &
    pid=$! at_work=$!
    while kill -0 "$pid" 2>/dev/null; do
      sleep 0.2
      if ((SECONDS - printed >= 20)); then
        printed=$SECONDS
        note "$label ... $(grep -aoE '[0-9]+/[0-9]+' "$log" | tail -n 1) after $((SECONDS - began)) s"
      fi
    done
    wait "$pid" || code=$?
    at_work=''
    if ((code != 0)); then
      # Only the errors remain: the progress bar and the units that compiled are removed.
      tr '\r' '\n' <"$log" | grep -avE '^ *(Building|Compiling|Checking|Downloaded|Downloading|Blocking) |^$' >&2 || true
    fi
  fi
  ((code != 0)) || done_line "$label ${dim}$((SECONDS - began)) s${plain}"
  return "$code"
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

build_shipped() {
  local function names=()
  for function in $(functions); do names+=(--bin "$function"); done
  cargo_build "Compiling for shipment (link-time optimisation: many minutes)" "$LOGS/dist.log" \
    build --locked --profile dist "${names[@]}" || die "The build failed."
}
