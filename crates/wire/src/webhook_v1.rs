//! A webhook, version 1, as the store and the caches keep it. Secrets stand in it as the vault sealed them.

use std::collections::BTreeMap;
use std::time::Duration;

use postrider_domain::coalesce::{CoalesceKey, CoalesceRule, CoalesceSetting};
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::secret::Sealed;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::{
    Audit, BasicAuth, CustomHeader, Disabled, DisabledBy, HeaderValue, HttpTarget, Method, RateLimit, Render,
    SigningSecret, SlackTarget, Status, Webhook, WebhookAction,
};
use serde::{Deserialize, Serialize};

use crate::fields::{at, instant, named, to_ms, within};
use crate::render_v1::{MustacheV1, RenderV1};
use crate::retry_v1::RetryV1;
use crate::version::{self, V1};
use crate::wants_v1::WantsV1;
use crate::{DecodeError, Wire};

#[derive(Serialize, Deserialize)]
struct WebhookV1 {
    v: V1,
    id: String,
    space: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disabled: Option<DisabledV1>,
    wants: WantsV1,
    action: ActionV1,
    dialect: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    signing: Vec<SigningV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry: Option<RetryV1>,
    /// Milliseconds, as every duration here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    coalesce: CoalesceV1,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<RateV1>,
    version: u64,
    audit: AuditV1,
}

#[derive(Serialize, Deserialize)]
struct DisabledV1 {
    at: i64,
    by: String,
    reason: String,
}

#[derive(Serialize, Deserialize)]
enum ActionV1 {
    #[serde(rename = "http")]
    Http(HttpV1),
    #[serde(rename = "slack")]
    Slack(SlackTargetV1),
}

#[derive(Serialize, Deserialize)]
struct SlackTargetV1 {
    connection: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    template: Option<MustacheV1>,
}

#[derive(Serialize, Deserialize)]
struct HttpV1 {
    url: String,
    method: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<HeaderV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth: Option<AuthV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    render: Option<RenderV1>,
}

/// Of `value` and `sealed` one is there.
#[derive(Serialize, Deserialize)]
struct HeaderV1 {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    /// Its user said that it is no secret.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    open: bool,
}

#[derive(Serialize, Deserialize)]
struct AuthV1 {
    user: String,
    sealed: String,
}

