//! `[slack]`: where Slack's API is.

use axum::http::Uri;

use crate::settings::key::Key;
use crate::settings::reader::Reader;

/// Where Slack is.
#[derive(Debug, Clone)]
pub struct Slack {
    /// What the methods of the API (`chat.postMessage`, …) are appended to; ends with `/`.
    pub base_url: String,
}

pub(in crate::settings) const KEYS: &[Key] = &[Key::text(
    "slack.base_url",
    postrider_control::SLACK_BASE_URL,
    "Where Slack's API is. Any other than Slack's own, such as GovSlack's or a stand-in's, also takes incoming webhooks of any address.",
)];

impl Slack {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { base_url: reader.value("slack.base_url", base)? })
    }
}

/// The guard judges it when Slack is called; credentials do not belong into an address, which is shown and logged.
fn base(text: &str) -> Result<String, String> {
    let example = "write for example https://slack.com/api/";
    let text = text.trim();
    let uri: Uri = text.parse().map_err(|_| format!("is not an address; {example}"))?;
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(format!("has credentials in it; {example}"));
    }
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_http || uri.host().is_none_or(str::is_empty) {
        return Err(format!("{text:?} is not an http or https address; {example}"));
    }
    if uri.query().is_some() {
        return Err(format!("{text:?} has a query; {example}"));
    }
    Ok(format!("{}/", text.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_an_address_without_credentials_and_ends_with_a_slash() {
        for good in ["https://slack.com/api/", " https://slack.com/api "] {
            assert_eq!(base(good).as_deref(), Ok(postrider_control::SLACK_BASE_URL));
        }
        assert_eq!(base("http://127.0.0.1:8/api").as_deref(), Ok("http://127.0.0.1:8/api/"));
        for (bad, says) in [
            ("slack.com/api", "https"),
            ("ftp://slack.com/api", "http or https"),
            ("https://user:hidden@slack.com/api", "credentials"),
            ("https://slack.com/api?token=hidden2", "query"),
        ] {
            let error = base(bad).expect_err(bad);
            assert!(error.contains(says) && !error.contains("hidden@"), "{bad}: {error}");
        }
    }
}
