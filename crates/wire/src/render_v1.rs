//! How body, URL and headers of a webhook's requests are made, version 1. Part of `webhook_v1`.

use postrider_domain::json::Json;
use postrider_domain::webhook::{Escape, MustacheTemplate, Render, Transformation};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::DecodeError;
use crate::fields::{at, named};

/// Left out where the dialect writes everything.
#[derive(Serialize, Deserialize)]
pub(crate) enum RenderV1 {
    #[serde(rename = "transformation")]
    Transformation(TransformationV1),
    #[serde(rename = "mustache")]
    Mustache(MustacheV1),
}

/// The body stands as a text: JSON inside it must not be touched.
#[derive(Serialize, Deserialize)]
pub(crate) struct TransformationV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_length: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct MustacheV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    escape: Option<String>,
}

impl RenderV1 {
    /// `None` is [`Render::Dialect`].
    pub(crate) fn from_domain(render: &Render) -> Option<Self> {
        match render {
            Render::Dialect => None,
            Render::Transformation(transformation) => Some(Self::Transformation(TransformationV1 {
                content_type: transformation.content_type.clone(),
                content_length: transformation.include_content_length,
                body: transformation.body.as_ref().map(|body| body.as_str().to_owned()),
            })),
            Render::Mustache(template) => Some(Self::Mustache(MustacheV1::from(template))),
        }
    }

    pub(crate) fn into_domain(self) -> Result<Render, DecodeError> {
        Ok(match self {
            Self::Transformation(form) => Render::Transformation(Transformation {
                content_type: form.content_type,
                include_content_length: form.content_length,
                body: form.body.map(json).transpose()?,
            }),
            Self::Mustache(form) => Render::Mustache(form.into_domain()?),
        })
    }
}

impl From<&MustacheTemplate> for MustacheV1 {
    fn from(template: &MustacheTemplate) -> Self {
        Self { body: template.body.clone(), escape: template.escape.map(|escape| escape.as_str().to_owned()) }
    }
}

impl MustacheV1 {
    pub(crate) fn into_domain(self) -> Result<MustacheTemplate, DecodeError> {
        let escape = self.escape.map(|name| named("mustache.escape", &name, Escape::parse)).transpose()?;
        Ok(MustacheTemplate { body: self.body, escape })
    }
}

fn json(text: String) -> Result<Json, DecodeError> {
    at("transformation.body", serde_json::from_str::<&RawValue>(&text))?;
    Ok(Json::from_checked(text))
}
