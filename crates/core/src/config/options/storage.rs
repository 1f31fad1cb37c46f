//! Options of the systems that checkpoints lie on: S3 and HDFS.

use super::parsers::{positive, text};
use crate::config::{parse_bool, parse_duration};
use std::time::Duration;

options! {
    S3_ACCESS_KEY: String = "s3.access-key" or "s3.access.key" or "fs.s3a.access.key", None, text,
        "the id of the S3 key; unset: as AWS's tools find it (environment, web identity, profile, machine)";
    S3_SECRET_KEY: String = "s3.secret-key" or "s3.secret.key" or "fs.s3a.secret.key", None, text,
        "the secret of the S3 key; better left to the environment than written into a file";
    S3_SESSION_TOKEN: String = "s3.session-token" or "s3.session.token" or "fs.s3a.session.token", None, text,
        "the token of an S3 key that expires";
    S3_ENDPOINT: String = "s3.endpoint" or "fs.s3a.endpoint", None, text,
        "the address of a store that speaks S3's protocol, other than AWS's: https://host:port";
    S3_REGION: String = "s3.endpoint.region" or "s3.endpoint-region" or "fs.s3a.endpoint.region", None, text,
        "the region of the S3 bucket; unset: the environment's, or us-east-1";
    S3_PATH_STYLE_ACCESS: bool = "s3.path.style.access" or "s3.path-style-access" or "fs.s3a.path.style.access", Some("false"), parse_bool,
        "whether the bucket stands in the path of S3 requests and not in the host's name; always so for a host that is an address";
    S3_ATTEMPTS_MAXIMUM: u32 = "s3.attempts.maximum" or "fs.s3a.attempts.maximum", Some("10"), positive,
        "how often an S3 request is tried before it fails, ever longer and at random apart";
    S3_CONNECT_TIMEOUT: Duration = "s3.connection.establish.timeout" or "fs.s3a.connection.establish.timeout", Some("5 s"), parse_duration,
        "how long a connection to S3 may take to be made";
    S3_REQUEST_TIMEOUT: Duration = "s3.connection.request.timeout" or "fs.s3a.connection.request.timeout", Some("60 s"), parse_duration,
        "how long one S3 request may take; all attempts together take at most twice as long";
    HADOOP_CONF_DIR: String = "env.hadoop.conf.dir", None, text,
        "the folder of core-site.xml and hdfs-site.xml, for HDFS; unset: $HADOOP_CONF_DIR";
}
