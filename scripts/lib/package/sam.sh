# shellcheck shell=bash
# Runs `sam build` and compares its executables with the packages: what was checked is what is deployed.

compare_with_sam() {
  local artifacts=$PACKAGES/sam binary function file differing=0
  [[ " ${architectures[*]} " == *" arm64 "* ]] || die "--sam needs arm64, the template's architecture."
  ((${#chosen[@]} == ${#all[@]})) || die "--sam needs all functions."
  "$here/setup" all
  export AWS_DEFAULT_REGION=eu-central-1 AWS_EC2_METADATA_DISABLED=true SAM_CLI_TELEMETRY=0
  PATH=$PACKAGE_TOOLS/bin:$PATH CARGO_TARGET_DIR=$TARGET working "sam build" "$LOGS/sam-build.log" \
    "$PYTHON_TOOLS/bin/sam" build --template-file "$ROOT/template.yaml" --build-dir "$artifacts" --base-dir "$ROOT" ||
    die "sam build fails."
  for file in "$artifacts"/*/bootstrap; do
    function=$(basename "$(dirname "$file")")
    for binary in "${all[@]}"; do
      cmp -s "$file" "$PACKAGES/arm64/$binary/bootstrap" && break
      binary=''
    done
    if [[ -n $binary ]]; then
      done_line "$function is the packaged $binary"
    else
      differing=$((differing + 1))
      warn "$function is none of the packaged executables"
    fi
  done
  ((differing == 0)) || die "sam build made other executables than scripts/package."
}
