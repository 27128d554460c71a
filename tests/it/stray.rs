//! A service that can't work, and what it says.

use std::fs;
use std::path::PathBuf;

use wattline_localstack::{ServiceKind, ServiceProcess};
use wattline_reading::Timestamp;
use wattline_tests::system::{System, bin_dir};

use crate::fixture::assert_ok;

/// Each of the words is said.
pub(crate) fn assert_names(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

/// A replica beside the others, with settings that can't work. It ends with the story.
pub(crate) struct Stray {
    process: ServiceProcess,
    log: PathBuf,
}

// === impl Stray ===

impl Stray {
    pub(crate) fn start(system: &System, kind: ServiceKind, settings: &[(&str, String)]) -> Self {
        let mut environment = assert_ok(system.stack.service_env(kind, 9));
        environment.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let log = system.stack.dir().join("logs").join(format!("stray-{}.log", Timestamp::now().micros()));
        let process = assert_ok(ServiceProcess::start(kind, &assert_ok(bin_dir()), &environment, &log));
        Self { process, log }
    }

    /// Waits until one line of its log, or what it isn't ready for, has all of these words.
    pub(crate) async fn says(&self, words: &[&str]) {
        let url = format!("{}/readyz", self.process.admin_url());
        let mut said = String::new();
        for _ in 0..600 {
            let not_ready = match reqwest::get(&url).await {
                Ok(response) => response.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            said = fs::read_to_string(&self.log).unwrap_or_default() + &not_ready;
            if said.lines().any(|line| words.iter().all(|word| line.contains(word))) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{words:?} never came in one line of {}: {said}", self.process.kind());
    }

    pub(crate) async fn is_alive_and_not_ready(&self) {
        assert!(self.process.pid().is_some(), "{} has ended", self.process.kind());
        let url = format!("{}/readyz", self.process.admin_url());
        let status = reqwest::get(&url).await.unwrap().status();
        assert_eq!(status, 503, "{}", self.process.kind());
    }
}
