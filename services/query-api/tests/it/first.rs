//! Promise: where there is no meter yet, the page says how to send a first reading.

use crate::browser::Browser;
use crate::fixture::run;

#[test]
fn an_empty_page_shows_the_command_that_sends_a_reading() {
    run(async |env| {
        let url = env.stack.create_database("first_page", None).await.unwrap();
        wattlinectl::migrate::run(&url).await.unwrap();
        let api = env
            .api(|config| config.database.url = env.stack.database_url_of("first_page", "wattline_api"))
            .await;
        let mut browser = Browser::start().await;
        for (width, height) in [(1280, 800), (390, 844)] {
            browser.screen(width, height, "light").await;
            browser.open(&api.url("/")).await;
            browser.wait("document.getElementById('first-reading')?.checkVisibility()").await;
            let title = browser.eval("document.getElementById('empty-title').textContent").await;
            assert_eq!(title, "No meter yet");
            let spill = browser.eval("document.documentElement.scrollWidth - innerWidth").await;
            assert_eq!(spill, 0, "{width}: it scrolls sideways");
            browser.keep_picture(&format!("first-{width}")).await;
        }
    });
}
