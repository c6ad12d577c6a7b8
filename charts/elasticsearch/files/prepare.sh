#!/bin/bash
# Makes the folder of settings that a node starts with, before each start.
set -euo pipefail
umask 027

home=/usr/share/elasticsearch
cp -r "$home/config/." /prepared/
cp /config/elasticsearch.yml /prepared/elasticsearch.yml

# The first node begins a cluster when it has no data and none of the others is part of one: a node that
# lost its volume joins the others instead of beginning a second cluster
empty=yes
for entry in "$home"/data/*; do
  case ${entry##*/} in lost+found | '*') ;; *) empty= ;; esac
done
if [ "$REPLICAS" -gt 1 ] && [ "${HOSTNAME##*-}" = 0 ] && [ -n "$empty" ]; then
  alone=yes
  for other in $(seq 1 $((REPLICAS - 1))); do
    peer=$CLUSTER-$other.$CLUSTER-headless.$NAMESPACE.svc
    status=$({ [ -z "${ELASTIC_PASSWORD:-}" ] || printf 'user = "elastic:%s"\n' "$ELASTIC_PASSWORD"
               [ -z "${TLS:-}" ] || printf 'cacert = "/certs/ca.crt"\n'; } |
      curl --config - --silent --max-time 5 --output /dev/null --write-out '%{http_code}' \
        --connect-to "::$peer:9200" "http${TLS:+s}://$CLUSTER.$NAMESPACE.svc:9200/_cluster/health?timeout=1s") || true
    case $status in
      200 | 408) alone= ; echo "$peer is part of a cluster: this node joins it" ;;
    esac
  done
  [ -z "$alone" ] || printf 'cluster.initial_master_nodes: ["%s"]\n' "$HOSTNAME" >> /prepared/elasticsearch.yml
fi
