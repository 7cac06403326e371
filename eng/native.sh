#!/usr/bin/env bash
# Finds the native library that Confluent.Kafka needs, for package sources that carry Confluent.Kafka but not librdkafka.redist.
#
#   eval "$(eng/native.sh)"
#
# An ordinary source has the package: then this prints nothing and nothing needs to be set. Otherwise it builds the same version of
# librdkafka from source, once, and prints the variable that Directory.Build.props reads. Answers go to standard output, all else to
# standard error. What it keeps lies in ${XDG_CACHE_HOME:-$HOME/.cache}/narad-kafka; delete that folder to start anew.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# The version that Confluent.Kafka 2.15.1 is made for (Directory.Packages.props), and a package that carries its complete source.
version=2.15.1
version_number=0x020f01ff
source_package=@confluentinc/kafka-javascript@1.10.1
source_sha512=29578f5019f6d44a8254ff667f1cc4b8cdd26091c7105ed7fa2882d9ee374108034b211a92c2279821a8a13df0e6af9c340764482acaef58f42027eaa12a992f

cache=${XDG_CACHE_HOME:-$HOME/.cache}/narad-kafka
architecture=$(uname -m)
library=$cache/librdkafka-$version-$architecture/librdkafka.so

say() { echo "native library: $*" >&2; }
fail() { say "$@"; exit 1; }
answer() { printf 'export NARAD_NATIVE_LIBRARY=%q\n' "$1"; exit 0; }

scratch=
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- Does a package source have it? --------------------------------------------------------------------------------------------

package_is_restorable() {
  local folder sources known
  export DOTNET_CLI_UI_LANGUAGE=en DOTNET_NOLOGO=1
  folder=$(cd "$repository" && dotnet nuget locals global-packages --list)
  folder=${folder#*global-packages: }
  [ ! -f "${folder%/}/librdkafka.redist/$version/.nupkg.metadata" ] || return 0

  # "No" is remembered for a day and for these sources only; "yes" needs no memory, as the package is then in the folder above.
  sources=$(cd "$repository" && dotnet nuget list source | cksum | tr -d ' ')
  known=$cache/sources/without-$version-$sources
  [ -z "$(find "$known" -mmin -1440 2>/dev/null)" ] || return 1

  say "looking for librdkafka.redist $version in the package sources ..."
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/narad-native.XXXXXX")
  cp "$repository/nuget.config" "$repository/global.json" "$scratch/"
  for empty in Directory.Build.props Directory.Build.targets Directory.Packages.props; do echo '<Project />' > "$scratch/$empty"; done
  cat > "$scratch/probe.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
  <ItemGroup><PackageDownload Include="librdkafka.redist" Version="[$version]" /></ItemGroup>
</Project>
PROJECT
  if (cd "$scratch" && dotnet restore probe.csproj --disable-build-servers > restore.log 2>&1); then
    return 0
  elif grep -qE 'NU110[12]' "$scratch/restore.log"; then
    mkdir -p "$cache/sources" && : > "$known"
  else
    say "the package sources did not answer: $(grep -m1 'error' "$scratch/restore.log" || tail -n 1 "$scratch/restore.log")"
  fi
  rm -rf "$scratch"; scratch=
  return 1
}

# --- What building it takes ----------------------------------------------------------------------------------------------------

tools="gcc g++ make npm tar strip sha512sum flock"
features="WITH_SSL WITH_SASL_CYRUS WITH_ZLIB WITH_ZSTD WITH_LZ4_EXT WITH_CURL"
development_packages="libssl-dev zlib1g-dev libzstd-dev liblz4-dev libcurl4-openssl-dev libsasl2-dev pkg-config"

require_what_building_takes() {
  local missing= absent= tool package
  for tool in $tools; do command -v "$tool" > /dev/null || absent="$absent $tool"; done
  if ! command -v dpkg-query > /dev/null; then
    [ -z "$absent" ] || fail "install these tools first:$absent (and the development packages of OpenSSL, zlib, zstd, lz4, curl and Cyrus SASL)"
    return
  fi

  for tool in $absent; do
    case $tool in
      strip) missing="$missing binutils";;
      sha512sum) missing="$missing coreutils";;
      flock) missing="$missing util-linux";;
      *) missing="$missing $tool";;
    esac
  done
  for package in $development_packages; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0

  if [ "$(id -u)" != 0 ]; then
    fail "building it takes packages that are not installed; run: sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing"
  fi
  say "installing$missing ..."
  # shellcheck disable=SC2086
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } > "$scratch/apt.log" 2>&1 ||
    { tail -n 20 "$scratch/apt.log" >&2; fail "apt-get could not install$missing"; }
}

