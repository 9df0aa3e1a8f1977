//! What the guarded client and the operator's client promise, each as a sentence.

mod calls;
mod failures;
mod operator;
mod server;
