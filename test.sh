#!/usr/bin/env bash
# Builds everything and runs every test; arguments are passed on to dotnet test:
#
#   ./test.sh
#   ./test.sh --filter Promise=S7
#
# The last line of its output is "N passed, N failed, N skipped", summed over all test projects. A test that fails beside the others is repeated once,
# without them: on a machine that is busy with something else, or slow, a broker may not answer in time. The output names each test that passed only then.
set -euo pipefail

filtered=
for argument in "$@"; do case $argument in --filter | --filter=*) filtered=yes;; esac; done

cd "$(dirname "${BASH_SOURCE[0]}")"
results=$(mktemp -d "${TMPDIR:-/tmp}/narad-tests.XXXXXX")
trap 'rm -rf "$results"' EXIT

build() { # build PROJECT, no more important than the tests that already run beside it
  nice -n 10 dotnet build "$1" --configuration Release --verbosity quiet -nodeReuse:false > "$results/build.log" 2>&1 ||
    { cat "$results/build.log" >&2; echo "Nothing was tested: the build failed." >&2; exit 1; }
}

# Tests yield to the servers that they wait for (nice). Within a project they run in parallel (Parallelism.cs); the ones that cannot are marked NotInParallel.
# A test host lives for minutes at most: code that is compiled with counters, for later optimization (TieredPGO), costs it more than it gives, and so does
# optimizing what ran 30 times, as is the default: 512 times (200 in hexadecimal) saved a quarter of its processor time. Threads of a pool that spin before
# they wait (UnfairSemaphoreSpinLimit) take a tenth of it from the other processes.
# A test that hangs for ten minutes is ended and named (--blame-hang), as is the one that was running when a test host crashed.
run() { # run FOLDER PROJECT [arguments of dotnet test]
  local folder=$1 project=$2
  shift 2
  DOTNET_TieredPGO=0 DOTNET_TC_CallCountThreshold=200 DOTNET_ThreadPool_UnfairSemaphoreSpinLimit=0 \
    nice -n 10 dotnet test "$project" --configuration Release --no-build -nodeReuse:false \
    --results-directory "$folder" --logger trx --logger "console;verbosity=minimal" \
    --blame-hang --blame-hang-timeout 10min --blame-hang-dump-type none "$@"
}

status=0
if [ -n "$filtered" ]; then
  build Narad.Kafka.sln
  run "$results/all" Narad.Kafka.sln -m:2 "$@" || status=$?
else
  # Two at a time, because more of them take longer on two processors. First the core's tests, which start while the other projects are built, then the small
  # projects', one after the other, and publishing. Beside them MongoDB's, the samples', and, when nobody else uses its servers, those that make MongoDB fail
  # (BreaksServers). At the end: tests that stop the whole cluster, or measure processor time (RunsAlone).
  build tests/Narad.Kafka.Tests
  set -m   # a process group of its own: it is ended if the others do not build
  run "$results/all" tests/Narad.Kafka.Tests --filter Category!=RunsAlone "$@" < /dev/null &
  core=$!
  set +m
  trap 'kill -- "-$core" 2> /dev/null; rm -rf "$results"' EXIT
  build Narad.Kafka.sln
  {
    for category in Category!=BreaksServers Category=BreaksServers; do
      run "$results/all" tests/Narad.Kafka.Mongo.Tests --filter "$category" "$@" || status=$?
      run "$results/all" tests/Narad.Samples.Tests --filter "$category" "$@" || status=$?
    done
    exit "$status"
  } &
  databases=$!
  wait "$core" || status=$?
  trap 'rm -rf "$results"' EXIT
  for project in $(printf '%s\n' tests/*.Tests | grep -v -e /Narad.Kafka.Tests -e Mongo -e Samples -e Packaging) tests/Narad.Kafka.Packaging.Tests; do
    run "$results/all" "$project" "$@" || status=$?
  done
  wait "$databases" || status=$?
  run "$results/all" tests/Narad.Kafka.Tests --filter Category=RunsAlone "$@" || status=$?
fi

failed=$(find "$results/all" -name '*.trx' -exec cat {} + 2> /dev/null |
  sed -n '/<UnitTestResult .*outcome="Failed"/s/.* testName="\([^"(]*\).*/FullyQualifiedName=\1/p' | sort -u)
mkdir -p "$results/repeated"
if [ -n "$failed" ] && [ "$(wc -l <<< "$failed")" -le 100 ]; then
  printf '\nrepeated without the others:\n%s\n' "$failed"
  status=0
  run "$results/repeated" Narad.Kafka.sln -m:1 --filter "$(paste -sd '|' - <<< "$failed")" || status=$?
fi

# The result files say one <UnitTestResult … outcome="…"> a test; what the test runner itself has to say (a test host that crashed or hung) is a
# <RunInfo outcome="Error">, and may be all that there is.
files() { find "$1" -name '*.trx'; }
# shellcheck disable=SC2046 # the names have no spaces
awk -v status="$status" -v filtered="$filtered" '
  function attribute(name,    text) {
    if (!match($0, name "=\"[^\"]*\"")) return ""
    text = substr($0, RSTART + length(name) + 2, RLENGTH - length(name) - 3)
    return plain(text)
  }
  function plain(text) {
    gsub(/&lt;/, "<", text); gsub(/&gt;/, ">", text); gsub(/&quot;/, "\"", text); gsub(/&apos;/, "\047", text)
    gsub(/&#xD;/, "", text); gsub(/&amp;/, "\\&", text)
    return text
  }
  /<UnitTestResult / {
    test = attribute("testName"); outcome = attribute("outcome"); message = ""
    if (repeated) { if (outcome == "Passed") recovered[test] = 1; else again[test] = 1; outcome = ""; next }
    if (outcome == "Failed" && test in recovered && !(test in again)) { outcome = "Passed"; later = later "\n  " test }
    if (outcome == "Passed") passed++
    else if (outcome == "NotExecuted") skipped++
    else { failed++; failures = failures "\n  " test }
  }
  /<RunInfo / && attribute("outcome") == "Error" { test = ""; outcome = "Error" }
  # What a test host that died wrote last comes with the message, in many lines.
  outcome == "Error" && (/<Text>/ || running) {
    text = $0; running = text !~ /<\/Text>/
    sub(/.*<Text>/, "", text); sub(/<\/Text>.*/, "", text)
    report = report "\n  " plain(text)
    if (!running) {
      if (report ~ /abort|crash|hang/ && report !~ /\[FAIL\]/) { crashed++; failures = failures report }
      report = ""; outcome = ""
    }
  }
  outcome == "NotExecuted" && (/<Message>/ || /<StdOut>/) {
    text = $0; sub(/.*<(Message|StdOut)>/, "", text); sub(/<\/(Message|StdOut)>.*/, "", text)
    reasons[plain(text)]++; outcome = ""
  }
  END {
    for (reason in reasons) printf "\nskipped, %d: %s", reasons[reason], reason
    if (skipped) print ""
    # A test host that died counts as a failed test, also where it left no other trace than the exit code.
    failed += crashed
    if (status != 0 && failed == 0) { failed = 1; failures = "\n  dotnet test ended with exit code " status " although no test failed" }
    nothing = passed + failed + skipped == 0
    if (later) print "\npassed only when repeated without the others:" later
    if (failed) print "\nfailed:" failures
    if (nothing) print (filtered ? "\nNo test matches the filter." : "\nNo test was run.")
    printf "\n%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit (failed || nothing)
  }' repeated=1 $(files "$results/repeated") repeated=0 $(files "$results/all") < /dev/null
