#!/usr/bin/env bash
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
build_and_run tests/Narad.Kafka.Soak "$@"
