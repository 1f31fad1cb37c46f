# Kafka: one node that is broker and controller. Transactions work with a single replica. Sourced by scripts/services.

KAFKA_VERSION=4.4.0

kafka_lib() { echo "$cache/kafka-$KAFKA_VERSION"; }

install_kafka() {
    need_java
    jars "$servers/kafka/pom.xml" "$(kafka_lib)"
}

kafka_java() { java -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(kafka_lib)/*:$servers/kafka" "$@"; }

launch_kafka() {
    local dir=$1 port controller
    port=$(port "$dir" kafka)
    controller=$(port "$dir" controller)
    if [ ! -d "$dir/data" ]; then
        sed -e "s|@PORT@|$port|g" -e "s|@CONTROLLER@|$controller|g" -e "s|@DATA@|$dir/data|g" \
            "$servers/kafka/server.properties" > "$dir/server.properties"
        kafka_java kafka.tools.StorageTool format --standalone -t 4L6g3nShT-eMCtK--X86sw -c "$dir/server.properties" \
            >> "$dir/log" 2>&1 || { tail -n 30 "$dir/log" >&2; die "Kafka's folder cannot be formatted"; }
    fi
    launch "$dir" java -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(kafka_lib)/*:$servers/kafka" \
        kafka.Kafka "$dir/server.properties"
}

# A broker listens before it serves; the log says when it does. All of the log is read: a pipe that is closed early counts as a failure.
ready_kafka() { log_of_this_start "$1" | grep 'Kafka Server started' > /dev/null; }

exports_kafka() { echo "export MILLPOND_KAFKA_BOOTSTRAP='127.0.0.1:$(port "$1" kafka)'"; }
