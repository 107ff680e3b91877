//! Calls two plugins, and prints the numbers of that as a page for Prometheus. A service gives the page to whoever asks for it.

use hotcell::{CallError, LoadError, Policy, Sandbox, Wasmi};
use metrics_exporter_prometheus::PrometheusBuilder;

const ECHO: &str = r#"(func (export "process") (param i32 i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get 0)) (i64.const 32)) (i64.extend_i32_u (local.get 1))))"#;
const SPIN: &str = r#"(func (export "process") (param i32 i32) (result i64) (loop (br 0)) (i64.const 0))"#;

fn module(entry: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {entry} (memory (export "memory") 1)
            (func (export "__hotcell_abi_version") (result i32) (i32.const 1))
            (func (export "alloc") (param i32) (result i32) (i32.const 1024)))"#
    );
    wat::parse_str(text).expect("the text is right")
}

/// Some work: three calls of one plugin, one of another that does not end by itself, and one that is refused.
fn work() -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy::default().with(|rules| rules.limits.fuel = Some(10_000))?;
    let sandbox = Sandbox::<Wasmi>::on(policy)?;
    let echo = sandbox.named("echo").load(&module(ECHO), "process")?;
    for _ in 0..3 {
        echo.call("process", b"hello")?;
    }
    let spin = sandbox.named("spin").load(&module(SPIN), "process")?;
    let out_of_fuel: CallError = spin.call("process", b"").expect_err("it does not end");
    println!("# {out_of_fuel}");
    if let Err(refused @ LoadError::Rejected(_)) = sandbox.named("junk").load(b"junk", "process") {
        println!("# {refused}");
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let page = PrometheusBuilder::new().install_recorder()?;
    work()?;
    print!("{}", page.render());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_numbers() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        metrics::with_local_recorder(&recorder, || work().unwrap());
        let page = page.render();
        let value = |name: &str, labels: &[&str]| {
            let has = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
            let line = page.lines().find(has).unwrap_or_else(|| panic!("{name} {labels:?}: {page}"));
            line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
        };
        let echo = [r#"plugin="echo""#, r#"backend="wasmi""#];
        assert_eq!(value("hotcell_calls_total{", &[echo[0], echo[1], r#"code="ok""#]), 3.0);
        assert_eq!(value("hotcell_calls_total{", &[r#"plugin="spin""#, r#"code="out-of-fuel""#]), 1.0);
        assert_eq!(value("hotcell_fuel_total{", &[r#"plugin="spin""#]), 10_000.0);
        assert!(value("hotcell_fuel_total{", &echo) > 0.0);
        assert_eq!(value("hotcell_loads_total{", &[echo[0], r#"cached="false""#]), 1.0);
        assert_eq!(value("hotcell_loads_total{", &[r#"plugin="junk""#, r#"code="malformed""#]), 1.0);
        assert_eq!(value("hotcell_guest_seconds_count{", &echo), 3.0);
        assert_eq!(value("hotcell_load_seconds_count{", &[echo[0]]), 1.0);
        assert_eq!(value("hotcell_peak_memory_bytes_sum{", &echo), 3.0 * 65_536.0);
        // All instances have ended, and so has the sandbox.
        assert_eq!(value("hotcell_instances{", &[echo[1]]), 0.0);
        assert_eq!(value("hotcell_instances_allowed{", &[echo[1]]), 0.0);
    }
}
