//! What the dialects make, judged by the libraries that receivers use.

mod contentful;
