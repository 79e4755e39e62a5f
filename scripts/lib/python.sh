# shellcheck shell=bash
# Python environments: one with aws-sam-cli, cfn-lint and the AWS command line, one with what builds packages. They are
# outside the checkout, since they are large and the same for every checkout with the same requirements.

REQUIREMENTS=$ROOT/scripts/lib/python/requirements.txt
PYTHON_TOOLS=$TOOLS/python-$(cksum <"$REQUIREMENTS" | cut -d' ' -f1)
# What builds packages is apart: `make test` does not need it.
PACKAGE_REQUIREMENTS=$ROOT/scripts/lib/python/requirements-package.txt
PACKAGE_TOOLS=$TOOLS/package-$(cksum <"$PACKAGE_REQUIREMENTS" | cut -d' ' -f1)
# In an environment of its own: it demands other versions of what both use.
CHECKOV_REQUIREMENTS=$ROOT/scripts/lib/python/requirements-checkov.txt
CHECKOV=$TOOLS/checkov-$(cksum <"$CHECKOV_REQUIREMENTS" | cut -d' ' -f1)
# Apart as well: moto demands other versions of boto3 than the AWS command line.
FILES_REQUIREMENTS=$ROOT/scripts/lib/python/requirements-files.txt
FILES_TOOLS=$TOOLS/files-$(cksum <"$FILES_REQUIREMENTS" | cut -d' ' -f1)

python_with_venv() { # prints the first Python that can create an environment
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import venv, ensurepip, sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
      command -v "$python"
      return
    fi
  done
}

python_tools() {
  python_environment "$PYTHON_TOOLS" "$REQUIREMENTS" "sam, aws and cfn-lint" "500 MB, minutes"
}

package_tools() {
  python_environment "$PACKAGE_TOOLS" "$PACKAGE_REQUIREMENTS" "cargo-lambda and zig" "120 MB"
}

checkov_tool() {
  python_environment "$CHECKOV" "$CHECKOV_REQUIREMENTS" "checkov" "300 MB, a minute"
}

files_tools() {
  python_environment "$FILES_TOOLS" "$FILES_REQUIREMENTS" "duckdb and moto" "200 MB, a minute"
}

# python_environment FOLDER REQUIREMENTS NAMES COST: the packages of a file, installed once.
python_environment() {
  local folder=$1 requirements=$2 names=$3 cost=$4
  [[ ! -f $folder/complete ]] || { done_line "$names: in $folder"; return; }
  rm -rf -- "$folder"
  mkdir -p "$TOOLS"
  working "Making a Python environment" "$LOGS/venv.log" "$(python_with_venv)" -m venv "$folder" ||
    die "No Python environment in $folder."
  working "Installing $names from PyPI ($cost)" "$LOGS/pip.log" \
    "$folder/bin/pip" install --disable-pip-version-check --no-input -r "$requirements" ||
    die "pip could not install $names." "Is pypi.org reachable from here? pip's log is $LOGS/pip.log."
  touch "$folder/complete"
}
