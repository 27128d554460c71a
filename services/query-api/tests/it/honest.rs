//! Promise: the page does not show as now what is long ago, says what a meter lacks, and takes an error away when it is over.

use chrono::TimeDelta;
use serde_json::{Value, json};
use wattline_reading::{Measures, Reading, Timestamp};

use crate::browser::Browser;
use crate::fixture::{Env, reading, run};

const FLOW: &str = "document.getElementById('power-flow').textContent";
const VALUE: &str = "document.getElementById('power-value').textContent";
const METER: &str = "document.getElementById('power-flow').dataset.meter";

/// The page of a meter, in a browser with its clock in UTC.
async fn look(env: &Env, meter: &str) -> Browser {
    let mut browser = Browser::start().await;
    browser.call("Emulation.setTimezoneOverride", json!({"timezoneId": "UTC"})).await;
    browser.screen(1280, 800, "light").await;
    browser.open(&env.api.url(&format!("/?meter={meter}"))).await;
    browser
}

#[test]
fn a_silent_meter_has_no_power_now() {
    run(async |env| {
        let long_ago = Timestamp::now().to_chrono() - TimeDelta::days(3);
        env.store(&[reading("honest-silent", long_ago, 559.0)], None).await;
        let mut browser = look(env, "honest-silent").await;
        browser.wait("document.getElementById('state').dataset.state === 'live'").await;
        browser.wait(&format!("{METER} === 'silent'")).await;
        let text = browser.eval(FLOW).await;
        let date = long_ago.format("%A %-d %B").to_string();
        assert!(text.as_str().unwrap().starts_with(&format!("Silent since {date}")), "{text}");
        assert_eq!(browser.eval(VALUE).await, "–");
        assert_eq!(browser.eval("document.title").await, "honest-silent");
        browser.wait(&format!("document.getElementById('power-age').textContent.includes('{date}')")).await;
        // What it said last is still there to be read, as what it was.
        let latest = browser.eval("document.getElementById('measures').textContent").await;
        assert!(latest.as_str().unwrap().contains("559"), "{latest}");
        browser.keep_picture("silent").await;

        env.publish(&reading("honest-silent", Timestamp::now().to_chrono(), 777.0)).await;
        browser.wait(&format!("{VALUE} === '777' && {METER} === 'live'")).await;
        assert_eq!(browser.eval(FLOW).await, "Taking from the grid");
        assert!(browser.errors.is_empty(), "{:?}", browser.errors);
    });
}

#[test]
fn how_long_a_meter_may_be_silent_is_its_own_usual_distance() {
    run(async |env| {
        let ten_minutes_ago = Timestamp::now().to_chrono() - TimeDelta::minutes(10);
        env.store(&[reading("honest-slow", ten_minutes_ago, 321.0)], None).await;
        let text = "UPDATE meter SET expected_s = 300 WHERE meter_id = 'honest-slow'";
        env.database().await.execute(text, &[]).await.unwrap();
        let mut browser = look(env, "honest-slow").await;
        browser.wait(&format!("{VALUE} === '321' && {METER} === 'live'")).await;
    });
}

#[test]
fn a_meter_of_which_no_distance_is_known_is_silent_when_the_api_says_so() {
    run(async |env| {
        let minutes_ago = |minutes| Timestamp::now().to_chrono() - TimeDelta::minutes(minutes);
        env.store(&[reading("honest-new", minutes_ago(10), 123.0)], None).await;
        env.store(&[reading("honest-gone", minutes_ago(46), 123.0)], None).await;
        let query = "{ meters(search: \"honest-\") { nodes { id expectedS silentAfterS } } }";
        let page = env.api.data(query, json!({})).await;
        let new = json!({"id": "honest-new", "expectedS": null, "silentAfterS": 2700});
        assert!(page["meters"]["nodes"].as_array().unwrap().contains(&new), "{page}");

        let mut browser = look(env, "honest-new").await;
        browser.wait(&format!("{VALUE} === '123' && {METER} === 'live'")).await;
        // The list of meters goes by the same limit: power of the one, only an age of the other.
        browser.eval("document.getElementById('picker-input').focus()").await;
        let note = |meter: &str| {
            format!("document.querySelector('#picker-list [data-id={meter}] .note').textContent")
        };
        browser.wait(&format!("{} === '123\u{a0}W'", note("honest-new"))).await;
        assert_eq!(browser.eval(&note("honest-gone")).await, "46 min ago");
        browser.open(&env.api.url("/?meter=honest-gone")).await;
        browser.wait(&format!("{METER} === 'silent'")).await;
    });
}

