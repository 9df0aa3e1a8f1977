//! Checks how a webhook calls: method, headers, basic authentication; its URL is [`crate::target_url`]'s.

use std::collections::BTreeSet;

use postrider_dialects::request::check_header;
use postrider_dialects::{Dialect, RenderError};
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::secret::Sealed;
use postrider_domain::webhook::{BasicAuth, CustomHeader, HeaderValue, HttpTarget, Method, PlainHttp};
use postrider_ports::error::PortResult;
use postrider_ports::secrets::{BASIC_AUTH, HEADER, Place, Secrets};

use crate::draft::{HeaderDraft, WebhookDraft};
use crate::error::FieldFault;
use crate::render::{self, Templates};
use crate::target_url;

/// Most custom headers.
const MOST_HEADERS: usize = 50;
/// Longest header value in bytes: half of the 8 KiB that common servers give the whole request head.
const LONGEST_HEADER_VALUE: usize = 4096;
/// Shortest secret value: what is recorded is searched for secrets, and shorter ones would be found everywhere.
const SHORTEST_SECRET: usize = 4;
/// Longest user name or password in characters.
const LONGEST_CREDENTIAL: usize = 256;

/// Seals the secrets of one webhook for their places.
pub(crate) struct Sealer<'a> {
    pub(crate) secrets: &'a dyn Secrets,
    pub(crate) space: &'a SpaceId,
    pub(crate) webhook: &'a WebhookId,
}

impl Sealer<'_> {
    pub(crate) fn seal(&self, field: &str, secret: &str) -> PortResult<Sealed> {
        self.secrets.seal(Place { space: self.space, owner: self.webhook.as_str(), field }, secret)
    }
}

/// Everything that decides about a target, besides what is asked for.
pub(crate) struct Setting<'a> {
    pub(crate) before: Option<&'a HttpTarget>,
    pub(crate) sealer: &'a Sealer<'a>,
    pub(crate) plain_http: PlainHttp,
    pub(crate) dialect: &'a dyn Dialect,
}

/// The target that is asked for. With faults, the answer is not to be used.
pub(crate) fn target(
    draft: &WebhookDraft,
    setting: &Setting<'_>,
    faults: &mut Vec<FieldFault>,
) -> PortResult<HttpTarget> {
    let render = render::render(draft, setting.dialect, faults);
    let templates = Templates::of(&render, setting.dialect);
    Ok(HttpTarget {
        url: target_url::url(draft.url.as_deref(), templates, setting.plain_http, faults),
        method: method(draft.method.as_deref(), faults),
        headers: headers(&draft.headers, templates, setting, faults)?,
        basic_auth: basic_auth(draft, setting, faults)?,
        render,
    })
}

fn method(given: Option<&str>, faults: &mut Vec<FieldFault>) -> Method {
    let Some(given) = given else { return Method::default() };
    Method::parse(given).unwrap_or_else(|| {
        let known = Method::ALL.map(Method::as_str).join(", ");
        faults.push(
            FieldFault::new(
                "transformation.method",
                "in",
                "it is not a method a webhook may use",
                format!("use one of {known}"),
            )
            .given(given),
        );
        Method::default()
    })
}

fn headers(
    drafts: &[HeaderDraft],
    templates: Templates,
    setting: &Setting<'_>,
    faults: &mut Vec<FieldFault>,
) -> PortResult<Vec<CustomHeader>> {
    if drafts.len() > MOST_HEADERS {
        let problem = format!("there are {} headers", drafts.len());
        faults.push(FieldFault::new("headers", "size", problem, format!("at most {MOST_HEADERS} are sent")));
        return Ok(Vec::new());
    }
    let mut taken = BTreeSet::new();
    let mut headers = Vec::with_capacity(drafts.len());
    for (at, draft) in drafts.iter().enumerate() {
        if let Err(fault) = header_name(&format!("headers[{at}].key"), &draft.name, &mut taken) {
            faults.push(fault);
        }
        let path = format!("headers[{at}].value");
        if let Some(value) = &draft.value {
            faults.extend(templates.check_header(&path, value, draft.is_secret()));
        }
        match header_value(path, draft, setting)? {
            Ok(value) => headers.push(CustomHeader { name: draft.name.clone(), value }),
            Err(fault) => faults.push(fault),
        }
    }
    Ok(headers)
}

