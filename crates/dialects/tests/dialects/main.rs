//! What the dialects promise, each as a sentence.

mod cloudevents;
mod cometcms;
mod mask;
mod mustache;
mod mustache_spec;
mod native;
mod requests;
mod samples;
mod sources;
