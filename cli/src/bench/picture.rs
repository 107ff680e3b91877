//! Total time over number of calls: one line for each backend, and their intersection.

use std::error::Error;

use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{
    break_even::Comparison,
    measure::{Bench, Engine},
    show::{count, seconds},
};
use crate::{backends::TIERED, outcome::Failure};

const SIZE: (u32, u32) = (1_000, 600);
/// Distinguishable also with red-green colour blindness.
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 90, 181), RGBColor(220, 50, 32), RGBColor(0, 120, 60), RGBColor(120, 60, 160)];
const INK: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(225, 225, 225);
const FONT: &str = "sans-serif";
/// Points of a line.
const POINTS: u32 = 60;

/// Draws the picture, as SVG.
pub(crate) fn draw(bench: &Bench) -> Result<String, Failure> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    let drawn = render(bench, &area);
    drop(area);
    drawn.map(|()| svg).map_err(|error| Failure::picture(&*error))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<
    'b,
    SVGBackend<'a>,
    Cartesian2d<plotters::coord::combinators::LogCoord<f64>, plotters::coord::combinators::LogCoord<f64>>,
>;

fn render(bench: &Bench, area: &Area<'_>) -> Result<(), Box<dyn Error>> {
    area.fill(&WHITE)?;
    let crossing = crossing(bench);
    let most = most_calls(crossing.as_ref().map(|crossing| crossing.calls));
    let totals = |calls: f64| bench.engines.iter().map(move |engine| bench.total(engine, calls));
    let lowest = totals(1.0).fold(f64::INFINITY, f64::min) / 2.0;
    let highest = totals(most).fold(0.0, f64::max) * 2.5;

    let mut chart = ChartBuilder::on(area)
        .margin_top(86)
        .margin_left(12)
        .margin_right(150)
        .margin_bottom(12)
        .x_label_area_size(52)
        .y_label_area_size(86)
        .build_cartesian_2d((1.0..most).log_scale(), (lowest..highest).log_scale())?;
    if let Some(crossing) = &crossing {
        shade(&mut chart, crossing, most, (lowest, highest))?;
    }
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(INK)
        .label_style((FONT, 15, &INK))
        .axis_desc_style((FONT, 16, &INK))
        .x_desc("calls of the plugin, each on a fresh instance (each step is ten times as many)")
        .y_desc("time until the last reply, loading included")
        .x_label_formatter(&|calls| whole(count(*calls)))
        .y_label_formatter(&|time| whole(seconds(*time)))
        .draw()?;
    for (engine, colour) in bench.engines.iter().zip(COLOURS) {
        let calls = (0..=POINTS).map(|point| most.powf(f64::from(point) / f64::from(POINTS)));
        let line: Vec<(f64, f64)> = calls.map(|calls| (calls, bench.total(engine, calls))).collect();
        let end = (most, bench.total(engine, most));
        if engine.info.id == TIERED {
            // Along the lowest of the others: dashed, so that they are seen.
            chart.draw_series(DashedLineSeries::new(line.clone(), 7, 5, colour.stroke_width(3)))?;
            first_answer(area, &mut chart, line[0], colour)?;
        } else {
            chart.draw_series(LineSeries::new(line, colour.stroke_width(3)))?;
        }
        label(area, &chart, engine, colour, end)?;
    }
    if let Some(crossing) = &crossing {
        mark(area, &mut chart, crossing, lowest)?;
    }
    title(area, bench, crossing.as_ref())
}

/// Removes the decimals of a power of ten.
fn whole(number: String) -> String {
    number.replace(".00", "").replace(".0", "")
}

/// The intersection of two lines.
struct Crossing<'b> {
    calls: f64,
    time: f64,
    /// The engine that is cheaper to the left, with its colour, and the one to the right.
    left: (&'b Engine, RGBColor),
    right: (&'b Engine, RGBColor),
}

fn crossing(bench: &Bench) -> Option<Crossing<'_>> {
    let (first, second, comparison) = bench.comparison()?;
    let (one, other) = ((first, COLOURS[0]), (second, COLOURS[1]));
    let (left, right, calls) = match comparison {
        Comparison::First | Comparison::Second => return None,
        Comparison::FirstFrom(calls) => (other, one, calls as f64),
        Comparison::SecondFrom(calls) => (one, other, calls as f64),
    };
    Some(Crossing { calls, time: first.cost(bench).total(calls), left, right })
}

/// A power of ten that leaves space to the right of the crossing.
fn most_calls(crossing: Option<f64>) -> f64 {
    10f64.powf((crossing.unwrap_or(100.0) * 30.0).log10().ceil().max(3.0))
}

