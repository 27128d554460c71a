//! Promise: the page speaks one language, that of its texts, in numbers, dates and times too, whatever the browser's is.

use chrono::TimeDelta;
use serde_json::json;
use wattline_reading::{Measures, Reading, Timestamp};

use crate::browser::Browser;
use crate::fixture::{reading, run};

#[test]
fn a_german_browser_shows_english_words_with_english_numbers() {
    run(async |env| {
        let three_days_ago = Timestamp::now().to_chrono() - TimeDelta::days(3);
        let measures = Measures {
            power_w: Some(12_345.0),
            energy_import_mwh: Some(1_234_567_890),
            ..Measures::default()
        };
        let row = Reading { measures, ..reading("language", three_days_ago, 0.0) };
        env.store(&[row], None).await;
        let mut browser = Browser::start().await;
        browser.call("Emulation.setTimezoneOverride", json!({"timezoneId": "UTC"})).await;
        browser.call("Emulation.setLocaleOverride", json!({"locale": "de-DE"})).await;
        browser.screen(1280, 800, "light").await;
        browser.open(&env.api.url("/?meter=language")).await;
        browser.wait("document.querySelectorAll('.energy-chart .bucket').length === 24").await;
        browser.wait("document.getElementById('power-flow').dataset.meter === 'silent'").await;
        assert_eq!(browser.eval("(1.5).toLocaleString()").await, "1,5", "the browser is German");
        assert_eq!(browser.eval("document.documentElement.lang").await, "en");

        let text = async |browser: &mut Browser, id: &str| {
            let text = browser.eval(&format!("document.getElementById('{id}').textContent")).await;
            text.as_str().unwrap().replace('\u{a0}', " ")
        };
        let since = three_days_ago.format("Silent since %A %-d %B, %H:%M").to_string();
        assert_eq!(text(&mut browser, "power-flow").await, since);
        let measures = text(&mut browser, "measures").await;
        assert!(measures.contains("12.35 kW") && measures.contains("1,234.568 kWh"), "{measures}");
        let today = text(&mut browser, "energy-date").await;
        let dates = [0, 1].map(|minutes| Timestamp::now().to_chrono() - TimeDelta::minutes(minutes));
        let said = dates.iter().any(|date| today.starts_with(&date.format("%A %-d %B").to_string()));
        assert!(said, "{today}");
    });
}
