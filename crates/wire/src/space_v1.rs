//! What a space has settled, version 1, as the store and the caches keep it. Secrets stand in it as the vault sealed them.

use postrider_domain::secret::Sealed;
use postrider_domain::space::{
    SlackAccess, SlackConnection, SpaceConstants, SpaceKey, SpaceSettings, SpaceSigning,
};
use serde::{Deserialize, Serialize};

use crate::fields::instant;
use crate::version::{self, V1};
use crate::{DecodeError, Wire};

#[derive(Serialize, Deserialize)]
struct SpaceV1 {
    v: V1,
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signing: Option<SigningV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_retries: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    site_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    slack: Vec<SlackV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rsa: Option<KeyV1>,
}

#[derive(Serialize, Deserialize)]
struct SigningV1 {
    sealed: String,
    last: String,
    at: i64,
    by: String,
}

#[derive(Serialize, Deserialize)]
struct KeyV1 {
    sealed: String,
    public: String,
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct SlackV1 {
    id: String,
    name: String,
    access: AccessV1,
    at: i64,
    by: String,
}

#[derive(Serialize, Deserialize)]
enum AccessV1 {
    #[serde(rename = "bot")]
    Bot { sealed: String, team: String },
    #[serde(rename = "incoming")]
    Incoming { sealed: String },
}

impl Wire for SpaceSettings {
    fn encode(&self) -> Vec<u8> {
        let constants = self.constants.clone();
        version::write(&SpaceV1 {
            v: V1,
            version: self.version,
            signing: self.signing.as_ref().map(SigningV1::from),
            max_retries: self.max_retries,
            api_key: constants.api_key,
            site_id: constants.site_id,
            project: constants.project,
            slack: self.slack.iter().map(SlackV1::from).collect(),
            rsa: self.rsa.as_ref().map(KeyV1::from),
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let form = version::read::<SpaceV1>(bytes)?;
        Ok(Self {
            version: form.version,
            signing: form.signing.map(SigningV1::into_domain),
            rsa: form.rsa.map(KeyV1::into_domain),
            max_retries: form.max_retries,
            constants: SpaceConstants { api_key: form.api_key, site_id: form.site_id, project: form.project },
            slack: form.slack.into_iter().map(SlackV1::into_domain).collect(),
        })
    }
}

impl From<&SpaceSigning> for SigningV1 {
    fn from(signing: &SpaceSigning) -> Self {
        Self {
            sealed: signing.secret.as_str().to_owned(),
            last: signing.last_four.clone(),
            at: signing.created_at.unix_ms(),
            by: signing.created_by.clone(),
        }
    }
}

impl From<&SpaceKey> for KeyV1 {
    fn from(key: &SpaceKey) -> Self {
        Self {
            sealed: key.secret.as_str().to_owned(),
            public: key.public_pem.clone(),
            at: key.created_at.unix_ms(),
        }
    }
}

impl KeyV1 {
    fn into_domain(self) -> SpaceKey {
        SpaceKey { secret: Sealed::new(self.sealed), public_pem: self.public, created_at: instant(self.at) }
    }
}

impl From<&SlackConnection> for SlackV1 {
    fn from(connection: &SlackConnection) -> Self {
        Self {
            id: connection.id.clone(),
            name: connection.name.clone(),
            access: match &connection.access {
                SlackAccess::Bot { token, team } => {
                    AccessV1::Bot { sealed: token.as_str().to_owned(), team: team.clone() }
                }
                SlackAccess::Incoming { url } => AccessV1::Incoming { sealed: url.as_str().to_owned() },
            },
            at: connection.created_at.unix_ms(),
            by: connection.created_by.clone(),
        }
    }
}

impl SigningV1 {
    fn into_domain(self) -> SpaceSigning {
        SpaceSigning {
            secret: Sealed::new(self.sealed),
            last_four: self.last,
            created_at: instant(self.at),
            created_by: self.by,
        }
    }
}

impl SlackV1 {
    fn into_domain(self) -> SlackConnection {
        SlackConnection {
            id: self.id,
            name: self.name,
            access: match self.access {
                AccessV1::Bot { sealed, team } => SlackAccess::Bot { token: Sealed::new(sealed), team },
                AccessV1::Incoming { sealed } => SlackAccess::Incoming { url: Sealed::new(sealed) },
            },
            created_at: instant(self.at),
            created_by: self.by,
        }
    }
}
