# shellcheck shell=bash
# Runs `sam build` and compares its executables with the packages: what was checked is what is deployed.

compare_with_sam() {
  local artifacts=$PACKAGES/sam named function binary differing=0
  export AWS_DEFAULT_REGION=eu-central-1 AWS_EC2_METADATA_DISABLED=true SAM_CLI_TELEMETRY=0
  named=$("$PYTHON_TOOLS/bin/python" "$ROOT/scripts/lib/python/sam_functions.py" "$ROOT/template.yaml") ||
    die "The functions of template.yaml cannot be read."
  title "sam build"
  rm -rf -- "$artifacts"
  PATH=$PACKAGE_TOOLS/bin:$PATH CARGO_TARGET_DIR=$(build_folder arm64) working "sam build" "$LOGS/sam-build.log" \
    "$PYTHON_TOOLS/bin/sam" build --template-file "$ROOT/template.yaml" --build-dir "$artifacts" --base-dir "$ROOT" ||
    die "sam build fails."
  while read -r function binary; do
    if cmp -s "$artifacts/$function/bootstrap" "$(package_of arm64 "$binary")"; then
      done_line "$function is the packaged $binary"
    else
      differing=$((differing + 1))
      warn "$function is not the packaged $binary"
    fi
  done <<<"$named"
  ((differing == 0)) || die "sam build made other executables than scripts/package."
}
