//! Promise: the page is read in both themes by who sees little, and used by who has keys alone.

use serde_json::json;
use wattline_reading::Timestamp;

use crate::browser::Browser;
use crate::fixture::{Env, reading, run};
use crate::running::{Day, SECONDS};

/// The page of a day that began at midnight in the browser's zone, ten hours ago.
async fn page(env: &Env, meter: &'static str) -> Browser {
    let day = Day::store(env, meter, SECONDS, 0..0).await;
    let mut browser = Browser::start().await;
    browser.call("Emulation.setTimezoneOverride", json!({"timezoneId": day.zone()})).await;
    browser.screen(1280, 800, "light").await;
    browser.open(&env.api.url(&format!("/?meter={meter}"))).await;
    browser.wait("document.querySelectorAll('.energy-chart .bucket').length === 24").await;
    browser
}

/// The texts that are seen and have less contrast to what is behind them than WCAG 2.2 wants for AA: 4.5, and 3 where
/// they are large.
const POOR: &str = "(() => {
    const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
    const over = (top, under) => [0, 1, 2].map((i) => top[i] * (top[3] ?? 1) + under[i] * (1 - (top[3] ?? 1)));
    const behind = (node) => {
        const layers = [];
        for (let at = node; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
        return layers.reduceRight((under, top) => over(top, under), [255, 255, 255]);
    };
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const light = (rgb) => rgb.reduce((sum, v, i) => sum + linear(v / 255) * [0.2126, 0.7152, 0.0722][i], 0);
    return [...document.body.querySelectorAll('*')].flatMap((node) => {
        const text = [...node.childNodes].filter((child) => child.nodeType === 3).map((child) => child.data.trim()).join('');
        if (!text || !node.checkVisibility() || node.closest('.hidden')) return [];
        const style = getComputedStyle(node);
        const back = behind(node);
        const ink = over(parse(node instanceof SVGElement ? style.fill : style.color), back);
        const [high, low] = [light(ink), light(back)].sort((a, b) => b - a);
        const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
        const ratio = (high + 0.05) / (low + 0.05);
        return ratio < (large ? 3 : 4.5) ? [`${text}: ${ratio.toFixed(2)}`] : [];
    });
})()";

#[test]
fn every_text_has_the_contrast_that_who_sees_little_needs() {
    run(async |env| {
        let mut browser = page(env, "keys-contrast").await;
        browser.eval("document.querySelector('details').open = true").await;
        for theme in ["light", "dark"] {
            browser.screen(1280, 800, theme).await;
            for (power, flow) in [(640.0, "import"), (-640.0, "export")] {
                let now = Timestamp::now().to_chrono();
                env.publish(&reading("keys-contrast", now, power)).await;
                browser.wait(&format!("document.getElementById('power').dataset.flow === '{flow}'")).await;
                assert_eq!(browser.eval(POOR).await, json!([]), "{theme} {flow}");
            }
            browser.eval("document.getElementById('picker-input').focus()").await;
            browser.wait("document.querySelectorAll('#picker-list [role=option]').length > 0").await;
            assert_eq!(browser.eval(POOR).await, json!([]), "{theme}, choosing");
            browser.eval("document.activeElement.blur()").await;
        }
    });
}

#[test]
fn the_page_has_its_headings_and_its_charts_say_that_they_take_keys() {
    run(async |env| {
        let mut browser = page(env, "keys-outline").await;
        let headings = "[...document.querySelectorAll('h1, h2')].filter((node) => node.checkVisibility()) \
            .map((node) => node.tagName).join(' ')";
        assert_eq!(browser.eval(headings).await, "H1 H2 H2 H2");
        let charts = "[...document.querySelectorAll('[aria-roledescription=chart]')].map((node) => \
            [node.getAttribute('role'), node.tabIndex, node.ariaLabel.includes('Arrow keys')])";
        assert_eq!(browser.eval(charts).await, json!([["application", 0, true], ["application", 0, true]]));
    });
}

#[test]
fn left_begins_at_the_last_bar_that_has_begun() {
    run(async |env| {
        let mut browser = page(env, "keys-left").await;
        browser.eval("document.getElementById('energy-chart').focus()").await;
        let said = "document.getElementById('energy-probe').textContent";
        let hour = browser.eval("new Date().getHours()").await.as_i64().unwrap();
        for hour in [hour, hour - 1] {
            browser.press("ArrowLeft").await;
            browser.wait(&format!("{said}.startsWith('{hour:02}:00–{:02}:00')", hour + 1)).await;
        }
        let said = browser.eval(said).await;
        assert!(!said.as_str().unwrap().contains("to come"), "{said}");
    });
}

#[test]
fn the_table_is_scrolled_by_keys() {
    run(async |env| {
        let mut browser = page(env, "keys-table").await;
        browser.eval("document.querySelector('[data-interval=QUARTER_HOUR]').click()").await;
        browser.wait("document.querySelectorAll('#energy-table tbody tr').length >= 40").await;
        browser.eval("document.querySelector('details').open = true").await;
        browser.eval("document.querySelector('.scroll').focus()").await;
        assert_eq!(browser.eval("document.activeElement.className").await, "scroll");
        browser.press("PageDown").await;
        browser.wait("document.querySelector('.scroll').scrollTop > 0").await;
    });
}

#[test]
fn back_returns_to_the_meter_before() {
    run(async |env| {
        let now = Timestamp::now().to_chrono();
        env.store(&[reading("keys-other", now, 22.0)], None).await;
        let mut browser = page(env, "keys-back").await;
        let chosen = "document.getElementById('picker-input').value";
        assert_eq!(browser.eval(chosen).await, "keys-back");
        browser.eval("document.getElementById('picker-input').focus()").await;
        browser.call("Input.insertText", json!({"text": "keys-other"})).await;
        browser.wait("document.querySelectorAll('#picker-list [role=option]').length === 1").await;
        browser.press("Enter").await;
        let power = "document.getElementById('power-value').textContent";
        browser.wait(&format!("{chosen} === 'keys-other' && {power} === '22'")).await;
        browser.eval("history.back()").await;
        browser.wait(&format!("{chosen} === 'keys-back' && {power} === '1.0'")).await;
        assert_eq!(browser.eval("new URL(location.href).searchParams.get('meter')").await, "keys-back");
        assert!(browser.errors.is_empty(), "{:?}", browser.errors);
    });
}
