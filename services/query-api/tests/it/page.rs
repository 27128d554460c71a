//! Promise: the page shows power as it moves and today's energy, on a phone and on a desk, and asks nobody but its
//! own server.

use chrono::{TimeDelta, Timelike};
use serde_json::{Value, json};
use wattline_reading::{Measures, Reading, Timestamp};

use crate::browser::Browser;
use crate::fixture::{Env, reading, run};

const POWER: &str = "document.getElementById('power-value').textContent.replace(/\\D/g, '')";

/// A meter with some minutes of readings, and the energy of today's first hours.
async fn home(env: &Env, meter: &str) {
    let now = Timestamp::now().to_chrono();
    let rows: Vec<Reading> = (0..60)
        .map(|index| {
            let measures = Measures {
                power_w: Some(300.0 + f64::from(index)),
                energy_import_mwh: Some(1_234_567_000 + i64::from(index)),
                voltage_v: Some(230.4),
                ..Measures::default()
            };
            let ts = now - TimeDelta::seconds(i64::from(2 * (60 - index)));
            Reading { measures, ..reading(meter, ts, 0.0) }
        })
        .collect();
    env.store(&rows, None).await;
    let database = env.database().await;
    let midnight = now - TimeDelta::seconds(now.num_seconds_from_midnight().into());
    let text = "INSERT INTO energy_15m (meter_key, bucket, import_wh, export_wh, import_coverage_ms, \
        export_coverage_ms, reading_count) SELECT meter_key, date_trunc('day', $2::timestamptz, 'UTC') + \
        quarter * interval '15 min', 250, 62.5, '{900000,0,0,0}', '{900000,0,0,0}', 90 \
        FROM meter, generate_series(0, 3) quarter WHERE meter_id = $1";
    database.execute(text, &[&meter, &midnight]).await.unwrap();
}

#[test]
fn the_number_on_the_page_moves_and_no_request_leaves() {
    run(async |env| {
        let meter = "street/house-1";
        home(env, meter).await;
        home(env, "street/house-2").await;
        let mut browser = Browser::start().await;
        browser.call("Emulation.setTimezoneOverride", json!({"timezoneId": "UTC"})).await;
        browser.screen(1280, 800, "light").await;
        browser.open(&env.api.url("/?meter=street/house-1")).await;
        browser.wait("document.getElementById('state').dataset.state === 'live'").await;
        browser.wait(&format!("{POWER} === '359'")).await;

        for power in [1111.0, 2222.0, -740.0] {
            env.publish(&reading(meter, Timestamp::now().to_chrono(), power)).await;
            let digits = format!("{}", power.abs());
            browser.wait(&format!("{POWER} === '{digits}'")).await;
        }
        let flow = browser.eval("document.getElementById('power').dataset.flow").await;
        assert_eq!(flow, "export");
        let ink = "(() => { const c = document.getElementById('power-canvas'); \
            return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((byte) => byte > 0); })()";
        browser.wait(ink).await;

        browser.wait("document.getElementById('energy-import').textContent === '1.00'").await;
        browser.wait("document.getElementById('energy-export').textContent === '0.250'").await;
        assert_eq!(browser.eval("document.querySelectorAll('.energy-chart .bucket').length").await, 24);
        browser.eval("document.querySelector('[data-interval=QUARTER_HOUR]').click()").await;
        browser.wait("document.querySelectorAll('.energy-chart .bucket').length === 96").await;
        assert_eq!(
            browser
                .eval("document.querySelectorAll('.energy-chart rect.import:not(.hatch-back)').length")
                .await,
            4
        );

        pick_another(&mut browser).await;
        stays_home(&mut browser, &env.api.url("")).await;
    });
}

/// By the keyboard alone: search, arrow, Enter.
async fn pick_another(browser: &mut Browser) {
    browser.eval("document.getElementById('picker-input').focus()").await;
    browser.call("Input.insertText", json!({"text": "HOUSE-2"})).await;
    browser.wait("document.querySelectorAll('#picker-list [role=option]').length === 1").await;
    for key in ["ArrowDown", "Enter"] {
        for kind in ["keyDown", "keyUp"] {
            browser.call("Input.dispatchKeyEvent", json!({"type": kind, "key": key, "code": key})).await;
        }
    }
    browser.wait("new URL(location.href).searchParams.get('meter') === 'street/house-2'").await;
    browser.wait(&format!("{POWER} === '359'")).await;
}

