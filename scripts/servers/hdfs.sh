# HDFS: Hadoop's own mini cluster, a name node and a data node in one JVM. Sourced by scripts/services.

HADOOP_VERSION=3.5.0

hdfs_lib() { echo "$cache/hdfs-$HADOOP_VERSION"; }

install_hdfs() {
    need_java
    jars "$servers/hdfs/pom.xml" "$(hdfs_lib)"
    local classes
    classes="$(hdfs_lib)/classes"
    if [ ! -f "$classes/HdfsServer.class" ] || [ "$servers/hdfs/HdfsServer.java" -nt "$classes/HdfsServer.class" ]; then
        javac -nowarn -cp "$(hdfs_lib)/*" -d "$classes" "$servers/hdfs/HdfsServer.java" >&2
    fi
}

launch_hdfs() {
    local dir=$1
    rm -f "$dir/ready"
    launch "$dir" java -Xmx768m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(hdfs_lib)/classes:$(hdfs_lib)/*" \
        HdfsServer "$dir" "$(port "$dir" hdfs)"
}

ready_hdfs() { [ -f "$1/ready" ]; }

exports_hdfs() {
    echo "export MILLPOND_HDFS_URI='hdfs://127.0.0.1:$(port "$1" hdfs)' HADOOP_USER_NAME='${HADOOP_USER_NAME:-$(id -un)}'"
}
