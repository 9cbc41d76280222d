#!/bin/sh
# Runs the host on Agentuity. With arguments it is the `hotpit` command instead, for the host that
# runs here: sh start.sh status
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
data="${AGENTUITY_DATA_DIR:-$here/data}"

case "$(uname -m)" in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) machine=$(uname -m) ;;
esac
bin="$here/bin/hotpit-$machine"
if [ ! -f "$bin" ]; then
    echo "no host for this machine: $bin is missing, build it and stage the folder again" >&2
    exit 1
fi
# Files arrive without their run bit, and maybe in a folder that is not ours to change.
if [ ! -x "$bin" ] && ! chmod 0755 "$bin" 2>/dev/null; then
    mkdir -p "$data"
    cp -f "$bin" "$data/hotpit"
    bin="$data/hotpit"
    chmod 0755 "$bin"
fi

export HOTPIT_AGENTS_FOLDER="${HOTPIT_AGENTS_FOLDER:-$here/agents}"
export HOTPIT_STATE_FOLDER="${HOTPIT_STATE_FOLDER:-$data/state}"
export HOTPIT_OPS_BIND="${HOTPIT_OPS_BIND:-0.0.0.0:${PORT:-3000}}"
export HOTPIT_LOG_FORMAT="${HOTPIT_LOG_FORMAT:-json}"
if [ -n "${REDIS_URL:-}" ]; then
    export HOTPIT_BUS_KIND="${HOTPIT_BUS_KIND:-redis}"
    export HOTPIT_BUS_URL="${HOTPIT_BUS_URL:-$REDIS_URL}"
fi
# Traces go to the platform's collector unless a variable says where, if only that it is nowhere. What
# the host could not use is left alone: it trades without.
encoded() {
    printf %s "$1" | LC_ALL=C tr -cd ' -~' | sed 's/%/%25/g; s/,/%2C/g'
}
case "${AGENTUITY_OTLP_URL:-}" in
    # Credentials, a query, or no address at all.
    *[!A-Za-z0-9._~:/-]* | *://*:*[!0-9]* | *:) ;;
    https://[A-Za-z0-9]* | http://127.0.0.1:[0-9]*)
        if [ -z "${HOTPIT_TRACES_ENDPOINT+set}${HOTPIT_TRACES_HEADERS:-}${HOTPIT_TRACES_HEADERS_FILE:-}" ]; then
            export HOTPIT_TRACES_ENDPOINT="$AGENTUITY_OTLP_URL"
            token=$(encoded "${AGENTUITY_OTLP_BEARER_TOKEN:-${AGENTUITY_SDK_KEY:-}}")
            [ -z "$token" ] || export HOTPIT_TRACES_HEADERS="authorization=Bearer%20$token"
            ids="@agentuity/orgId=$(encoded "${AGENTUITY_CLOUD_ORG_ID:-}")"
            ids="$ids,@agentuity/projectId=$(encoded "${AGENTUITY_CLOUD_PROJECT_ID:-}")"
            ids="$ids,@agentuity/deploymentId=$(encoded "${AGENTUITY_CLOUD_DEPLOYMENT_ID:-}")"
            export HOTPIT_TRACES_RESOURCE="${HOTPIT_TRACES_RESOURCE:-$ids}"
        fi
        ;;
esac

# A signal that only the shell above us gets must not leave the host behind.
[ $# -gt 0 ] || set -- run --parent "$PPID"
cd "$here"
exec "$bin" "$@"
