#!/bin/bash
# Makes the folder of settings that a node starts with, before each start.
set -euo pipefail
umask 027

home=/usr/share/opensearch
cp -r "$home/config/." /prepared/
cp /config/opensearch.yml /prepared/opensearch.yml

if [ -n "${ADMIN_PASSWORD:-}" ]; then
  # The only user of the first start; later ones are known to the cluster, which does not look here again
  hash=$("$home/plugins/opensearch-security/tools/hash.sh" -env ADMIN_PASSWORD | grep "^[$]2" | tail -n 1)
  [ -n "$hash" ] || { echo "error: the administrator's password cannot be hashed" >&2; exit 1; }
  cat > /prepared/opensearch-security/internal_users.yml << END
_meta: {type: internalusers, config_version: 2}
admin:
  hash: '$hash'
  reserved: true
  backend_roles: [admin]
END
  if [ -z "${TLS:-}" ]; then
    # For a node that talks to nobody but itself
    keytool() { "$home/jdk/bin/keytool" "$@" -storetype PKCS12 -storepass changeit 2> /tmp/keytool || { cat /tmp/keytool >&2; exit 1; }; }
    rm -f /prepared/own.p12 /prepared/trusted.p12
    keytool -genkeypair -keystore /prepared/own.p12 -alias node -keyalg EC -groupname secp256r1 -validity 3650 -dname "CN=$CLUSTER"
    keytool -exportcert -keystore /prepared/own.p12 -alias node -file /tmp/own.crt
    keytool -importcert -keystore /prepared/trusted.p12 -alias node -file /tmp/own.crt -noprompt
  fi
fi

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
    status=$({ [ -z "${ADMIN_PASSWORD:-}" ] || printf 'user = "admin:%s"\n' "$ADMIN_PASSWORD"
               [ -z "${TLS:-}" ] || printf 'cacert = "/certs/ca.crt"\n'; } |
      curl --config - --silent --max-time 5 --output /dev/null --write-out '%{http_code}' \
        --connect-to "::$peer:9200" "http${TLS:+s}://$CLUSTER.$NAMESPACE.svc:9200/_cluster/health?timeout=1s") || true
    case $status in
      200 | 408) alone= ; echo "$peer is part of a cluster: this node joins it" ;;
    esac
  done
  [ -z "$alone" ] || printf 'cluster.initial_cluster_manager_nodes: ["%s"]\n' "$HOSTNAME" >> /prepared/opensearch.yml
fi
