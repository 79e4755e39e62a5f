# shellcheck shell=bash
# Servers distributed as jars: Maven fetches an exact version once for all checkouts.

JAVA_PACKAGES='openjdk-21-jre-headless|openjdk-17-jre-headless|openjdk-25-jre-headless|default-jre-headless'

java_version() { java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1; }

# jar_packages FOLDER: what must be installed to run the jars kept there, and to fetch them if they are not there yet.
jar_packages() {
  local major
  major=$(java_version 2>/dev/null || true)
  ((${major:-0} >= 17)) || printf '%s\n' "$JAVA_PACKAGES"
  [[ -f $1/complete ]] || command -v mvn >/dev/null || printf 'maven\n'
}

# fetch_jars NAME VERSION SIZE POM FOLDER: fetches what the pom names, once; FOLDER is complete or absent.
fetch_jars() {
  local name=$1 version=$2 size=$3 pom=$4 folder=$5 part=$5.part.$$
  [[ ! -f $folder/complete ]] || return 0
  rm -rf -- "$folder" "$part"
  mkdir -p "$part"
  working "Fetching $name $version from Maven Central ($size)" "$LOGS/maven-$name.log" \
    mvn -B -f "$pom" "-Dserver.version=$version" -DincludeScope=runtime \
    "-DoutputDirectory=$part" org.apache.maven.plugins:maven-dependency-plugin:3.11.0:copy-dependencies ||
    die "Maven could not fetch $name." "Is repo.maven.apache.org reachable from here? A proxy goes into ~/.m2/settings.xml"
  touch "$part/complete"
  mv "$part" "$folder"
}
