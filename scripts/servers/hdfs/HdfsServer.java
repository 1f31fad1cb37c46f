import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/** A name node on a given port and a data node, until the process is ended. The folder is formatted the first time. */
public final class HdfsServer {
    public static void main(String[] args) throws Exception {
        Path dir = Path.of(args[0]);
        Path data = dir.resolve("data");
        boolean format = !Files.exists(data);
        Configuration conf = new Configuration();
        conf.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, data.toString());
        conf.setInt("dfs.replication", 1);
        // A killed writer's lease and a restarted name node must not keep tests waiting.
        conf.setInt("dfs.namenode.safemode.extension", 0);
        conf.setInt("dfs.namenode.decommission.interval", 1);
        new MiniDFSCluster.Builder(conf)
                .numDataNodes(1)
                .nameNodePort(Integer.parseInt(args[1]))
                .format(format)
                .build()
                .waitActive();
        Files.createFile(dir.resolve("ready"));
        Thread.currentThread().join();
    }
}
