//! Lines as SVG within a page. Each has a title and a description for people who do not see it, and
//! takes its colours from the style sheet, so that it follows the page's scheme.
//!
//! The library draws with fixed colours only. Those given to it here are marks that stand for the
//! variables of the style sheet, and are replaced in what it draws.

use charts_rs::{Color, LineChart, Series, Symbol, svg_with_accessibility};

/// The line itself, its axis and the labels.
const MARKS: [(&str, &str); 3] = [
    ("#010203", "var(--accent)"),
    ("#010204", "var(--line)"),
    ("#010205", "var(--soft)"),
];

/// The value of a day or a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point {
    /// Below the axis.
    pub(crate) label: String,
    /// None leaves a gap.
    pub(crate) value: Option<i64>,
    /// Whether it is dotted: carried forward, or not final.
    pub(crate) is_dotted: bool,
}

/// What a chart says to people who do not see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    /// What it shows.
    pub(crate) title: &'a str,
    /// What is to be seen in it: from, to, lowest, highest.
    pub(crate) description: &'a str,
}

/// A line with its axes, from zero. Empty unless there are two values: one makes no line.
pub(crate) fn line(words: Words<'_>, points: &[Point]) -> String {
    let mut chart = chart(points, 360.0, 120.0);
    chart.margin = (2.0, 6.0, 18.0, 2.0).into();
    chart.x_axis.height = 22.0;
    draw(words, points, &chart)
}

/// A small line without axes, from its lowest to its highest value. Empty unless there are two.
pub(crate) fn sparkline(words: Words<'_>, points: &[Point]) -> String {
    let mut chart = chart(points, 120.0, 32.0);
    chart.margin = 3.0.into();
    chart.x_axis.hidden = true;
    chart.y_axis_hidden = true;
    chart.grid.stroke_width = 0.0;
    let values = || points.iter().filter_map(|point| point.value);
    for axis in &mut chart.y_axis_configs {
        axis.min = values().min().map(pixels);
        axis.max = values().max().map(pixels);
    }
    draw(words, points, &chart)
}

fn chart(points: &[Point], width: f32, height: f32) -> LineChart {
    let labels = points.iter().map(|point| point.label.clone()).collect();
    let mut chart = LineChart::new(vec![measured(points), dotted(points)], labels);
    let [line, axis, text] = MARKS.map(|(mark, _)| Color::from(mark));
    chart.width = width;
    chart.height = height;
    chart.compact = true;
    chart.background_color = Color::transparent();
    chart.legend.show = Some(false);
    chart.grid.stroke_color = axis;
    chart.x_axis.boundary_gap = Some(false);
    chart.x_axis.stroke_color = axis;
    chart.x_axis.font.color = text;
    chart.x_axis.font.size = 11.0;
    chart.series.colors = vec![line];
    chart.series.stroke_width = 1.75;
    chart.series.symbol = Some(Symbol::None);
    for axis in &mut chart.y_axis_configs {
        axis.split_number = 3;
        axis.formatter = Some("{t}".to_owned());
        axis.font.color = text;
        axis.font.size = 11.0;
    }
    chart
}

/// The line between points that are final.
fn measured(points: &[Point]) -> Series {
    let value = |point: &Point| point.value.filter(|_| !point.is_dotted);
    series(points.iter().map(value))
}

/// The line to, between and from points that are not.
fn dotted(points: &[Point]) -> Series {
    let is_dotted = |place: usize| points.get(place).is_some_and(|point| point.is_dotted);
    let value = |(place, point): (usize, &Point)| {
        let nearby = place.saturating_sub(1)..=place + 1;
        point.value.filter(|_| nearby.into_iter().any(is_dotted))
    };
    let mut series = series(points.iter().enumerate().map(value));
    series.stroke_dash_array = Some("1.5,3".to_owned());
    series
}

fn series(values: impl Iterator<Item = Option<i64>>) -> Series {
    let values = values.map(|value| value.map(pixels));
    let mut series = Series::new_nullable(String::new(), values.collect());
    // Both lines are one.
    series.index = Some(0);
    series
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a screen has fewer pixels than the type has steps"
)]
fn pixels(value: i64) -> f32 {
    value as f32
}

fn draw(words: Words<'_>, points: &[Point], chart: &LineChart) -> String {
    let values = points.iter().filter(|point| point.value.is_some());
    if values.count() < 2 {
        return String::new();
    }
    let mut svg = chart.svg().unwrap_or_default();
    for (mark, variable) in MARKS {
        svg = svg.replace(mark, variable);
    }
    svg_with_accessibility(&svg, words.title, words.description)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words<'_> = Words {
        title: "Seats of <b>\"R&D\"</b>",
        description: "From 1 to 5",
    };

    fn points(values: &[Option<i64>], dotted: &[usize]) -> Vec<Point> {
        let point = |(place, value): (usize, &Option<i64>)| Point {
            label: format!("{place} <i>"),
            value: *value,
            is_dotted: dotted.contains(&place),
        };
        values.iter().enumerate().map(point).collect()
    }

    #[test]
    fn a_chart_is_described_and_has_neither_style_nor_markup_of_names() {
        let some = points(&[Some(1), Some(9_000_000), None, Some(5)], &[]);
        for svg in [line(WORDS, &some), sparkline(WORDS, &some)] {
            assert!(svg.contains("role=\"img\""), "{svg}");
            let title = "<title>Seats of &lt;b&gt;\"R&amp;D\"&lt;/b&gt;</title>";
            assert!(svg.contains(title), "{svg}");
            assert!(svg.contains("<desc>From 1 to 5</desc>"), "{svg}");
            assert!(!svg.contains("style") && !svg.contains("<i>"), "{svg}");
            assert!(!svg.contains('#'), "a fixed colour: {svg}");
        }
    }

    #[test]
    fn what_is_not_final_is_dotted_and_what_is_not_known_is_a_gap() {
        let whole = sparkline(WORDS, &points(&[Some(1), Some(3), Some(2)], &[]));
        assert!(!whole.contains("dasharray"), "{whole}");
        let dotted = sparkline(WORDS, &points(&[Some(1), Some(3), Some(2)], &[2]));
        assert_eq!(dotted.matches("dasharray").count(), 1, "{dotted}");
        let lines = |svg: &str| svg.matches('M').count();
        let gap = [Some(1), Some(3), None, Some(2), Some(4)];
        assert_eq!(lines(&sparkline(WORDS, &points(&gap, &[]))), 2);
    }

    #[test]
    fn no_line_is_drawn_without_two_values() {
        for values in [&[][..], &[None, None], &[Some(1), None]] {
            assert_eq!(line(WORDS, &points(values, &[])), "");
            assert_eq!(sparkline(WORDS, &points(values, &[])), "");
        }
        for values in [
            [Some(0), Some(0)],
            [Some(7), Some(7)],
            [Some(-5), Some(i64::MAX)],
        ] {
            assert!(line(WORDS, &points(&values, &[])).ends_with("</svg>"));
            let small = sparkline(WORDS, &points(&values, &[]));
            assert!(small.contains("<path") && !small.contains("NaN"), "{small}");
        }
    }
}
