#!/bin/sh
# Runs both windows of the gateway's example, alone and watched, and sums up what their audits say.
#
#   sh docs/baselines/refresh.sh [DIRECTORY [RUNS]]
set -eu
cd "$(dirname "$0")/../.."
out=${1:-docs/baselines}
runs=${2:-300}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A key that everybody knows: the sessions are made up, and the same at each run.
export OTEL_AGENTS_AUDIT_KEY=a-key-that-everybody-knows

for window in channel gateway; do
    play="python examples/gateway/app.py --window $window --runs $runs"
    $play >"$work/alone"
    OTEL_AGENTS_AUDIT_FILE="$work/$window/audit.jsonl" otel-agents run -o "$work/tree" -- $play >"$work/watched"
    cmp "$work/alone" "$work/watched"
    otel-agents baseline summarize --output "$out/$window" "$work/$window"
done
