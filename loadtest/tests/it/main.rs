//! The publisher against the real broker.

mod tls;
