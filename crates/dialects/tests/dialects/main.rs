//! What the dialects promise, each as a sentence.

mod cloudevents;
mod cloudevents_out;
mod coalesced;
mod cometcms;
mod contentful;
mod contentful_in;
mod contentful_signature;
mod contentstack;
mod contentstack_in;
mod contismo;
mod datocms;
mod datocms_in;
mod mask;
mod mustache;
mod mustache_spec;
mod native;
mod pointer;
mod requests;
mod samples;
mod slack;
mod sources;
mod standard_webhooks_in;
mod templates;
