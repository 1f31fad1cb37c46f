//! S3, and stores that speak its protocol.
//!
//! Credentials are looked for where AWS's tools look: the options, the environment, a web identity, a container's role, the
//! profile in `~/.aws`, the machine's role. Requests that fail for a passing reason are tried again, ever later and at random
//! moments (`object_store`'s retries); a store that answers nothing is given up after the time-outs.

use super::{OPEN, S3Options, Store};
use crate::storage::folder::Place;
use ini::Ini;
use millpond_core::{Error, Result};
use object_store::aws::AmazonS3Builder;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use std::env::{var, var_os};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The longest pause between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

pub(super) fn connect(bucket: &str, options: &S3Options) -> Result<Store> {
    // Chosen for the whole process: whoever chose before, chose well enough.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                max_backoff: BACKOFF_MAX,
                ..BackoffConfig::default()
            },
            max_retries: options.attempts_max.saturating_sub(1) as usize,
            retry_timeout: options.request_timeout.saturating_mul(2),
        })
        .with_client_options(
            ClientOptions::new()
                .with_allow_http(true)
                .with_connect_timeout(options.connect_timeout)
                .with_timeout(options.request_timeout),
        );
    let profile = Profile::read();
    if let Some(region) = options.region.clone().or_else(|| profile.region_if_none_is_set()) {
        builder = builder.with_region(region);
    }
    builder = credentials(builder, options, profile)?;
    let endpoint = options.endpoint.clone().or_else(endpoint_of_environment);
    builder = match endpoint {
        Some(endpoint) => {
            let endpoint = with_scheme(&endpoint);
            let host = (!options.path_style_access)
                .then(|| virtual_host(&endpoint, bucket))
                .flatten();
            builder
                .with_virtual_hosted_style_request(host.is_some())
                .with_endpoint(host.unwrap_or(endpoint))
        }
        None => builder.with_virtual_hosted_style_request(!options.path_style_access),
    };
    let store = builder.build().map_err(|e| {
        Error::config(OPEN, "S3 cannot be reached with these options")
            .source(e)
            .hint("check s3.endpoint, s3.endpoint.region, s3.access-key and s3.secret-key, or AWS_… in the environment")
    })?;
    Ok(Store {
        store: Arc::new(store),
        place: Place::Objects,
    })
}

fn credentials(builder: AmazonS3Builder, options: &S3Options, profile: Profile) -> Result<AmazonS3Builder> {
    let builder = match (&options.access_key, &options.secret_key) {
        (Some(key), Some(secret)) => {
            let builder = builder
                .with_access_key_id(key.as_str())
                .with_secret_access_key(secret.as_str());
            match &options.session_token {
                Some(token) => builder.with_token(token.as_str()),
                None => builder,
            }
        }
        (None, None) if !others_have_credentials() => match (profile.access_key, profile.secret_key) {
            (Some(key), Some(secret)) => {
                let builder = builder.with_access_key_id(key).with_secret_access_key(secret);
                match profile.session_token {
                    Some(token) => builder.with_token(token),
                    None => builder,
                }
            }
            _ => builder,
        },
        (None, None) => builder,
        _ => {
            return Err(
                Error::config(OPEN, "only one of s3.access-key and s3.secret-key is given")
                    .hint("give both, or neither to use the environment's"),
            );
        }
    };
    Ok(builder)
}

/// Whether the environment names credentials that are asked before the profile.
fn others_have_credentials() -> bool {
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ]
    .iter()
    .any(|name| var_os(name).is_some())
}

fn endpoint_of_environment() -> Option<String> {
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .iter()
        .find_map(|name| var(name).ok())
}

/// Flink's options allow an endpoint without a scheme.
fn with_scheme(endpoint: &str) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.contains("://") {
        true => endpoint.to_string(),
        false => format!("https://{endpoint}"),
    }
}

/// The endpoint with the bucket in front of its host; `None` where that can't be: before an address, or `localhost`.
fn virtual_host(endpoint: &str, bucket: &str) -> Option<String> {
    let (scheme, host) = endpoint.split_once("://")?;
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_name = name.parse::<std::net::IpAddr>().is_err() && !name.starts_with('[') && name.contains('.');
    is_name.then(|| format!("{scheme}://{bucket}.{host}"))
}

/// What `~/.aws` says of the profile in use.
#[derive(Default)]
struct Profile {
    access_key: Option<String>,
    secret_key: Option<String>,
    session_token: Option<String>,
    region: Option<String>,
}

impl Profile {
    fn read() -> Profile {
        let name = var("AWS_PROFILE").unwrap_or_else(|_| "default".to_string());
        let file = |variable: &str, name: &str| {
            let home = || var_os("HOME").map(|home| PathBuf::from(home).join(".aws").join(name));
            let path = var_os(variable).map(PathBuf::from).or_else(home)?;
            // A file that isn't there, or isn't readable, names nobody.
            Ini::load_from_file(path).ok()
        };
        Profile::of(
            &name,
            file("AWS_SHARED_CREDENTIALS_FILE", "credentials").as_ref(),
            file("AWS_CONFIG_FILE", "config").as_ref(),
        )
    }

    fn of(name: &str, credentials: Option<&Ini>, config: Option<&Ini>) -> Profile {
        let of_config = match name {
            "default" => name.to_string(),
            other => format!("profile {other}"),
        };
        let get = |key: &str| {
            let first = credentials.and_then(|c| c.get_from(Some(name), key));
            first
                .or_else(|| config.and_then(|c| c.get_from(Some(of_config.as_str()), key)))
                .map(str::to_string)
        };
        Profile {
            access_key: get("aws_access_key_id"),
            secret_key: get("aws_secret_access_key"),
            session_token: get("aws_session_token"),
            region: get("region"),
        }
    }

    fn region_if_none_is_set(&self) -> Option<String> {
        let set = ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .iter()
            .any(|n| var_os(n).is_some());
        self.region.clone().filter(|_| !set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_goes_into_the_host_only_where_the_host_has_a_name() {
        assert_eq!(
            virtual_host("https://s3.example.com:9000", "b").as_deref(),
            Some("https://b.s3.example.com:9000")
        );
        for endpoint in [
            "http://127.0.0.1:9000",
            "http://[::1]:9000",
            "http://localhost:9000",
        ] {
            assert_eq!(virtual_host(endpoint, "b"), None, "{endpoint}");
        }
        assert_eq!(with_scheme("s3.example.com/"), "https://s3.example.com");
    }

    #[test]
    fn a_profile_is_read_from_both_files() {
        let credentials =
            Ini::load_from_str("[me]\naws_access_key_id = a\naws_secret_access_key = s\n").unwrap();
        let config =
            Ini::load_from_str("[default]\nregion = x\n[profile me]\nregion = eu-central-1\n").unwrap();
        let me = Profile::of("me", Some(&credentials), Some(&config));
        assert_eq!(
            (
                me.access_key.as_deref(),
                me.secret_key.as_deref(),
                me.region.as_deref()
            ),
            (Some("a"), Some("s"), Some("eu-central-1"))
        );
        assert_eq!(
            Profile::of("default", Some(&credentials), Some(&config)).access_key,
            None
        );
    }

    #[test]
    fn half_of_a_pair_of_keys_is_refused() {
        let options = S3Options {
            access_key: Some("a".to_string()),
            ..S3Options::default()
        };
        let error = connect("bucket", &options).err().unwrap();
        assert!(error.to_string().contains("s3.secret-key"), "{error}");
    }
}
