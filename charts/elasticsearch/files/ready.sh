#!/bin/bash
# Is this node ready? At first when the cluster has all its copies, so that an update goes on with the next
# node only then, or when it has waited ten minutes for them; later when the node is part of the cluster.
set -euo pipefail

printf -v now '%(%s)T' -1
[ -e /tmp/began ] || echo "$now" > /tmp/began

ask() {
  { [ -z "${ELASTIC_PASSWORD:-}" ] || printf 'user = "elastic:%s"\n' "$ELASTIC_PASSWORD"
    [ -z "${TLS:-}" ] || printf 'insecure\n'; } |
    curl --config - --silent --fail --max-time 4 --output /dev/null "http${TLS:+s}://127.0.0.1:9200$1"
}

if [ -e /tmp/was-ready ] || [ "$((now - $(< /tmp/began)))" -gt 600 ]; then
  ask '/_cluster/health?timeout=2s'
else
  ask "/_cluster/health?wait_for_status=$WANTED&timeout=2s"
  touch /tmp/was-ready
fi