async fn stays_home(browser: &mut Browser, own: &str) {
    browser.eval("1").await;
    let socket = own.replacen("http", "ws", 1);
    assert!(browser.requests.len() > 5, "{:?}", browser.requests);
    for request in &browser.requests {
        let inside = request.starts_with(own) || request.starts_with(&socket) || request.starts_with("data:");
        assert!(inside, "the page asked {request}");
    }
    assert!(browser.errors.is_empty(), "{:?}", browser.errors);
}

#[test]
fn it_fits_a_phone_and_a_desk_in_both_themes() {
    run(async |env| {
        let meter = "street/house-3";
        home(env, meter).await;
        let mut browser = Browser::start().await;
        for (width, height) in [(390, 844), (844, 390), (1280, 800), (1920, 1080)] {
            let mut grounds = Vec::new();
            for theme in ["light", "dark"] {
                browser.screen(width, height, theme).await;
                browser.open(&env.api.url("/?meter=street/house-3")).await;
                browser.wait("document.getElementById('state')?.dataset.state === 'live'").await;
                browser.wait(&format!("{POWER} === '359'")).await;
                let spill = browser.eval("document.documentElement.scrollWidth - innerWidth").await;
                assert_eq!(spill, 0, "{width} {theme}: it scrolls sideways");
                let power =
                    browser.eval("document.getElementById('power').getBoundingClientRect().bottom").await;
                assert!(power.as_f64().unwrap() < f64::from(height), "the number is seen at once");
                let chart = browser
                    .eval("document.getElementById('power-canvas').getBoundingClientRect().bottom")
                    .await;
                assert!(chart.as_f64().unwrap() < f64::from(height), "{width}: so is the chart");
                let used = browser.eval("document.getElementById('readings').clientWidth / innerWidth").await;
                assert!(used.as_f64().unwrap() > 0.9, "{width}: the width is used");
                browser.wait("document.querySelectorAll('.energy-chart .bucket').length === 24").await;
                browser.keep_picture(&format!("fits-{width}-{theme}")).await;
                grounds.push(browser.eval("getComputedStyle(document.body).backgroundColor").await);
                assert!(browser.screenshot().await.len() > 20_000, "the screen is empty");
            }
            assert_ne!(grounds[0], grounds[1], "the system's theme counts");
        }
        assert!(browser.errors.is_empty(), "{:?}", browser.errors);
    });
}

#[test]
fn with_a_token_the_page_asks_for_it() {
    run(async |env| {
        home(env, "street/house-4").await;
        let file = env.stack.dir().join("page.token");
        std::fs::write(&file, "open sesame").unwrap();
        let api = env.api(|config| config.http.token_file = Some(file)).await;
        let mut browser = Browser::start().await;
        browser.open(&api.url("/?meter=street/house-4")).await;
        let enter = |token: &str| {
            format!(
                "(() => {{ document.getElementById('token').value = '{token}'; \
                document.getElementById('token-form').requestSubmit(); }})()"
            )
        };
        browser.wait("document.getElementById('token-form')?.hidden === false").await;
        browser.eval(&enter("wrong")).await;
        browser.wait("document.getElementById('token-wrong').checkVisibility()").await;
        browser.eval(&enter("open sesame")).await;
        browser.wait("document.getElementById('state').dataset.state === 'live'").await;
        browser.wait(&format!("{POWER} === '359'")).await;
    });
}

#[test]
fn graphiql_runs_a_query_from_inside_alone() {
    run(async |env| {
        let mut browser = Browser::start().await;
        browser.screen(1280, 800, "light").await;
        browser.open(&env.api.url("/graphiql")).await;
        browser.wait("document.querySelector('.graphiql-execute-button')").await;
        // The schema has come: a field of ours is offered in the documentation's search.
        browser.wait("document.querySelector('.graphiql-query-editor .CodeMirror')?.CodeMirror.options.hintOptions.schema").await;
        let write = "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue('{ serverTime }')";
        browser.eval(write).await;
        // With one operation the button runs it; with several it opens a menu.
        let button = "document.querySelector('.graphiql-execute-button')";
        browser.wait(&format!("!{button}.hasAttribute('aria-haspopup')")).await;
        browser.eval(&format!("{button}.click()")).await;
        let answer = "document.querySelector('.result-window .CodeMirror')?.CodeMirror.getValue().includes('serverTime')";
        browser.wait(answer).await;
        assert_eq!(browser.eval("document.fonts.size").await, Value::from(0));
        stays_home(&mut browser, &env.api.url("")).await;
    });
}
