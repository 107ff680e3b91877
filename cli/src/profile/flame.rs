//! A flame graph, as SVG: a box for each call path, as wide as its fuel, above that of its caller.

use std::fmt::Write;

use super::Profiled;

const WIDTH: f64 = 1_200.0;
const ROW: f64 = 17.0;
const MARGIN: f64 = 10.0;
/// Width of a character, about.
const CHARACTER: f64 = 7.0;
/// Paths that are narrower are not drawn.
const NARROWEST: f64 = 0.3;

/// A call path that is drawn.
struct Drawn {
    path: usize,
    depth: usize,
    left: f64,
    fuel: u64,
}

/// Draws the profile.
pub(super) fn draw(profiled: &Profiled) -> String {
    let boxes = layout(profiled);
    let rows = boxes.iter().map(|drawn| drawn.depth + 1).max().unwrap_or(0) as f64;
    let all = profiled.profile.fuel();
    let height = rows * ROW + 2.0 * MARGIN + ROW;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {height}\" width=\"{0}\" height=\"{height}\" \
         font-family=\"monospace\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"{ROW}\">{all} fuel</text>\n",
        WIDTH + 2.0 * MARGIN
    );
    for drawn in &boxes {
        add(&mut out, profiled, drawn, height - MARGIN - (drawn.depth + 1) as f64 * ROW);
    }
    out.push_str("</svg>\n");
    out
}

/// Places the paths beside one another, the callers before what they call.
fn layout(profiled: &Profiled) -> Vec<Drawn> {
    let paths = &profiled.profile.paths;
    let mut fuel: Vec<u64> = paths.iter().map(|path| path.fuel).collect();
    // Callers come first.
    for (index, path) in paths.iter().enumerate().rev() {
        if let Some(caller) = path.caller {
            fuel[caller as usize] += fuel[index];
        }
    }
    let scale = WIDTH / profiled.profile.fuel().max(1) as f64;
    let mut drawn: Vec<Option<Drawn>> = Vec::new();
    let mut free = vec![MARGIN; paths.len()];
    let mut free_below = MARGIN;
    for (index, path) in paths.iter().enumerate() {
        let width = fuel[index] as f64 * scale;
        let caller = path.caller.map(|caller| caller as usize);
        let depth = match caller {
            None => Some(0),
            Some(caller) => drawn[caller].as_ref().map(|drawn| drawn.depth + 1),
        };
        let left = caller.map_or(&mut free_below, |caller| &mut free[caller]);
        let here = depth.filter(|_| width >= NARROWEST).map(|depth| Drawn {
            path: index,
            depth,
            left: *left,
            fuel: fuel[index],
        });
        *left += width;
        free[index] = here.as_ref().map_or(MARGIN, |here| here.left);
        drawn.push(here);
    }
    drawn.into_iter().flatten().collect()
}

fn add(out: &mut String, profiled: &Profiled, drawn: &Drawn, top: f64) {
    let all = profiled.profile.fuel().max(1) as f64;
    let path = &profiled.profile.paths[drawn.path];
    let name = profiled.name(path.function);
    let width = drawn.fuel as f64 / all * WIDTH;
    let percent = 100.0 * drawn.fuel as f64 / all;
    // The same function has the same colour everywhere.
    let shade = path.function.unwrap_or(0).wrapping_mul(0x9e37_79b1) >> 24;
    let (green, blue) = (90 + shade % 130, 40 + shade / 4);
    let fits = (width / CHARACTER) as usize;
    let label: String = if fits < 3 { String::new() } else { name.chars().take(fits - 1).collect() };
    let (left, title, label) = (drawn.left, escaped(&name), escaped(&label));
    writeln!(
        out,
        "<g><title>{title}: {} fuel ({percent:.1} %), {} calls</title><rect x=\"{left:.1}\" y=\"{top:.1}\" \
         width=\"{width:.1}\" height=\"{:.1}\" fill=\"rgb(235,{green},{blue})\" stroke=\"white\" stroke-width=\"0.5\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{label}</text></g>",
        drawn.fuel,
        path.calls,
        ROW - 1.0,
        left + 3.0,
        top + 12.0
    )
    .expect("a string takes all");
}

/// Text as XML has it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
