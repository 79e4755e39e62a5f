# shellcheck shell=bash
# What must hold for an executable that Lambda starts on provided.al2023 (Amazon Linux 2023, GLIBC 2.34).

MAX_GLIBC=2.34
BUDGETS=$ROOT/scripts/lib/package/budgets
# Libraries of the image that may be linked dynamically. Everything else is inside the executable.
ALLOWED_LIBRARIES="libc.so.6 libm.so.6 libgcc_s.so.1 libpthread.so.0 libdl.so.2 librt.so.1 ld-linux-x86-64.so.2 ld-linux-aarch64.so.1"
declare -A MACHINES=(["arm64"]="AArch64" ["x86_64"]="Advanced Micro Devices X86-64")

# budget_of FUNCTION ARCHITECTURE
budget_of() {
  local column=2
  [[ $2 == arm64 ]] || column=3
  awk -v name="$1" -v column="$column" '$1 == name { print $column }' "$BUDGETS"
}

# glibc_of FILE: the newest version of GLIBC whose symbols it uses, or nothing.
glibc_of() { readelf -VW "$1" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | sed -n '$s/GLIBC_//p'; }

# check_package FILE FUNCTION ARCHITECTURE: prints each problem, or nothing.
check_package() {
  local file=$1 function=$2 architecture=$3 header versions sections glibc library budget size
  [[ -x $file ]] || { printf '%s is not an executable\n' "$file"; return; }
  header=$(readelf -hW "$file" 2>/dev/null) || { printf 'is not an ELF file\n'; return; }
  versions=$(readelf -VW "$file")
  sections=$(readelf -SW "$file")
  [[ $header == *"Machine:"*"${MACHINES[$architecture]}"* ]] || printf 'is not built for %s\n' "$architecture"
  glibc=$(glibc_of "$file")
  [[ $(printf '%s\n' "$glibc" "$MAX_GLIBC" | sort -V | tail -n 1) == "$MAX_GLIBC" ]] ||
    printf 'needs GLIBC %s, and the image has %s\n' "$glibc" "$MAX_GLIBC"
  # The version of compressed relocations has no number.
  [[ $versions != *GLIBC_ABI_DT_RELR* ]] || printf 'needs GLIBC 2.36 for DT_RELR, and the image has %s\n' "$MAX_GLIBC"
  for library in $(readelf -dW "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
    [[ " $ALLOWED_LIBRARIES " == *" $library "* ]] || printf 'needs %s, which the image may not have\n' "$library"
  done
  [[ $sections != *" .symtab "* && $sections != *" .debug_info "* ]] || printf 'is not stripped\n'
  budget=$(budget_of "$function" "$architecture")
  size=$(stat -c %s "$file")
  if [[ -z $budget ]]; then
    printf 'has no budget in %s; it has %s bytes\n' "$BUDGETS" "$size"
  elif ((size > budget)); then
    printf 'has %s bytes; its budget is %s (%s)\n' "$size" "$budget" "$BUDGETS"
  fi
}

# package_facts FILE: its size, compressed size and the GLIBC that it needs.
package_facts() {
  printf '%12d %12d %8s' "$(stat -c %s "$1")" "$(gzip -c "$1" | wc -c)" "$(glibc_of "$1")"
}
