#!/usr/bin/env bash
# Makes the public surface of every package, as it is now, the approved one: writes PublicApi/*.txt and shows what changed.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

cd "$repository"
left_out=$(eng/left-out.sh)
for project in tests/*/PublicApiTests.cs; do
  ! grep -qxF "$(basename "$(dirname "$project")" .Tests)" <<< "$left_out" || continue
  NARAD_TEST_APPROVE_API=1 dotnet test "$(dirname "$project")" --verbosity quiet --filter FullyQualifiedName~PublicApiTests
done
git --no-pager diff --stat -- PublicApi
git status --short -- PublicApi
