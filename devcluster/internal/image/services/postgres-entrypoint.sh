#!/bin/sh
# What the upstream image's entrypoint does, as far as manifests use it: on a new
# volume it makes a database from POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD
# (or …_FILE), and runs the *.sh and *.sql in /docker-entrypoint-initdb.d; then it
# becomes the server. It does not change users: the pod says who runs it.
set -eu

case ${1-} in
postgres) ;;
-*) set -- postgres "$@" ;;
*) exec "$@" ;;
esac

fail() {
	echo "error: $1" >&2
	exit 1
}

if [ ! -s "$PGDATA/PG_VERSION" ]; then
	password=${POSTGRES_PASSWORD-}
	[ -z "${POSTGRES_PASSWORD_FILE-}" ] || password=$(cat "$POSTGRES_PASSWORD_FILE")
	[ -n "$password" ] || fail "POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE must be set for a new database"
	POSTGRES_USER=${POSTGRES_USER:-postgres}
	POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
	export POSTGRES_USER POSTGRES_DB

	# Made beside its place: a start that was cut off begins anew.
	making=$PGDATA.new
	rm -rf "$making"
	mkdir -p "$making"
	chmod 700 "$making"
	printf '%s\n' "$password" |
		initdb --pgdata="$making" --username="$POSTGRES_USER" --pwfile=/dev/stdin --auth-local=trust --auth-host=scram-sha-256 \
			--encoding=UTF8 --locale=C
	echo 'host all all all scram-sha-256' >>"$making/pg_hba.conf"
	echo "listen_addresses = '*'" >>"$making/postgresql.conf"
	# Nobody is served before it is complete: now it listens on its socket alone.
	(
		shift
		pg_ctl --pgdata="$making" --wait --silent --options="$* -c listen_addresses=''" start
	)
	[ "$POSTGRES_DB" = postgres ] || createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
	for file in /docker-entrypoint-initdb.d/*; do
		case $file in
		*.sh) sh "$file" ;;
		*.sql) psql --set ON_ERROR_STOP=1 --no-psqlrc --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" --quiet --file="$file" ;;
		esac
	done
	pg_ctl --pgdata="$making" --wait --silent --mode=fast stop
	rm -rf "$PGDATA"
	mv "$making" "$PGDATA"
fi
exec "$@"
