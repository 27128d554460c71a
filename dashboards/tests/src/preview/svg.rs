//! The few shapes that are needed.

use std::fmt::Write as _;

/// A picture that grows.
pub(super) struct Canvas {
    text: String,
}

// === impl Canvas ===

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"DejaVu Sans, sans-serif\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#111217\"/>\n"
        );
        Self { text }
    }

    pub(super) fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    pub(super) fn text(&mut self, at: (f64, f64), size: f64, colour: &str, words: &str) {
        self.words(at, size, colour, "start", words);
    }

    pub(super) fn text_end(&mut self, at: (f64, f64), size: f64, colour: &str, words: &str) {
        self.words(at, size, colour, "end", words);
    }

    pub(super) fn text_middle(&mut self, at: (f64, f64), size: f64, colour: &str, words: &str) {
        self.words(at, size, colour, "middle", words);
    }

    fn words(&mut self, (x, y): (f64, f64), size: f64, colour: &str, anchor: &str, words: &str) {
        let words = words.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(
            self.text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{colour}\" text-anchor=\"{anchor}\" xml:space=\"preserve\">{words}</text>"
        );
    }

    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), fill: &str, stroke: &str) {
        let _ = writeln!(
            self.text,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\" stroke=\"{stroke}\"/>",
            width.max(0.0),
            height.max(0.0)
        );
    }

    pub(super) fn line(&mut self, points: &[(f64, f64)], colour: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            self.text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.4\"/>",
            points.join(" ")
        );
    }

    pub(super) fn area(&mut self, points: &[(f64, f64)], colour: &str) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            self.text,
            "<polygon points=\"{}\" fill=\"{colour}\" fill-opacity=\"0.35\"/>",
            points.join(" ")
        );
    }
}
