//! Lines and bars.

use serde_json::Value;

use super::format::{quantity, time};
use super::svg::Canvas;
use super::tiles::nothing;
use super::{Area, Data, Series, text, unit};

const COLOURS: [&str; 8] =
    ["#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9", "#8ab8ff", "#ffa6b0"];
const FAINT: &str = "#7b8087";
const GRID: &str = "#24282d";
/// Lines of a grid, about.
const LINES: f64 = 4.0;
/// Width of a letter below an axis.
const LETTER_PX: f64 = 6.4;
/// Between the title and the highest figure of the axis.
const TITLE_PX: f64 = 6.0;
const TIME_STEPS_S: [f64; 15] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 21_600.0, 86_400.0,
    172_800.0,
];
const AXIS_PX: f64 = 62.0;
const LEGEND_PX: f64 = 30.0;

struct Scale {
    area: Area,
    times: (f64, f64),
    values: (f64, f64),
}

impl Scale {
    fn x(&self, at: f64) -> f64 {
        self.area.x + (at - self.times.0) / (self.times.1 - self.times.0).max(1e-9) * self.area.width
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value - self.values.0) / (self.values.1 - self.values.0).max(1e-12);
        self.area.y + self.area.height * (1.0 - share)
    }
}

/// A panel over time.
pub(super) fn over_time(canvas: &mut Canvas, area: Area, panel: &Value, data: &Data) {
    let series: Vec<&Series> = data.series.iter().filter(|series| !series.points.is_empty()).collect();
    if series.is_empty() {
        nothing(canvas, area);
        return;
    }
    let custom = &panel["fieldConfig"]["defaults"]["custom"];
    let stacked = text(&custom["stacking"], "mode") == "normal";
    let bars = text(custom, "drawStyle") == "bars";
    let shapes = stack(&series, stacked);
    let mut times: Vec<f64> = series.iter().flat_map(|series| &series.points).map(|(at, _)| *at).collect();
    times.sort_by(f64::total_cmp);
    times.dedup();
    let step = times.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let step = if step.is_finite() { step } else { 1.0 };
    let plot = Area {
        x: area.x + AXIS_PX,
        y: area.y + TITLE_PX,
        width: area.width - AXIS_PX - 4.0,
        height: area.height - TITLE_PX - LEGEND_PX - 16.0,
    };
    let ends = (times.first().copied().unwrap_or(0.0), times.last().copied().unwrap_or(1.0));
    let times = if bars { (ends.0, ends.1 + step) } else { (ends.0, ends.1.max(ends.0 + 1.0)) };
    let unit = unit(panel, &series[0].name);
    let (values, step_of_values) =
        bounds(shapes.iter().flatten().flat_map(|(_, low, high)| [*low, *high]), unit);
    let scale = Scale { area: plot, times, values };
    grid(canvas, &scale, step_of_values, unit);
    time_axis(canvas, &scale);
    for (place, shape) in shapes.iter().enumerate() {
        let paint = COLOURS[place % COLOURS.len()];
        if bars {
            for (at, low, high) in shape {
                let (top, bottom) = (scale.y(low.max(*high)), scale.y(low.min(*high)));
                let width = (scale.x(at + step) - scale.x(*at) - 0.8).max(0.8);
                canvas.rect((scale.x(*at), top), (width, bottom - top), paint, "none");
            }
            continue;
        }
        let upper: Vec<_> = shape.iter().map(|(at, _, high)| (scale.x(*at), scale.y(*high))).collect();
        if stacked {
            let lower = shape.iter().rev().map(|(at, low, _)| (scale.x(*at), scale.y(*low)));
            canvas.area(&upper.iter().copied().chain(lower).collect::<Vec<_>>(), paint);
        }
        canvas.line(&upper, paint);
    }
    let names: Vec<&str> = series.iter().map(|series| series.name.as_str()).collect();
    legend(canvas, area, &names);
}

/// Each series' points with where they begin and end: on those before where they are stacked.
fn stack(series: &[&Series], stacked: bool) -> Vec<Vec<(f64, f64, f64)>> {
    let mut sums: std::collections::HashMap<u64, f64> = std::collections::HashMap::new();
    let shape = |series: &&Series| {
        let points = series.points.iter().map(|(at, value)| {
            if !stacked {
                return (*at, 0.0, *value);
            }
            let sum = sums.entry(at.to_bits()).or_default();
            *sum += value;
            (*at, *sum - value, *sum)
        });
        points.collect()
    };
    series.iter().map(shape).collect()
}

/// Round ends of an axis that holds all values, and the step between its lines.
fn bounds(values: impl Iterator<Item = f64>, unit: &str) -> ((f64, f64), f64) {
    let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let high = if high - low < 1e-9 { low + 1.0 } else { high };
    let step = round_step((high - low) / LINES, unit);
    (((low / step).floor() * step, (high / step - 1e-9).ceil() * step), step)
}

