#!/usr/bin/env bash
# Approves the public API of every package as it is now: writes PublicApi/*.txt and shows what changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for project in tests/*/PublicApiTests.cs; do
  NARAD_TEST_APPROVE_API=1 dotnet test "$(dirname "$project")" --verbosity quiet --filter FullyQualifiedName~PublicApiTests
done
git --no-pager diff --stat -- PublicApi
git status --short -- PublicApi
