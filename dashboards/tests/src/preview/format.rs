//! Values with their units, about as Grafana writes them.

use chrono::DateTime;

/// A value of a unit of Grafana.
#[must_use]
pub fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "s" => duration(value),
        "bytes" => scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"]),
        "percentunit" => format!("{} %", short(value * 100.0)),
        "watt" => scaled(value, 1000.0, &["W", "kW", "MW"]),
        "kwatth" => scaled(value, 1000.0, &["kWh", "MWh", "GWh"]),
        "currencyEUR" => format!("€{value:.2}"),
        "cps" => format!("{} c/s", short(value)),
        "reqps" => format!("{} req/s", short(value)),
        "locale" => thousands(value),
        "dateTimeAsIso" | "dateTimeFromNow" => time(value / 1000.0, "%Y-%m-%d %H:%M"),
        _ => short(value),
    }
}

/// Seconds since 1970 in a form.
pub(super) fn time(seconds: f64, form: &str) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a time of this millennium")]
    let time = DateTime::from_timestamp(seconds as i64, 0);
    time.map_or_else(String::new, |time| time.format(form).to_string())
}

fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 1e6 => format!("{:.1} M", value / 1e6),
        size if size >= 1e4 => format!("{:.1} K", value / 1e3),
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 1.0 => trimmed(format!("{value:.1}")),
        _ => trimmed(format!("{value:.3}")),
    }
}

/// Without the zeros at the end of a fraction.
fn trimmed(digits: String) -> String {
    if !digits.contains('.') {
        return digits;
    }
    digits.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn thousands(value: f64) -> String {
    if value.fract() != 0.0 && value.abs() < 1000.0 {
        return short(value);
    }
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0.0 { format!("-{out}") } else { out }
}

fn duration(seconds: f64) -> String {
    match seconds.abs() {
        size if size >= 172_800.0 => format!("{} d", short(seconds / 86_400.0)),
        size if size >= 7200.0 => format!("{} h", short(seconds / 3600.0)),
        size if size >= 120.0 => format!("{} min", short(seconds / 60.0)),
        size if size >= 1.0 || size == 0.0 => format!("{} s", short(seconds)),
        _ => format!("{} ms", short(seconds * 1000.0)),
    }
}

fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut units = units.iter().peekable();
    let mut unit = units.next().copied().unwrap_or_default();
    while let Some(next) = units.peek().filter(|_| value.abs() >= step) {
        unit = next;
        value /= step;
        units.next();
    }
    let digits = if value.abs() >= 100.0 { 0 } else { 2 };
    format!("{} {unit}", trimmed(format!("{value:.digits$}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        for (value, unit, expected) in [
            (1_234_567.0, "locale", "1,234,567"),
            (0.004, "s", "4 ms"),
            (90.0, "s", "90 s"),
            (1536.0, "bytes", "1.5 KiB"),
            (0.985, "percentunit", "98.5 %"),
            (12.5, "kwatth", "12.5 kWh"),
            (-1500.0, "watt", "-1.5 kW"),
            (0.2, "cps", "0.2 c/s"),
            (0.0, "short", "0"),
        ] {
            assert_eq!(quantity(value, unit), expected, "{value} {unit}");
        }
    }
}
