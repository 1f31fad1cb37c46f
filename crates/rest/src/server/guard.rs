//! Keeps web pages out: a browser on this machine must not be made to stop a job.
//!
//! Loopback keeps other machines out, not the pages that a browser here shows. Such a page can send requests to any port, with
//! its own `Origin`, or under a name of its own that resolves to loopback (DNS rebinding), which the `Host` then tells.
//! Programs such as curl send a loopback `Host` and no `Origin`.

use super::answer::Refusal;
use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

pub(crate) async fn local_only(request: Request, next: Next) -> Response {
    let local = |value: Option<&HeaderValue>, scheme: &str| match value {
        None => true,
        Some(v) => v
            .to_str()
            .ok()
            .and_then(|v| v.strip_prefix(scheme))
            .is_some_and(is_local),
    };
    let headers = request.headers();
    if local(headers.get(HOST), "") && local(headers.get(ORIGIN), "http://") {
        return next.run(request).await;
    }
    let why =
        "only this machine may ask, and no web page of another site: use a loopback address as the host";
    Refusal::new(StatusCode::FORBIDDEN, why).into_response()
}

/// Whether `host` or `host:port` names this machine.
fn is_local(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_and_addresses_are_local_and_nothing_else_is() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8081",
            "127.9.9.9",
            "[::1]:8081",
            "[::1]",
        ] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "localhost.example.org",
            "10.0.0.1:80",
            "127.0.0.1.example.org:80",
            "null",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