#[test]
fn a_meter_of_registers_only_is_not_waited_for() {
    run(async |env| {
        let measures = Measures { energy_import_mwh: Some(1_234_567_000), ..Measures::default() };
        let now = Timestamp::now().to_chrono();
        let row = Reading { measures, ..reading("honest-register", now, 0.0) };
        env.store(&[row], None).await;
        let mut browser = look(env, "honest-register").await;
        browser.wait(&format!("{METER} === 'powerless'")).await;
        assert_eq!(browser.eval(FLOW).await, "This meter sends its registers only, no power");
        let register = browser.eval("document.getElementById('measures').textContent").await;
        assert!(register.as_str().unwrap().contains("1,234.567"), "{register}");
        browser.keep_picture("registers").await;
    });
}

#[test]
fn an_unknown_meter_is_told_in_the_server_s_words() {
    run(async |env| {
        env.store(&[reading("honest-known", Timestamp::now().to_chrono(), 1.0)], None).await;
        let mut browser = look(env, "honest-nobody").await;
        browser.wait("document.getElementById('empty').checkVisibility()").await;
        let text = browser.eval("document.getElementById('empty-text').textContent").await;
        assert!(text.as_str().unwrap().contains("there is no meter \"honest-nobody\""), "{text}");
        assert_eq!(browser.eval("document.getElementById('state-text').textContent").await, "No such meter");
        assert_eq!(
            browser.eval("document.getElementById('readings').checkVisibility()").await,
            Value::from(false)
        );
        browser.keep_picture("unknown").await;

        let pick = "(() => { const input = document.getElementById('picker-input'); input.focus(); input.value = 'honest-known'; \
            input.dispatchEvent(new Event('input', { bubbles: true })); })()";
        browser.eval(pick).await;
        browser.wait("document.querySelectorAll('#picker-list [role=option]').length === 1").await;
        for key in ["ArrowDown", "Enter"] {
            let event = json!({"type": "keyDown", "key": key, "code": key});
            browser.call("Input.dispatchKeyEvent", event).await;
        }
        browser.wait(&format!("{VALUE} === '1.0'")).await;
        assert_eq!(
            browser.eval("document.getElementById('empty').checkVisibility()").await,
            Value::from(false)
        );
        browser.eval("history.back()").await;
        browser.wait("document.getElementById('empty').checkVisibility()").await;
    });
}

#[test]
fn an_error_of_the_energy_goes_when_the_network_is_back() {
    run(async |env| {
        env.store(&[reading("honest-blink", Timestamp::now().to_chrono(), 5.0)], None).await;
        let mut browser = look(env, "honest-blink").await;
        browser.wait("document.querySelectorAll('.energy-chart .bucket').length === 24").await;
        let network = |offline: bool| json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        let error = "document.getElementById('energy-error').checkVisibility()";
        browser.call("Network.emulateNetworkConditions", network(true)).await;
        browser.eval("document.querySelector('[data-interval=QUARTER_HOUR]').click()").await;
        browser.wait(error).await;
        browser.call("Network.emulateNetworkConditions", network(false)).await;
        browser.eval("document.querySelector('[data-interval=HOUR]').click()").await;
        browser.wait(&format!("!{error}")).await;
    });
}
