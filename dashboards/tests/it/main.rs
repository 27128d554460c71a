//! Dashboards, alerts and the list of metrics: their form, and what they ask, of the real database, the real services
//! and a real Prometheus.

mod alerts;
mod audience;
mod exporters;
mod form;
mod metrics;
mod mistakes;
mod monitored;
mod previews;
mod queries;
mod seeded;
mod street;
mod view;
