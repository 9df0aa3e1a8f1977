//! What the guarded client, its guard and the operator's client promise, each as a sentence.

mod address;
mod calls;
mod failures;
mod operator;
mod server;
mod urls;