#[derive(Serialize, Deserialize)]
struct SigningV1 {
    sealed: String,
    from: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

#[derive(Serialize, Deserialize)]
enum CoalesceV1 {
    #[serde(rename = "auto_save")]
    AutoSaveOnly,
    #[serde(rename = "off")]
    Off,
    #[serde(rename = "all")]
    All { window: u64, key: CoalesceKeyV1 },
}

#[derive(Serialize, Deserialize)]
enum CoalesceKeyV1 {
    #[serde(rename = "webhook")]
    Webhook,
    #[serde(rename = "resource")]
    Resource,
}

#[derive(Serialize, Deserialize)]
struct RateV1 {
    calls: u32,
    per: u64,
}

#[derive(Serialize, Deserialize)]
struct AuditV1 {
    created: i64,
    created_by: String,
    updated: i64,
    updated_by: String,
}

impl Wire for Webhook {
    fn encode(&self) -> Vec<u8> {
        version::write(&WebhookV1::from(self))
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        version::read::<WebhookV1>(bytes)?.into_domain()
    }
}

impl From<&Webhook> for WebhookV1 {
    fn from(webhook: &Webhook) -> Self {
        Self {
            v: V1,
            id: webhook.id.to_string(),
            space: webhook.space.to_string(),
            name: webhook.name.clone(),
            disabled: match &webhook.status {
                Status::Active => None,
                Status::Disabled(why) => Some(DisabledV1::from(why)),
            },
            wants: WantsV1::from(&webhook.wants),
            action: ActionV1::from(&webhook.action),
            dialect: webhook.dialect.clone(),
            options: webhook.options.clone(),
            signing: webhook.signing.iter().map(SigningV1::from).collect(),
            retry: webhook.retry.as_ref().map(RetryV1::from),
            timeout: webhook.timeout.map(to_ms),
            coalesce: CoalesceV1::from(webhook.coalesce),
            rate: webhook.rate_limit.map(|limit| RateV1 { calls: limit.calls, per: to_ms(limit.per) }),
            version: webhook.version,
            audit: AuditV1 {
                created: webhook.audit.created_at.unix_ms(),
                created_by: webhook.audit.created_by.clone(),
                updated: webhook.audit.updated_at.unix_ms(),
                updated_by: webhook.audit.updated_by.clone(),
            },
        }
    }
}

impl From<&WebhookAction> for ActionV1 {
    fn from(action: &WebhookAction) -> Self {
        match action {
            WebhookAction::Http(target) => Self::Http(HttpV1::from(target)),
            WebhookAction::Slack(target) => Self::Slack(SlackTargetV1 {
                connection: target.connection.clone(),
                channel: target.channel.clone(),
                template: target.template.as_ref().map(MustacheV1::from),
            }),
        }
    }
}

impl ActionV1 {
    fn into_domain(self) -> Result<WebhookAction, DecodeError> {
        Ok(match self {
            Self::Http(target) => WebhookAction::Http(within("action.http", target.into_domain())?),
            Self::Slack(target) => WebhookAction::Slack(SlackTarget {
                connection: target.connection,
                channel: target.channel,
                template: within("action.slack", target.template.map(MustacheV1::into_domain).transpose())?,
            }),
        })
    }
}

impl From<&Disabled> for DisabledV1 {
    fn from(why: &Disabled) -> Self {
        Self { at: why.at.unix_ms(), by: why.by.as_str().to_owned(), reason: why.reason.clone() }
    }
}

impl From<&HttpTarget> for HttpV1 {
    fn from(target: &HttpTarget) -> Self {
        Self {
            url: target.url.clone(),
            method: target.method.as_str().to_owned(),
            headers: target.headers.iter().map(HeaderV1::from).collect(),
            auth: target.basic_auth.as_ref().map(|auth| AuthV1 {
                user: auth.username.clone(),
                sealed: auth.password.as_str().to_owned(),
            }),
            render: RenderV1::from_domain(&target.render),
        }
    }
}

impl From<&CustomHeader> for HeaderV1 {
    fn from(header: &CustomHeader) -> Self {
        let (value, sealed) = match &header.value {
            HeaderValue::Plain(value) | HeaderValue::Open(value) => (Some(value.clone()), None),
            HeaderValue::Secret(sealed) => (None, Some(sealed.as_str().to_owned())),
        };
        let open = matches!(header.value, HeaderValue::Open(_));
        Self { name: header.name.clone(), value, sealed, open }
    }
}

impl From<&SigningSecret> for SigningV1 {
    fn from(signing: &SigningSecret) -> Self {
        Self {
            sealed: signing.secret.as_str().to_owned(),
            from: signing.created_at.unix_ms(),
            until: signing.expires_at.map(Timestamp::unix_ms),
        }
    }
}

impl From<CoalesceSetting> for CoalesceV1 {
    fn from(setting: CoalesceSetting) -> Self {
        match setting {
            CoalesceSetting::AutoSaveOnly => Self::AutoSaveOnly,
            CoalesceSetting::Off => Self::Off,
            CoalesceSetting::All(CoalesceRule { window, key }) => Self::All {
                window: to_ms(window),
                key: match key {
                    CoalesceKey::Webhook => CoalesceKeyV1::Webhook,
                    CoalesceKey::Resource => CoalesceKeyV1::Resource,
                },
            },
        }
    }
}

impl WebhookV1 {
    fn into_domain(self) -> Result<Webhook, DecodeError> {
        let disabled = self.disabled.map(DisabledV1::into_domain).transpose()?;
        Ok(Webhook {
            id: at("id", WebhookId::new(&self.id))?,
            space: at("space", SpaceId::new(&self.space))?,
            name: self.name,
            status: disabled.map_or(Status::Active, Status::Disabled),
            wants: within("wants", self.wants.into_domain())?,
            action: self.action.into_domain()?,
            dialect: self.dialect,
            options: self.options,
            signing: self.signing.into_iter().map(SigningV1::into_domain).collect(),
            retry: self.retry.map(RetryV1::into_domain),
            timeout: self.timeout.map(Duration::from_millis),
            coalesce: self.coalesce.into_domain(),
            rate_limit: self
                .rate
                .map(|rate| RateLimit { calls: rate.calls, per: Duration::from_millis(rate.per) }),
            version: self.version,
            audit: Audit {
                created_at: instant(self.audit.created),
                created_by: self.audit.created_by,
                updated_at: instant(self.audit.updated),
                updated_by: self.audit.updated_by,
            },
        })
    }
}

impl DisabledV1 {
    fn into_domain(self) -> Result<Disabled, DecodeError> {
        let known = [DisabledBy::User, DisabledBy::Gone, DisabledBy::Failing];
        let by = known.into_iter().find(|by| by.as_str() == self.by);
        let by = by.ok_or_else(|| DecodeError::Malformed("disabled.by: not known".into()))?;
        Ok(Disabled { at: instant(self.at), by, reason: self.reason })
    }
}

impl HttpV1 {
    fn into_domain(self) -> Result<HttpTarget, DecodeError> {
        Ok(HttpTarget {
            url: self.url,
            method: named("method", &self.method, Method::parse)?,
            headers: self.headers.into_iter().map(HeaderV1::into_domain).collect::<Result<_, _>>()?,
            basic_auth: self
                .auth
                .map(|auth| BasicAuth { username: auth.user, password: Sealed::new(auth.sealed) }),
            render: self.render.map_or(Ok(Render::Dialect), RenderV1::into_domain)?,
        })
    }
}

impl HeaderV1 {
    fn into_domain(self) -> Result<CustomHeader, DecodeError> {
        let value = match (self.value, self.sealed) {
            (_, Some(sealed)) => HeaderValue::Secret(Sealed::new(sealed)),
            (Some(value), None) if self.open => HeaderValue::Open(value),
            (Some(value), None) => HeaderValue::Plain(value),
            (None, None) => {
                return Err(DecodeError::Malformed("headers: neither value nor sealed is there".into()));
            }
        };
        Ok(CustomHeader { name: self.name, value })
    }
}

impl SigningV1 {
    fn into_domain(self) -> SigningSecret {
        SigningSecret {
            secret: Sealed::new(self.sealed),
            created_at: instant(self.from),
            expires_at: self.until.map(instant),
        }
    }
}

impl CoalesceV1 {
    fn into_domain(self) -> CoalesceSetting {
        match self {
            Self::AutoSaveOnly => CoalesceSetting::AutoSaveOnly,
            Self::Off => CoalesceSetting::Off,
            Self::All { window, key } => CoalesceSetting::All(CoalesceRule {
                window: Duration::from_millis(window),
                key: match key {
                    CoalesceKeyV1::Webhook => CoalesceKey::Webhook,
                    CoalesceKeyV1::Resource => CoalesceKey::Resource,
                },
            }),
        }
    }
}
