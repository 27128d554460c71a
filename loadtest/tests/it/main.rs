//! The publisher against the real broker.

mod silent;
mod tls;
