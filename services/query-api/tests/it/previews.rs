//! Promise: the page is worth a look: of a home with a day behind it there are a number, a line and bars. With
//! `WATTLINE_PAGE` it is looked at where a whole system is, and with `WATTLINE_SCREENS` the picture is kept.

use serde_json::json;

use crate::browser::Browser;
use crate::fixture::{Env, run};
use crate::running::{Day, SECONDS};

#[test]
fn the_live_page_of_a_home_can_be_drawn() {
    run(async |env| {
        let page = match std::env::var("WATTLINE_PAGE") {
            Ok(page) => page,
            Err(_) => own(env).await,
        };
        let mut browser = Browser::start().await;
        browser.call("Emulation.setTimezoneOverride", json!({"timezoneId": "UTC"})).await;
        browser.screen(1280, 800, "dark").await;
        browser.open(&page).await;
        browser.wait("document.getElementById('power-flow').dataset.meter === 'live'").await;
        browser.eval("document.querySelector('[data-minutes=\"15\"]').click()").await;
        let bars = "document.querySelectorAll('.energy-chart rect.import:not(.hatch-back)').length";
        browser.wait(&format!("{bars} > 0")).await;
        browser.wait("document.getElementById('measures').children.length > 0").await;
        // The axis has come to rest.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        browser.keep_picture("live-page").await;
        assert!(browser.errors.is_empty(), "{:?}", browser.errors);
    });
}

/// The page of a home in the tests' own system.
async fn own(env: &Env) -> String {
    Day::store(env, "previews", SECONDS, 0..0).await;
    env.api.url("/?meter=previews")
}
