#!/bin/bash
# Gives the store what it needs to take log lines: users, the pipeline, the index template, the retention
# and the data stream. May be repeated at any time: what is there already is brought up to date.
# Secrets come by the environment, and go to curl by a file that only this user can read.
set -euo pipefail
umask 077

url=${STORE_URL%/}
name=$DATA_STREAM
files=${SETUP_FILES:-/setup}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
body=$work/body
code=000

say() { printf '%s\n' "$*"; }

fail() {
  printf 'error: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf '  hint: %s\n' "$2" >&2
  exit 1
}

escaped() {
  local text=${1//\\/\\\\}
  printf '%s' "${text//\"/\\\"}"
}

{
  printf 'silent\nshow-error\nmax-time = 60\n'
  [ -z "${STORE_PASSWORD:-}" ] || printf 'user = "%s:%s"\n' "$(escaped "${STORE_USER:-}")" "$(escaped "$STORE_PASSWORD")"
  [ -z "${STORE_CA:-}" ] || printf 'cacert = "%s"\n' "$STORE_CA"
  [ -z "${STORE_INSECURE:-}" ] || printf 'insecure\n'
} > "$work/curl"

# api METHOD PATH [FILE]: sets code (000 when nobody answered) and body
api() {
  local data=()
  [ -z "${3:-}" ] || data=(--header 'Content-Type: application/json' --data-binary "@$3")
  : > "$body"
  code=$(curl --config "$work/curl" --request "$1" "${data[@]}" --output "$body" --write-out '%{http_code}' "$url$2" 2> "$work/err") || code=000
}

answer() {
  if [ "$code" = 000 ]; then
    head -c 300 "$work/err" | tr '\n' ' '
  else
    printf '%s ' "$code"
    head -c 600 "$body" | tr '\n' ' '
  fi
}

# must WHAT METHOD PATH [FILE]: a request that has to succeed; an outage in between is waited for
must() {
  local what=$1 try
  shift
  for try in 1 2 3 4 5 6 7 8 9 10; do
    api "$@"
    case $code in
      2??) say "$what"; return ;;
      000 | 429 | 500 | 502 | 503 | 504) sleep "$((try < 5 ? try : 5))" ;;
      401 | 403) fail "$what: refused: $(answer)" "the user needs the rights to manage $name: its template, pipeline and policy" ;;
      *) break ;;
    esac
  done
  fail "$what: $(answer)"
}

wait_for_store() {
  local until=$((SECONDS + ${WAIT_SECONDS:-600})) why last=
  while :; do
    api GET '/_cluster/health?wait_for_status=yellow&timeout=5s'
    [ "$code" != 200 ] || return 0
    case $code in
      000) why="no answer: $(answer)" ;;
      401 | 403) why="it refuses the user ${STORE_USER:-(none)}" ;;
      408) why="its health is red" ;;
      *) why="it is not ready: $(answer)" ;;
    esac
    if [ "$why" != "$last" ]; then
      say "waiting for $url: $why"
      last=$why
    fi
    [ "$SECONDS" -lt "$until" ] || fail "$url: $why" "what the store says is in its log: kubectl obs logs"
    sleep 2
  done
}

check_store() {
  api GET /
  if ! grep -q '"tagline" *: *"You Know, for Search"' "$body" || grep -q '"distribution"' "$body"; then
    fail "$url is not Elasticsearch: $(answer)" "for OpenSearch switch opensearch on instead"
  fi
}

make_users() {
  local role
  for role in writer reader monitor; do
    must "role obs_$role is up to date" PUT "/_security/role/obs_$role" "$files/role-$role.json"
  done
  [ -z "${WRITER_SECRET:-}" ] || user writer "$(writer_password)"
  user reader "$READER_PASSWORD"
  user monitor "$MONITOR_PASSWORD"
}

# The collectors have their Secret in another namespace; this may read that one
writer_password() {
  local account=/var/run/secrets/kubernetes.io/serviceaccount try value
  for try in 1 2 3 4 5 6 7 8 9 10; do
    value=$(printf 'header = "Authorization: Bearer %s"\n' "$(< "$account/token")" |
      curl --config - --silent --fail --max-time 10 --cacert "$account/ca.crt" \
        "https://kubernetes.default.svc/api/v1/namespaces/$WRITER_SECRET" |
      tr -d '\n' | sed -n 's/.*"password": *"\([A-Za-z0-9+/=]*\)".*/\1/p' | base64 -d) || value=
    [ -z "$value" ] || break
    sleep "$try"
  done
  [ -n "$value" ] || fail "the Secret $WRITER_SECRET cannot be read" "the Role of this setup lets it: is it there?"
  printf '%s' "$value"
}

user() {
  printf '{"password":"%s","roles":["obs_%s"],"full_name":"made by kubectl-obs"}' "$(escaped "$2")" "$1" > "$work/user"
  must "user obs-$1 is up to date" PUT "/_security/user/obs-$1" "$work/user"
  rm "$work/user"
}

make_policy() {
  must "retention policy $name is up to date" PUT "/_ilm/policy/$name" "$files/policy.json"
}

# Without a retention nothing is deleted any more: the policy is taken from what is there
drop_policy() {
  api GET "/_data_stream/$name"
  [ "$code" = 200 ] || return 0
  printf '{"index":{"lifecycle":{"name":null}}}' > "$work/lifecycle"
  must "no retention" PUT "/$name/_settings" "$work/lifecycle"
}

# What was there before the policy gets it, too
attach_policy() {
  printf '{"index":{"lifecycle":{"name":"%s"}}}' "$name" > "$work/lifecycle"
  must "policy $name is attached" PUT "/$name/_settings" "$work/lifecycle"
}

wait_for_store
check_store
[ -z "${OWN_USERS:-}" ] || make_users
if [ "${RETENTION:-}" = off ]; then drop_policy; else make_policy; fi

must "pipeline $name is up to date" PUT "/_ingest/pipeline/$name" "$files/pipeline.json"

# A changed template counts for indices that are made from then on: a new one is made at once
api GET "/_index_template/$name"
case $code in
  200) if grep -qF "$TEMPLATE_HASH" "$body"; then changed=; else changed=yes; fi ;;
  *) changed= ;;
esac
must "index template $name is up to date" PUT "/_index_template/$name" "$files/template.json"

api GET "/_data_stream/$name"
if [ "$code" = 200 ]; then
  say "data stream $name is there"
  printf '{"index":{"number_of_replicas":%s}}' "${REPLICAS:-0}" > "$work/replicas"
  [ -z "$changed" ] || must "data stream $name writes to a new index, as the template has changed" POST "/$name/_rollover"
  [ -z "${REPLICAS:-}" ] || must "copies of each shard: $REPLICAS" PUT "/$name/_settings" "$work/replicas"
else
  api GET "/$name"
  [ "$code" != 200 ] || fail "$name is an index, not a data stream" "choose another name in dataStream, or delete the index"
  must "data stream $name is made" PUT "/_data_stream/$name"
fi
[ "${RETENTION:-}" = off ] || attach_policy
say "$name is ready to take log lines"
