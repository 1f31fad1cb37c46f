# S3: SeaweedFS, built once from its Go module (its own go.sum checks every dependency). Sourced by scripts/services.

SEAWEEDFS_VERSION=v0.0.0-20261109003541-7506e5f91cd6
SEAWEEDFS_SUM=h1:LOYZFToHq9F7pSR6lkPGfkM8RmHlVFrzndKdhmNZjrU=
# The toolchain where the installed one is too old: a Go module as well.
GO_TOOLCHAIN=golang.org/toolchain@v0.0.1-go1.26.8.linux

s3_weed() { echo "$cache/seaweedfs-$SEAWEEDFS_VERSION/weed"; }

install_s3() {
    need curl curl
    [ -x "$(s3_weed)" ] && return 0
    local go module home
    go=$(find_go)
    home=$(dirname "$(s3_weed)")
    say "building SeaweedFS once into $home (some minutes)"
    module=$("$go" mod download -json "github.com/seaweedfs/seaweedfs@$SEAWEEDFS_VERSION")
    grep -qF "\"Sum\": \"$SEAWEEDFS_SUM\"" <<< "$module" || die "SeaweedFS' sources aren't those that were pinned"
    mkdir -p "$home"
    (
        cd "$(dir_of "$module")"
        CGO_ENABLED=0 GOFLAGS=-mod=readonly "$go" build -trimpath -ldflags '-s -w' -o "$home/weed.new" ./weed
    ) >&2
    mv "$home/weed.new" "$home/weed"
}

# A Go that is new enough for SeaweedFS.
find_go() {
    need go golang-go
    local minor
    minor=$(GOTOOLCHAIN=local go version | sed -n 's/.* go1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -ge 26 ]; then
        command -v go
        return
    fi
    local arch home module
    case "$(uname -m)" in aarch64) arch=arm64 ;; *) arch=amd64 ;; esac
    home="$cache/go-${GO_TOOLCHAIN#*@}-$arch"
    if [ ! -d "$home" ]; then
        # The module cache keeps no executable bits.
        module=$(GOFLAGS=-mod=mod go mod download -json "$GO_TOOLCHAIN-$arch")
        cp -r "$(dir_of "$module")" "$home.new"
        chmod -R u+rwX "$home.new"
        chmod -R +x "$home.new/bin" "$home.new/pkg/tool"
        mv "$home.new" "$home"
    fi
    echo "$home/bin/go"
}

# What `go mod download -json` says of the folder.
dir_of() { sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<< "$1"; }

launch_s3() {
    local dir=$1 part
    if [ ! -f "$dir/s3.json" ]; then
        mkdir -p "$dir/data"
        cat > "$dir/s3.json" <<JSON
{"identities": [{"name": "millpond", "credentials": [{"accessKey": "millpond", "secretKey": "millpond-secret"}],
  "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
JSON
    fi
    local flags=()
    for part in master volume filer s3; do
        flags+=("-$part.port=$(port "$dir" $part)" "-$part.port.grpc=$(port "$dir" $part-grpc)")
    done
    launch "$dir" "$(s3_weed)" -logtostderr=true server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir="$dir/data" "${flags[@]}" \
        -filer -s3 -s3.config="$dir/s3.json" -s3.iam=false -master.volumeSizeLimitMB=64 -volume.max=200 -volume.minFreeSpace=50MiB
}

s3_put_bucket() {
    curl -s -o /dev/null -w '%{http_code}' -X PUT --aws-sigv4 aws:amz:us-east-1:s3 --user millpond:millpond-secret \
        "http://127.0.0.1:$(port "$1" s3)/millpond"
}

# Ready once the bucket is there: made, or made before.
ready_s3() { listens "$(port "$1" s3)" && [[ "$(s3_put_bucket "$1")" =~ ^(200|409)$ ]]; }

exports_s3() {
    echo "export MILLPOND_S3_ENDPOINT='http://127.0.0.1:$(port "$1" s3)' MILLPOND_S3_BUCKET=millpond"
    echo "export AWS_ACCESS_KEY_ID=millpond AWS_SECRET_ACCESS_KEY=millpond-secret AWS_REGION=us-east-1"
}
