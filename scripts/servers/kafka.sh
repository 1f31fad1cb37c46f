# Kafka: one node that is broker and controller. Transactions work with a single replica. Four listeners: with TLS and without, with a
# login (miller, grist) and without; whoever comes by TLS without a login needs a certificate. Sourced by scripts/services.

KAFKA_VERSION=4.4.0

kafka_lib() { echo "$cache/kafka-$KAFKA_VERSION"; }

install_kafka() {
    need_java
    need openssl openssl
    jars "$servers/kafka/pom.xml" "$(kafka_lib)"
}

kafka_java() { java -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(kafka_lib)/*:$servers/kafka" "$@"; }

# certificate NAME ISSUER EXTENSIONS: NAME.key and NAME.pem, signed by ISSUER (itself if it is NAME).
certificate() {
    local by=(-CA "$2.pem" -CAkey "$2.key")
    [ "$1" != "$2" ] || by=()
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=millpond $1" -keyout "$1.key" -out "$1.pem" \
        "${by[@]}" -addext "$3" 2>&1
}

# An authority, the broker and a client that it has signed, and an authority that nobody trusts.
certificates() {
    mkdir -p "$1"
    (
        cd "$1"
        certificate ca ca 'keyUsage=critical,keyCertSign,cRLSign'
        certificate other other 'keyUsage=critical,keyCertSign,cRLSign'
        certificate broker ca 'subjectAltName=IP:127.0.0.1'
        certificate client ca 'extendedKeyUsage=clientAuth'
        cat broker.key broker.pem > broker.keystore.pem
        openssl pkcs12 -export -in client.pem -inkey client.key -out client.p12 -passout pass:grist
    )
}

launch_kafka() {
    local dir=$1 certificates="$1/certificates"
    if [ ! -d "$dir/data" ]; then
        certificates "$certificates" >> "$dir/log" || die "no certificates; the log is $dir/log"
        sed -e "s|@PORT@|$(port "$dir" kafka)|g" -e "s|@CONTROLLER@|$(port "$dir" controller)|g" \
            -e "s|@SSL@|$(port "$dir" ssl)|g" -e "s|@SASL_SSL@|$(port "$dir" sasl_ssl)|g" \
            -e "s|@SASL_PLAINTEXT@|$(port "$dir" sasl_plaintext)|g" \
            -e "s|@CERTIFICATES@|$certificates|g" -e "s|@DATA@|$dir/data|g" \
            "$servers/kafka/server.properties" > "$dir/server.properties"
        kafka_java kafka.tools.StorageTool format --standalone -t 4L6g3nShT-eMCtK--X86sw -c "$dir/server.properties" \
            --add-scram 'SCRAM-SHA-256=[name=miller,password=grist]' --add-scram 'SCRAM-SHA-512=[name=miller,password=grist]' \
            >> "$dir/log" 2>&1 || { tail -n 30 "$dir/log" >&2; die "Kafka's folder cannot be formatted"; }
    fi
    launch "$dir" java -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(kafka_lib)/*:$servers/kafka" \
        kafka.Kafka "$dir/server.properties"
}

# A broker listens before it serves; the log says when it does. All of the log is read: a pipe that is closed early counts as a failure.
ready_kafka() { log_of_this_start "$1" | grep 'Kafka Server started' > /dev/null; }

exports_kafka() {
    echo "export MILLPOND_KAFKA_BOOTSTRAP='127.0.0.1:$(port "$1" kafka)'"
    echo "export MILLPOND_KAFKA_SSL='127.0.0.1:$(port "$1" ssl)'"
    echo "export MILLPOND_KAFKA_SASL_SSL='127.0.0.1:$(port "$1" sasl_ssl)'"
    echo "export MILLPOND_KAFKA_SASL_PLAINTEXT='127.0.0.1:$(port "$1" sasl_plaintext)'"
    echo "export MILLPOND_KAFKA_CERTIFICATES='$1/certificates'"
}
