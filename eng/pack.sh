#!/usr/bin/env bash
# Packs every project of src/ into a folder, but for those whose packages cannot be restored here (eng/left-out.sh names them):
#
#   eng/pack.sh DIR [arguments of dotnet pack, such as --version-suffix beta.1 or -p:RepositoryUrl=…]
#
# Built from scratch in a folder of its own, so that neither earlier builds nor this machine's paths get into a package.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

[ $# -ge 1 ] && [ "${1#-}" = "$1" ] || { echo "usage: eng/pack.sh DIR [arguments of dotnet pack]" >&2; exit 2; }
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift

scratch=$(mktemp -d "${TMPDIR:-/tmp}/narad-pack.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
scratch=$(cd "$scratch" && pwd) # written as the compiler will write it
cd "$repository"
left_out=$(eng/left-out.sh)
for project in src/*/*.csproj; do
  ! grep -qxF "$(basename "$project" .csproj)" <<< "$left_out" || continue
  dotnet pack "$project" --configuration Release --output "$directory" --artifacts-path "$scratch" \
    --verbosity quiet --disable-build-servers -p:ContinuousIntegrationBuild=true "$@"
done
ls "$directory"/*.nupkg