/// The next 1, 2 or 5 times a power of ten; of bytes, the next power of two; of things that are counted, a whole number.
fn round_step(wanted: f64, unit: &str) -> f64 {
    if unit == "bytes" {
        return wanted.log2().ceil().exp2();
    }
    let power = 10.0_f64.powf(wanted.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= wanted * 0.999).unwrap_or(10.0);
    let whole = ["short", "locale"].contains(&unit);
    if whole { (factor * power).max(1.0) } else { factor * power }
}

fn grid(canvas: &mut Canvas, scale: &Scale, step: f64, unit: &str) {
    let Area { x, width, .. } = scale.area;
    let mut value = scale.values.0;
    while value <= scale.values.1 + step * 0.01 {
        let at = scale.y(value);
        canvas.line(&[(x, at), (x + width, at)], GRID);
        // What is next to nothing here is the rounding of sums.
        let shown = if value.abs() < step * 1e-6 { 0.0 } else { value };
        canvas.text_end((x - 6.0, at + 4.0), 10.0, FAINT, &quantity(shown, unit));
        value += step;
    }
}

fn time_axis(canvas: &mut Canvas, scale: &Scale) {
    let Area { y, width, height, .. } = scale.area;
    let range = scale.times.1 - scale.times.0;
    let (form, letters) = match range {
        range if range > 172_800.0 => ("%m-%d", 5.0),
        range if range > 3600.0 => ("%H:%M", 5.0),
        _ => ("%H:%M:%S", 8.0),
    };
    let half = letters * LETTER_PX / 2.0;
    let fits = (width / (2.0 * half + 12.0)).floor().max(1.0);
    let Some(step) = TIME_STEPS_S.into_iter().find(|step| range / step <= fits) else { return };
    let mut at = (scale.times.0 / step).ceil() * step;
    while at <= scale.times.1 {
        let x = scale.x(at);
        // It may reach to the panel's edge, and on the left to the other axis' figures.
        if x >= scale.area.x + half - 10.0 && x <= scale.area.x + width - half + 10.0 {
            canvas.text_middle((x, y + height + 13.0), 10.0, FAINT, &time(at, form));
        }
        at += step;
    }
}

fn legend(canvas: &mut Canvas, area: Area, names: &[&str]) {
    let (mut x, mut y) = (area.x, area.y + area.height - LEGEND_PX + 16.0);
    for (place, name) in names.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a few letters")]
        let width = 26.0 + name.chars().count() as f64 * 6.6;
        if x + width > area.x + area.width {
            (x, y) = (area.x, y + 14.0);
        }
        if y > area.y + area.height + 4.0 {
            break;
        }
        canvas.rect((x, y - 5.0), (12.0, 3.0), COLOURS[place % COLOURS.len()], "none");
        canvas.text((x + 16.0, y), 10.5, FAINT, name);
        x += width;
    }
}

/// Bars by name: the first column names them, the others are their values.
pub(super) fn bars(canvas: &mut Canvas, area: Area, panel: &Value, data: &Data) {
    let Some(table) = data.table.as_ref().filter(|table| !table.rows.is_empty()) else {
        nothing(canvas, area);
        return;
    };
    let stacked = panel["options"]["stacking"] == "normal";
    let value = |cell: &String| cell.parse::<f64>().unwrap_or(0.0);
    let heights = table.rows.iter().map(|row| {
        let values = row[1..].iter().map(value);
        if stacked { values.sum() } else { values.fold(0.0, f64::max) }
    });
    let unit = unit(panel, &table.columns[1]);
    let (values, step) = bounds(heights, unit);
    let plot = Area {
        x: area.x + AXIS_PX,
        y: area.y + TITLE_PX,
        width: area.width - AXIS_PX - 4.0,
        height: area.height - TITLE_PX - LEGEND_PX - 16.0,
    };
    let scale = Scale { area: plot, times: (0.0, 1.0), values };
    grid(canvas, &scale, step, unit);
    #[expect(clippy::cast_precision_loss, reason = "a few bars")]
    let (slot, kinds) = (plot.width / table.rows.len() as f64, (table.columns.len() - 1) as f64);
    let every = table.rows.len().div_ceil(12);
    for (place, row) in table.rows.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a few bars")]
        let x = plot.x + slot * place as f64;
        let mut below = 0.0;
        for (kind, cell) in row[1..].iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a few bars")]
            let (left, width) = if stacked {
                (x + slot * 0.1, slot * 0.8)
            } else {
                (x + slot * (0.1 + 0.8 * kind as f64 / kinds), slot * 0.8 / kinds - 1.0)
            };
            let top = scale.y(below + value(cell));
            canvas.rect((left, top), (width, scale.y(below) - top), COLOURS[kind % COLOURS.len()], "none");
            if stacked {
                below += value(cell);
            }
        }
        if place.is_multiple_of(every) {
            let name: String = row[0].chars().skip(usize::from(row[0].len() == 10) * 5).collect();
            canvas.text_middle((x + slot / 2.0, plot.y + plot.height + 13.0), 10.0, FAINT, &name);
        }
    }
    let names: Vec<&str> = table.columns[1..].iter().map(String::as_str).collect();
    legend(canvas, area, &names);
}
