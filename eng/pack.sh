#!/usr/bin/env bash
# Packs every project of src/ into a folder:
#
#   eng/pack.sh DIR [arguments of dotnet pack, such as --version-suffix beta.1 or -p:RepositoryUrl=…]
#
# Builds from scratch in a temporary folder, so that neither earlier builds nor paths of this machine get into a package. Relative links of a README lead
# nowhere on a package page: they become links into the repository that RepositoryUrl names, or plain text without one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[ $# -ge 1 ] && [ "${1#-}" = "$1" ] || { echo "usage: eng/pack.sh DIR [arguments of dotnet pack]" >&2; exit 2; }
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift

scratch=$(mktemp -d "${TMPDIR:-/tmp}/narad-pack.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
scratch=$(cd "$scratch" && pwd) # the path as the compiler writes it
repository=$(printf '%s\n' "$@" | sed -n 's/^-p:RepositoryUrl=//p')
for project in src/*/*.csproj; do
  readme=$(dirname "$project")/README.md
  [ -e "$readme" ] || readme=README.md
  mkdir -p "$scratch/readme/$(basename "$project")"
  links='\[([^]]*)\]\((\.\./)*((docs|samples)/[^)]*|LICENSE|[A-Z]+\.md)\)'
  sed -E "s#$links#${repository:+[}\1${repository:+]($repository/blob/HEAD/\3)}#g" "$readme" > "$scratch/readme/$(basename "$project")/README.md"
  dotnet pack "$project" -p:PackageReadmeFolder="$scratch/readme/$(basename "$project")" --configuration Release --output "$directory" \
    --artifacts-path "$scratch" --verbosity quiet --disable-build-servers -p:ContinuousIntegrationBuild=true -p:RunAnalyzersDuringBuild=false "$@"
done
ls "$directory"/*.nupkg