/// Tints each side of the crossing in the colour of the engine that is cheaper there.
fn shade(
    chart: &mut Chart<'_, '_>,
    crossing: &Crossing<'_>,
    most: f64,
    (lowest, highest): (f64, f64),
) -> Result<(), Box<dyn Error>> {
    let sides = [(1.0, crossing.calls, crossing.left), (crossing.calls, most, crossing.right)];
    for (from, to, (engine, colour)) in sides {
        chart.draw_series([Rectangle::new([(from, lowest), (to, highest)], colour.mix(0.06).filled())])?;
        // No text on a side that is too narrow.
        if to / from > 4.0 {
            let style = (FONT, 16).into_font().color(&colour).pos(Pos::new(HPos::Center, VPos::Top));
            let text = format!("{} is cheaper", engine.info.id);
            chart.draw_series([Text::new(text, ((from * to).sqrt(), highest * 0.8), style)])?;
        }
    }
    Ok(())
}

/// Labels a line at its right end.
fn label(
    area: &Area<'_>,
    chart: &Chart<'_, '_>,
    engine: &Engine,
    colour: RGBColor,
    end: (f64, f64),
) -> Result<(), Box<dyn Error>> {
    let (x, y) = chart.backend_coord(&end);
    let kind = if engine.info.is_jit { "JIT" } else { "interpreter" };
    let kind = if engine.info.id == TIERED { "both" } else { kind };
    let lines = [format!("{} ({kind})", engine.info.id), format!("{} a call", seconds(engine.call.median))];
    // Tiered ends where the compiled code does: its name stands below.
    let y = if engine.info.id == TIERED { y + 44 } else { y };
    for (line, text) in (0..).zip(lines) {
        let style = (FONT, if line == 0 { 16 } else { 14 }).into_font().color(&colour);
        area.draw(&Text::new(text, (x + 8, y - 16 + line * 19), style))?;
    }
    Ok(())
}

/// Marks the first answer of tiered.
fn first_answer(
    area: &Area<'_>,
    chart: &mut Chart<'_, '_>,
    at: (f64, f64),
    colour: RGBColor,
) -> Result<(), Box<dyn Error>> {
    chart.draw_series([Circle::new(at, 6, colour.filled())])?;
    let (x, y) = chart.backend_coord(&at);
    let style = (FONT, 15).into_font().color(&colour);
    area.draw(&Text::new(format!("first answer after {}", seconds(at.1)), (x + 12, y + 8), style))?;
    Ok(())
}

/// Marks the crossing, with a line down to the axis.
fn mark(
    area: &Area<'_>,
    chart: &mut Chart<'_, '_>,
    crossing: &Crossing<'_>,
    lowest: f64,
) -> Result<(), Box<dyn Error>> {
    let at = (crossing.calls, crossing.time);
    chart.draw_series(DashedLineSeries::new([at, (crossing.calls, lowest)], 6, 5, INK.stroke_width(1)))?;
    chart.draw_series([Circle::new(at, 6, INK.filled())])?;
    let (x, y) = chart.backend_coord(&at);
    let lines = [format!("break-even: {} calls", crossing.calls), format!("{} in all", seconds(crossing.time))];
    for (line, text) in (0..).zip(lines) {
        let style = (FONT, if line == 0 { 18 } else { 15 }).into_font().color(&INK);
        area.draw(&Text::new(text, (x + 12, y + 12 + line * 22), style))?;
    }
    Ok(())
}

fn title(area: &Area<'_>, bench: &Bench, crossing: Option<&Crossing<'_>>) -> Result<(), Box<dyn Error>> {
    let ids: Vec<_> = bench.engines.iter().map(|engine| engine.info.id).collect();
    let heading = match crossing {
        Some(Crossing { calls, left, right, .. }) => {
            format!(
                "{}: {} is cheaper up to {calls} calls, {} from there on",
                bench.name, left.0.info.id, right.0.info.id
            )
        }
        None => format!("{}: what a plugin costs on {}", bench.name, ids.join(" and ")),
    };
    let sizes = format!(
        "{} of module, {} in, {} out. Loading is {}.",
        bytesize::ByteSize(bench.module_bytes as u64),
        bytesize::ByteSize(bench.input_bytes as u64),
        bytesize::ByteSize(bench.output_bytes as u64),
        bench
            .engines
            .iter()
            .map(|engine| format!("{} on {}", seconds(engine.cost(bench).start), engine.info.id))
            .collect::<Vec<_>>()
            .join(", "),
    );
    area.draw(&Text::new(heading, (24, 18), (FONT, 24).into_font().color(&INK)))?;
    area.draw(&Text::new(sizes, (24, 52), (FONT, 16).into_font().color(&INK)))?;
    Ok(())
}
