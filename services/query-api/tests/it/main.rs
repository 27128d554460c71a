//! What query-api promises, against real Kafka and TimescaleDB. One promise per file.

mod access;
mod away;
mod browser;
mod charts;
mod codes;
mod contract;
mod energy;
mod feed;
mod first;
mod fixture;
mod holes;
mod honest;
mod hostile;
mod http;
mod keys;
mod language;
mod limits;
mod live;
mod meters;
mod page;
mod readings;
mod running;
mod slow;
mod socket;
mod standard;
mod statements;
