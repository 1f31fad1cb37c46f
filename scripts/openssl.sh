#!/usr/bin/env bash
# Makes sure that OpenSSL can be linked, which the Kafka connector does for TLS and logins: installs Debian's packages where they are
# missing and this may be done.
set -euo pipefail
pkg-config --exists 'openssl >= 1.1.1' 2>/dev/null && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends pkg-config libssl-dev >&2
else
    echo "The Kafka connector needs OpenSSL's headers: install the packages pkg-config and libssl-dev, or build with its feature ssl-vendored" >&2
    exit 1
fi
