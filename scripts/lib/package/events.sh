# shellcheck shell=bash
# Sends every event of events/ to the packaged executables, by the test that sends them to everyday builds. Each answer must be
# the documented one, and those of both architectures must be equal.

answer_events() {
  local architecture answered=()
  "$here/setup" build
  "$here/servers" start
  eval "$("$here/servers" env)"
  unset AWS_REGION AWS_DEFAULT_REGION
  build_programs usher ticket-audit
  cargo_build "Compiling the test" "$LOGS/package-test.log" test --locked --profile "$PROFILE" --workspace --test journeys --no-run ||
    die "The test does not compile."
  title "Events"
  for architecture in "${architectures[@]}"; do
    if [[ $architecture == "$(own_architecture)" || ($architecture == arm64 && $(uname -m) == x86_64) ]]; then
      stage "$architecture"
      working "every event, answered on $architecture" "$LOGS/package-events-$architecture.log" run_staged "$architecture" ||
        die "An answer on $architecture is not the documented one."
      answered+=("$architecture")
    else
      note "$architecture is not emulated on this machine"
    fi
  done
  ((${#answered[@]} == 2)) || return 0
  diff <(comparable "$PACKAGES/answers-${answered[0]}") <(comparable "$PACKAGES/answers-${answered[1]}") >&2 ||
    die "The architectures differ in the answers above."
  done_line "$(wc -l <"$PACKAGES/answers-${answered[0]}") answers, equal on both architectures"
}

# comparable FILE: the answers in the order of their events, without times and random identifiers.
comparable() {
  sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g; s/[0-9]{12,}/NUMBER/g; s/\b[0-9a-f]{16,}\b/IDENTIFIER/g' "$1" | LC_ALL=C sort
}

# The test takes programs from its own folder, which has a profile's name; the host takes the functions from there as well.
stage() {
  local architecture=$1 folder function test
  folder=$PACKAGES/run-$architecture/release
  rm -rf -- "$folder"
  mkdir -p "$folder"
  test=$(sed -n 's/.*Executable.*(\(.*journeys-[0-9a-f]*\)).*/\1/p' "$LOGS/package-test.log" | tail -n 1)
  [[ $test == /* ]] || test=$ROOT/$test
  cp "$test" "$folder/test"
  cp "$BUILT/usher" "$BUILT/ticket-audit" "$folder/"
  for function in "${all[@]}"; do
    if [[ $architecture == "$(own_architecture)" ]]; then
      ln -s "$PACKAGES/$architecture/$function/bootstrap" "$folder/$function"
    else
      printf '#!/bin/sh\nexec qemu-aarch64 -L /usr/aarch64-linux-gnu "%s"\n' "$PACKAGES/$architecture/$function/bootstrap" >"$folder/$function"
      chmod 755 "$folder/$function"
    fi
  done
}

run_staged() {
  local folder=$PACKAGES/run-$1 answers=$PACKAGES/answers-$1
  rm -f -- "$answers"
  cd "$ROOT/tests/journeys" && USHER_ANSWERS=$answers CARGO_TARGET_DIR=$folder "$folder/release/test" --test-threads 2 invoke::every invoke::ticks
}
