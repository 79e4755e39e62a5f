# shellcheck shell=bash
# A Python environment with aws-sam-cli, cfn-lint and the AWS command line. It is outside the checkout, since it is large
# and the same for every checkout with the same requirements.

REQUIREMENTS=$ROOT/scripts/lib/python/requirements.txt
PYTHON_TOOLS=$TOOLS/python-$(cksum <"$REQUIREMENTS" | cut -d' ' -f1)

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
  [[ ! -f $PYTHON_TOOLS/complete ]] || { done_line "sam, aws and cfn-lint are in $PYTHON_TOOLS"; return; }
  rm -rf -- "$PYTHON_TOOLS"
  mkdir -p "$TOOLS"
  working "Making a Python environment" "$LOGS/venv.log" "$(python_with_venv)" -m venv "$PYTHON_TOOLS" ||
    die "No Python environment in $PYTHON_TOOLS."
  working "Installing aws-sam-cli, awscli and cfn-lint from PyPI (500 MB, minutes)" "$LOGS/pip.log" \
    "$PYTHON_TOOLS/bin/pip" install --disable-pip-version-check --no-input -r "$REQUIREMENTS" ||
    die "pip could not install them." "Is pypi.org reachable from here?"
  touch "$PYTHON_TOOLS/complete"
}