fn header_name(path: &str, name: &str, taken: &mut BTreeSet<String>) -> Result<(), FieldFault> {
    if let Err(error) = check_header(name, "") {
        let fix = "use letters, digits and !#$%&'*+-.^_`|~, and no header that belongs to the connection";
        return Err(FieldFault::new(path, "format", error.to_string(), fix).given(name));
    }
    if !taken.insert(name.to_ascii_lowercase()) {
        let fix = "give it once; upper and lower case are the same";
        return Err(FieldFault::new(path, "taken", "this header is given twice", fix).given(name));
    }
    Ok(())
}

fn header_value(
    path: String,
    draft: &HeaderDraft,
    setting: &Setting<'_>,
) -> PortResult<Result<HeaderValue, FieldFault>> {
    let Some(value) = &draft.value else { return kept_value(path, draft, setting) };
    let sendable = !matches!(check_header(&draft.name, value), Err(RenderError::HeaderValue(_)));
    if !sendable || value.len() > LONGEST_HEADER_VALUE {
        return Ok(Err(FieldFault::new(
            path,
            "format",
            format!("the value of header {:?} cannot be sent", shown(&draft.name)),
            "use up to 4096 visible ASCII characters, spaces and tabs, no line breaks",
        )));
    }
    if draft.is_secret() && value.len() < SHORTEST_SECRET {
        let fix = "give at least 4 characters, or leave `secret` out";
        return Ok(Err(FieldFault::new(path, "size", "so short a secret cannot be hidden in records", fix)));
    }
    Ok(Ok(match draft.secret {
        Some(true) => HeaderValue::Secret(setting.sealer.seal(HEADER, value)?),
        Some(false) => HeaderValue::Open(value.clone()),
        None => HeaderValue::Plain(value.clone()),
    }))
}

fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

fn kept_value(
    path: String,
    draft: &HeaderDraft,
    setting: &Setting<'_>,
) -> PortResult<Result<HeaderValue, FieldFault>> {
    let stored = setting.before.and_then(|target| {
        target.headers.iter().find(|header| header.name.eq_ignore_ascii_case(&draft.name))
    });
    Ok(match stored.map(|header| &header.value) {
        Some(HeaderValue::Secret(sealed)) if draft.is_secret() => Ok(HeaderValue::Secret(sealed.clone())),
        Some(HeaderValue::Plain(value) | HeaderValue::Open(value)) if draft.is_secret() => {
            Ok(HeaderValue::Secret(setting.sealer.seal(HEADER, value)?))
        }
        Some(HeaderValue::Secret(_)) => Err(FieldFault::new(
            path,
            "required",
            "a secret value cannot be shown by leaving `secret` out",
            "give the value again, or keep `secret: true`",
        )),
        _ => Err(FieldFault::new(
            path,
            "required",
            format!("the header {:?} has no value", shown(&draft.name)),
            "give one",
        )),
    })
}

fn basic_auth(
    draft: &WebhookDraft,
    setting: &Setting<'_>,
    faults: &mut Vec<FieldFault>,
) -> PortResult<Option<BasicAuth>> {
    let Some(username) = draft.basic_username.as_ref().filter(|name| !name.is_empty()) else {
        if draft.basic_password.is_some() {
            let fix = "give httpBasicUsername, or leave the password out";
            faults.push(FieldFault::new(
                "httpBasicUsername",
                "required",
                "there is a password and no user name",
                fix,
            ));
        }
        return Ok(None);
    };
    let fits = |text: &str| text.chars().count() <= LONGEST_CREDENTIAL && !text.chars().any(char::is_control);
    // The first colon ends the user name on the wire (RFC 7617 §2).
    if !fits(username) || username.contains(':') {
        let fix = "use up to 256 characters without colon and control characters";
        faults
            .push(FieldFault::new("httpBasicUsername", "format", "it is no user name", fix).given(username));
    }
    let stored = setting.before.and_then(|target| target.basic_auth.as_ref());
    let password = match (&draft.basic_password, stored) {
        (Some(password), _) if fits(password) => setting.sealer.seal(BASIC_AUTH, password)?,
        (Some(_), _) => {
            let fix = "use up to 256 characters without control characters";
            faults.push(FieldFault::new("httpBasicPassword", "format", "it is no password", fix));
            return Ok(None);
        }
        (None, Some(stored)) => stored.password.clone(),
        (None, None) => {
            let fix = "give httpBasicPassword, or leave the user name out";
            faults.push(FieldFault::new(
                "httpBasicPassword",
                "required",
                "there is a user name and no password",
                fix,
            ));
            return Ok(None);
        }
    };
    Ok(Some(BasicAuth { username: username.clone(), password }))
}