# --- Building it ---------------------------------------------------------------------------------------------------------------

step() { # step NAME COMMAND…: quiet unless it fails
  local name=$1; shift
  "$@" > "$scratch/$name.log" 2>&1 || { tail -n 30 "$scratch/$name.log" >&2; fail "'$*' failed"; }
}

fetch_source() {
  cd "$scratch"
  step npm npm pack --silent --ignore-scripts "$source_package"
  echo "$source_sha512  $(ls confluentinc-kafka-javascript-*.tgz)" | sha512sum --check --status ||
    fail "$source_package is not the package that this script knows: its checksum differs"
  step tar tar -xzf confluentinc-kafka-javascript-*.tgz package/deps/librdkafka
  cd package/deps/librdkafka
  grep -q "define RD_KAFKA_VERSION $version_number" src/rdkafka.h || fail "$source_package does not carry librdkafka $version"
}

compile() {
  local feature without=
  step configure ./configure --disable-syslog --disable-debug-symbols \
    --enable-ssl --enable-gssapi --enable-zlib --enable-zstd --enable-lz4-ext --enable-curl
  for feature in $features; do grep -q "^#define $feature 1" config.h || without="$without ${feature#WITH_}"; done
  [ -z "$without" ] || fail "configured without$without: install the development packages of OpenSSL, Cyrus SASL, zlib, zstd, lz4 and curl"
  step make make -j "$(getconf _NPROCESSORS_ONLN)" -C src librdkafka.so.1
  step strip strip --strip-unneeded src/librdkafka.so.1
  is_usable src/librdkafka.so.1 || fail "the library that was built cannot be loaded here: $(ldd -r src/librdkafka.so.1 2>&1 | grep -E 'not found|undefined' | head -n 3)"
}

# A cached library counts while everything that it links to is still on this machine.
is_usable() {
  local links
  [ -s "$1" ] && links=$(ldd -r "$1" 2>&1) && [ -z "$(grep -E 'not found|undefined symbol' <<< "$links")" ]
}

build() {
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/narad-native.XXXXXX")
  say "building librdkafka $version from source, once (about 35 s on two cores) ..."
  require_what_building_takes
  fetch_source
  compile
  # Only a whole library ever has the final name: renaming within one folder is atomic.
  cp src/librdkafka.so.1 "$library.$$"
  mv -f "$library.$$" "$library"
  cd "$repository"
}

# -------------------------------------------------------------------------------------------------------------------------------

if [ -n "${NARAD_NATIVE_LIBRARY:-}" ]; then
  [ -f "$NARAD_NATIVE_LIBRARY" ] || fail "NARAD_NATIVE_LIBRARY names '$NARAD_NATIVE_LIBRARY', which is not there"
  answer "$NARAD_NATIVE_LIBRARY"
fi

! package_is_restorable || exit 0

[ "$(uname -s)" = Linux ] ||
  fail "no package source has librdkafka.redist $version, and it is built from source on Linux only: add a source that has it, or set NARAD_NATIVE_LIBRARY to a librdkafka $version"

if ! is_usable "$library"; then
  mkdir -p "$(dirname "$library")"
  command -v flock > /dev/null || require_what_building_takes
  # One builds, the others wait for it; the lock ends with the process that holds it, however that ends.
  exec 9> "$library.lock"
  flock --nonblock 9 || { say "another run is building it; waiting ..."; flock 9; }
  rm -f "$library".[0-9]*
  is_usable "$library" || build
fi
say "no package source has librdkafka.redist $version; using the one built from source, $library"
answer "$library"
