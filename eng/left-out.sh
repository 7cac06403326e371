#!/usr/bin/env bash
# Names the projects that cannot be built here because no package source of this machine has their packages: one a line on standard output,
# with the reason on standard error. Nothing else depends on these projects, so that all the rest can be built, tested and packed.
#
#   left_out=$(eng/left-out.sh)
#   eng/left-out.sh --solution     the solution without them: the path of Narad.Kafka.sln, or of a filter in artifacts/
#
# A package in the machine's global package folder counts as available. "No" is remembered for a day, and for these package sources only.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/narad-kafka
export DOTNET_CLI_UI_LANGUAGE=en DOTNET_NOLOGO=1

# Project, and the packages that not every source has. Versions are those of Directory.Packages.props.
heavy() {
  cat << 'PROJECTS'
Narad.Kafka.Aws AWSSDK.Core AWSSDK.SecurityToken
Narad.Kafka.Azure Azure.Identity
Narad.Kafka.Cli AWSSDK.Core AWSSDK.SecurityToken Azure.Identity System.CommandLine
Narad.Samples AWSSDK.Core AWSSDK.SecurityToken Azure.Identity
PROJECTS
}

say() { echo "packages: $*" >&2; }

scratch=
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT

folder=$(cd "$repository" && dotnet nuget locals global-packages --list)
folder=${folder#*global-packages: }
sources=

# is_restorable PACKAGE VERSION
is_restorable() {
  local known
  [ ! -f "${folder%/}/${1,,}/$2/.nupkg.metadata" ] || return 0

  [ -n "$sources" ] || sources=$(cd "$repository" && dotnet nuget list source | cksum | tr -d ' ')
  known=$cache/sources/without-${1,,}-$2-$sources
  [ -z "$(find "$known" -mmin -1440 2>/dev/null)" ] || return 1

  say "looking for $1 $2 in the package sources ..."
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/narad-packages.XXXXXX")
  cp "$repository/nuget.config" "$repository/global.json" "$scratch/"
  for empty in Directory.Build.props Directory.Build.targets Directory.Packages.props; do echo '<Project />' > "$scratch/$empty"; done
  cat > "$scratch/probe.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup>
  <ItemGroup><PackageReference Include="$1" Version="[$2]" /></ItemGroup>
</Project>
PROJECT
  if (cd "$scratch" && dotnet restore probe.csproj --disable-build-servers > restore.log 2>&1); then
    rm -rf "$scratch"
    return 0
  fi

  grep -m1 'error' "$scratch/restore.log" | sed 's/^.*error /packages: /; s/ \[.*$//' >&2 || true
  # Only that a package is missing is worth remembering: a source that did not answer may do so in a minute.
  if grep -qE 'NU110[12]' "$scratch/restore.log"; then
    mkdir -p "$cache/sources" && : > "$known"
  fi

  rm -rf "$scratch"
  return 1
}

left_out=()
while read -r project packages; do
  for package in $packages; do
    version=$(sed -n "s/.*<PackageVersion Include=\"$package\" Version=\"\([^\"]*\)\".*/\1/p" "$repository/Directory.Packages.props")
    if ! is_restorable "$package" "$version"; then
      say "LEFT OUT: $project and its tests, because $package $version cannot be restored here"
      left_out+=("$project")
      break
    fi
  done
done < <(heavy)

if [ "${1:-}" != --solution ]; then
  [ "${#left_out[@]}" -eq 0 ] || printf '%s\n' "${left_out[@]}"
elif [ "${#left_out[@]}" -eq 0 ]; then
  echo "$repository/Narad.Kafka.sln"
else
  filter=$repository/artifacts/Narad.Kafka.slnf
  mkdir -p "$repository/artifacts"
  projects=$(sed -n 's/^Project(.*) = "[^"]*", "\([^"]*\.csproj\)".*/\1/p' "$repository/Narad.Kafka.sln")
  for project in "${left_out[@]}"; do
    projects=$(grep -vE "\\\\${project//./\\.}(\.Tests)?\.csproj$" <<< "$projects")
  done
  {
    printf '{ "solution": { "path": "..\\\\Narad.Kafka.sln", "projects": [\n'
    sed 's/\\/\\\\/g; s/.*/  "&"/; $!s/$/,/' <<< "$projects"
    printf '] } }\n'
  } > "$filter"
  echo "$filter"
fi
