//! Checks where a webhook calls.

use std::net::IpAddr;

use postrider_domain::webhook::PlainHttp;
use url::{Host, Url};

use crate::error::FieldFault;
use crate::render::Templates;

/// Longest URL in bytes: what every proxy and server passes.
const LONGEST_URL: usize = 2048;

/// The URL that is asked for. With faults, the answer is not to be used.
pub(crate) fn url(
    given: Option<&str>,
    templates: Templates,
    plain_http: PlainHttp,
    faults: &mut Vec<FieldFault>,
) -> String {
    let Some(given) = given else {
        faults.push(FieldFault::new("url", "required", "a webhook needs a URL", "give an https:// address"));
        return String::new();
    };
    if given.len() > LONGEST_URL {
        let problem = format!("it has {} bytes", given.len());
        faults.push(FieldFault::new("url", "size", problem, "a URL has at most 2048 bytes"));
    } else {
        match templates.sample_url(given) {
            Ok(None) => faults.extend(check(given, plain_http).err()),
            // The sample is ours, so the fault does not show it as what was given.
            Ok(Some(sample)) => {
                let fault = check(&sample, plain_http).err();
                faults.extend(fault.map(|fault| FieldFault { value: None, ..fault }));
            }
            Err(found) => faults.extend(found),
        }
    }
    given.to_owned()
}

/// The fault of a URL that is itself a secret: nothing of it is repeated.
pub(crate) fn check_hidden(given: &str, plain_http: PlainHttp) -> Option<FieldFault> {
    if given.len() > LONGEST_URL {
        return Some(FieldFault::new("url", "size", "it is too long", "a URL has at most 2048 bytes"));
    }
    check(given, plain_http).err().map(|fault| FieldFault { value: None, ..fault })
}

/// Faults do not repeat the URL where it holds credentials.
fn check(given: &str, plain_http: PlainHttp) -> Result<(), FieldFault> {
    let fault = |name, problem: String, fix: &str| Err(FieldFault::new("url", name, problem, fix));
    // The parser would silently drop or escape these, and what is called would not be what is shown.
    if given.chars().any(|character| character.is_control() || character == ' ') {
        return fault(
            "format",
            "it contains a space, line break or control character".into(),
            "percent-encode it",
        );
    }
    let parsed = match Url::parse(given) {
        Ok(parsed) => parsed,
        Err(error) => {
            return Err(FieldFault::new(
                "url",
                "format",
                format!("it is no URL: {error}"),
                "write https://host/path",
            )
            .given(given.split('@').next_back().unwrap_or_default()));
        }
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return fault(
            "userinfo",
            "it carries a user name or password".into(),
            "give them as httpBasicUsername and httpBasicPassword, which are stored sealed",
        );
    }
    match parsed.scheme() {
        "https" => Ok(()),
        "http" if plain_http_allowed(&parsed, plain_http) => Ok(()),
        "http" => Err(FieldFault::new(
            "url",
            "protocol",
            format!("plain http to {} is not allowed", parsed.host_str().unwrap_or_default()),
            "use https://, or have the operator set outbound.plain_http to loopback or always",
        )
        .given(given)),
        other => Err(FieldFault::new(
            "url",
            "protocol",
            format!("{other}: is not called"),
            "write https://host/path",
        )
        .given(given)),
    }
}

fn plain_http_allowed(url: &Url, plain_http: PlainHttp) -> bool {
    match plain_http {
        PlainHttp::Never => false,
        PlainHttp::Always => true,
        PlainHttp::Loopback => match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
            None => false,
        },
    }
}
