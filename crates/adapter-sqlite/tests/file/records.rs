//! The log's own corners.
