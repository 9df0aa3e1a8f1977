//! How many messages a second the queue takes.

fn main() {}
