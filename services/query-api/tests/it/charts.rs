//! Promise: the charts show what is not known as such, label an axis in one unit, and cost little.

use chrono::TimeDelta;
use serde_json::json;
use wattline_reading::{Reading, Timestamp};

use crate::browser::Browser;
use crate::fixture::{Env, reading, run};

/// The page of a meter with a reading each two seconds of a minute, the last one so many seconds ago.
async fn chart(env: &Env, meter: &str, last_s: i64) -> Browser {
    let last = Timestamp::now().to_chrono() - TimeDelta::seconds(last_s);
    let row =
        |index: i32| reading(meter, last - TimeDelta::seconds((2 * index).into()), f64::from(9000 + index));
    env.store(&(0..30).map(row).collect::<Vec<Reading>>(), None).await;
    let mut browser = Browser::start().await;
    browser.screen(1280, 800, "light").await;
    browser.open(&env.api.url(&format!("/?meter={meter}"))).await;
    browser.wait("document.getElementById('state')?.dataset.state === 'live'").await;
    browser
}

/// Of the rows of pixels in a part of the chart, from one share of its width to another, those that are inked in parts:
/// lines of the grid are whole, what is blank has no ink, hatching is neither.
fn hatched(from: f64, to: f64) -> String {
    format!(
        "(() => {{ const c = document.getElementById('power-canvas'); const scale = c.width / c.clientWidth; \
        const at = (share) => Math.round(c.width * share); const [x, w] = [at({from}), at({to}) - at({from})]; \
        const [y, h] = [Math.round(20 * scale), Math.round((c.clientHeight - 60) * scale)]; \
        const data = c.getContext('2d').getImageData(x, y, w, h).data; let rows = 0; \
        for (let row = 0; row < h; row += 1) {{ let ink = 0; \
        for (let i = 0; i < w; i += 1) ink += data[(row * w + i) * 4 + 3] > 0; rows += ink > 0 && ink < w; }} \
        return rows / h; }})()"
    )
}

/// Notes in the page when the chart is drawn.
const COUNT: &str = "(() => { const canvas = CanvasRenderingContext2D.prototype; const clear = canvas.clearRect; \
    window.drawn = []; canvas.clearRect = function (...box) { drawn.push(performance.now()); \
    return clear.apply(this, box); }; })()";

#[test]
fn the_time_after_the_last_reading_is_hatched() {
    run(async |env| {
        let mut browser = chart(env, "charts-stopped", 100).await;
        browser.wait(&format!("{} > 0.5", hatched(0.75, 0.9))).await;
        browser.keep_picture("stopped").await;
        // A meter that is silent for longer than the chart shows has nothing else in it.
        let mut browser = chart(env, "charts-gone", 3 * 86_400).await;
        browser.wait(&format!("{} > 0.5", hatched(0.2, 0.9))).await;
        browser.keep_picture("gone").await;
    });
}

#[test]
fn an_axis_has_one_unit_and_the_decimals_of_its_step() {
    run(async |env| {
        let mut browser = chart(env, "charts-axis", 1).await;
        let labels = "(async () => { const { powerAxis } = await import('/page/format.js'); \
            const labels = (step, most, ...at) => at.map(powerAxis(step, most)).join(' ').replaceAll('\\u00a0', ''); \
            return [labels(50000, 150000, 150000, 100000, 50000, 0), labels(500, 10000, 10000, 9500, 500, 0), \
            labels(500, 2000, 2000, 500, 0, -500), labels(20, 60, 60, 20, 0)]; })()";
        let expected =
            json!(["150kW 100kW 50kW 0kW", "10.0kW 9.5kW 0.5kW 0kW", "2,000W 500W 0W −500W", "60W 20W 0W"]);
        assert_eq!(browser.eval(labels).await, expected);
        assert!(browser.errors.is_empty(), "{:?}", browser.errors);
    });
}

#[test]
fn it_is_drawn_five_times_a_second_at_most_and_only_while_it_is_seen() {
    run(async |env| {
        let mut browser = chart(env, "charts-calm", 1).await;
        browser.eval(COUNT).await;
        browser.wait("drawn.length > 10").await;
        let took_ms = browser.eval("drawn[10] - drawn[0]").await.as_f64().unwrap();
        assert!(took_ms > 1500.0, "ten in {took_ms} ms");

        browser.screen(390, 500, "light").await;
        browser.eval("document.querySelector('details').open = true").await;
        browser.eval("scrollTo(0, document.body.scrollHeight)").await;
        browser.wait("document.getElementById('power-canvas').getBoundingClientRect().bottom < 0").await;
        // Each second the page says a new age. In the first one it may not have noticed yet that nobody looks.
        let age = "document.getElementById('power-age').textContent";
        for _ in 0..2 {
            let begun = browser.eval(&format!("(drawn.length = 0, {age})")).await;
            browser.wait(&format!("{age} !== {begun}")).await;
        }
        assert_eq!(browser.eval("drawn.length").await, 0, "drawn where nobody sees it");
    });
}

#[test]
fn a_clock_that_runs_ahead_stops_no_chart() {
    run(async |env| {
        let mut browser = chart(env, "charts-ahead", -20).await;
        browser.wait("document.getElementById('power-flow').dataset.meter === 'live'").await;
        browser.eval(COUNT).await;
        browser.wait("drawn.length > 2").await;
        assert!(browser.errors.is_empty(), "{:?}", browser.errors);
    });
}
