#!/usr/bin/env bash
. "$(dirname "${BASH_SOURCE[0]}")/eng/env.sh"
build_and_run benchmarks/Narad.Kafka.Benchmarks "$@"
