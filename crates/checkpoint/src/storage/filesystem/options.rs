//! How stores over the network are reached, under the keys that Flink passes on to its file systems.

use millpond_core::config::options;
use millpond_core::{Configuration, Result};
use std::fmt;
use std::time::Duration;

/// How stores over the network are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSystemOptions {
    /// S3, and stores that speak its protocol.
    pub s3: S3Options,
    /// HDFS.
    pub hdfs: HdfsOptions,
}

/// How S3 is reached. What is `None` comes from the environment, as AWS's tools read it.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Options {
    /// `s3.access-key`.
    pub access_key: Option<String>,
    /// `s3.secret-key`.
    pub secret_key: Option<String>,
    /// `s3.session-token`, for credentials that expire.
    pub session_token: Option<String>,
    /// `s3.endpoint`: the address of a store other than AWS's.
    pub endpoint: Option<String>,
    /// `s3.endpoint.region`.
    pub region: Option<String>,
    /// `s3.path.style.access`: whether the bucket stands in the path and not in the host's name.
    pub path_style_access: bool,
    /// `s3.attempts.maximum`: how often a request is tried.
    pub attempts_max: u32,
    /// `s3.connection.establish.timeout`.
    pub connect_timeout: Duration,
    /// `s3.connection.request.timeout`: how long one request may take.
    pub request_timeout: Duration,
}

/// How HDFS is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HdfsOptions {
    /// `env.hadoop.conf.dir`: the folder of `core-site.xml` and `hdfs-site.xml`; `None`: `$HADOOP_CONF_DIR`.
    pub conf_dir: Option<String>,
}

impl Default for S3Options {
    fn default() -> Self {
        S3Options {
            access_key: None,
            secret_key: None,
            session_token: None,
            endpoint: None,
            region: None,
            path_style_access: false,
            attempts_max: 10,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
        }
    }
}

/// Without secrets: options are logged.
impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("access_key", &self.access_key)
            .field("secret_key", &self.secret_key.as_ref().map(|_| "…"))
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl FileSystemOptions {
    /// Reads them.
    ///
    /// # Errors
    /// Config when a value isn't what its key asks for.
    pub fn from_configuration(c: &Configuration) -> Result<Self> {
        Ok(FileSystemOptions {
            s3: S3Options {
                access_key: c.get(&options::S3_ACCESS_KEY)?,
                secret_key: c.get(&options::S3_SECRET_KEY)?,
                session_token: c.get(&options::S3_SESSION_TOKEN)?,
                endpoint: c.get(&options::S3_ENDPOINT)?,
                region: c.get(&options::S3_REGION)?,
                path_style_access: c.require(&options::S3_PATH_STYLE_ACCESS)?,
                attempts_max: c.require(&options::S3_ATTEMPTS_MAXIMUM)?,
                connect_timeout: c.require(&options::S3_CONNECT_TIMEOUT)?,
                request_timeout: c.require(&options::S3_REQUEST_TIMEOUT)?,
            },
            hdfs: HdfsOptions {
                conf_dir: c.get(&options::HADOOP_CONF_DIR)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_flinks_and_secrets_are_not_shown() {
        let mut c = Configuration::new();
        assert_eq!(
            FileSystemOptions::from_configuration(&c).unwrap(),
            FileSystemOptions::default()
        );
        c.set("s3.access-key", "who");
        c.set("s3.secret-key", "hush");
        c.set("s3.endpoint", "http://127.0.0.1:9000");
        c.set("s3.path.style.access", "true");
        let read = FileSystemOptions::from_configuration(&c).unwrap().s3;
        assert_eq!(read.secret_key.as_deref(), Some("hush"));
        assert!(read.path_style_access);
        assert!(!format!("{read:?}").contains("hush"));
    }
}
