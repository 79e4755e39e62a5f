# shellcheck shell=bash
# Cargo: where it is, where it builds, and a build that shows how far it is.

[[ -x $HOME/.cargo/bin/cargo && ":$PATH:" != *":$HOME/.cargo/bin:"* ]] && PATH=$PATH:$HOME/.cargo/bin
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
# One profile for everything that runs on this machine, so that the dependencies are compiled once.
PROFILE=local
BUILT=$TARGET/$PROFILE

require_cargo() {
  local wanted
  wanted=$(sed -n 's/^channel *= *"\(.*\)".*/\1/p' "$ROOT/rust-toolchain.toml")
  command -v cargo >/dev/null || die "Rust is not installed (no cargo in PATH)." \
    "Get it from https://rustup.rs :  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" \
    "Then run this again. rustup fetches the right compiler ($wanted) by itself."
  if command -v rustup >/dev/null; then
    (cd "$ROOT" && rustc --version >/dev/null 2>&1) && return
    working "Fetching Rust $wanted" "$LOGS/rustup.log" rustup toolchain install "$wanted" --profile minimal -c clippy -c rustfmt ||
      die "rustup could not fetch Rust $wanted." "Is static.rust-lang.org reachable from here?"
  elif [[ $(rustc --version) != "rustc $wanted "* ]]; then
    die "This project builds with Rust $wanted; here is $(rustc --version)." "Install rustup (https://rustup.rs): it picks the compiler by rust-toolchain.toml."
  fi
}

# cargo_build LABEL LOG ARGUMENTS...: cargo's own bar on a terminal, a line now and then elsewhere.
cargo_build() {
  local label=$1 log=$2 began=$SECONDS pid told=$SECONDS code=0
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
      if ((SECONDS - told >= 20)); then
        told=$SECONDS
        note "$label ... $(grep -aoE '[0-9]+/[0-9]+' "$log" | tail -n 1) after $((SECONDS - began)) s"
      fi
    done
    wait "$pid" || code=$?
    at_work=''
    if ((code != 0)); then
      # The bar and the names of what went well are of no use now.
      tr '\r' '\n' <"$log" | grep -avE '^ *(Building|Compiling|Checking|Downloaded|Downloading|Blocking) |^$' >&2 || true
    fi
  fi
  ((code != 0)) || done_line "$label ${dim}$((SECONDS - began)) s${plain}"
  return "$code"
}

# Every program of the workspace in one build. Selecting packages (-p) would resolve features anew and compile
# many dependencies a second time; `usher up` therefore names binaries only.
build_programs() {
  cargo_build "Compiling (a first time takes minutes)" "$LOGS/build.log" build --locked --profile "$PROFILE" --workspace ||
    die "The build failed."
}

functions() { # the names of the functions: one folder each
  local folder
  for folder in "$ROOT"/functions/*/; do basename "$folder"; done
}

build_shipped() {
  local function names=()
  for function in $(functions); do names+=(--bin "$function"); done
  cargo_build "Compiling for shipment (link-time optimisation: many minutes)" "$LOGS/dist.log" \
    build --locked --profile dist "${names[@]}" || die "The build failed."
}
