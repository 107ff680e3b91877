use hotcell::{Contract, Policy, backend::Backend, policy::Metering};
use hotcell_bench::{
    guests::{GUESTS, Guest},
    paired::{Pair, Side, side},
};

use crate::{Effort, id, load};

pub(crate) fn report<B: Backend>(effort: Effort) {
    println!("  {:<9} {:<10} {:>17} {:>17}", id::<B>(), "", "exact", "engine");
    for guest in GUESTS {
        let ratio = |metering| {
            let mut pair = Pair::new([(calls::<B>(guest, Some(metering)), calls::<B>(guest, None))]);
            if effort.is_test {
                pair.round(1);
            } else {
                pair.measure();
            }
            let ratio = pair.ratio();
            format!("{:.2} ({:.2}-{:.2})", ratio.median, ratio.low, ratio.high)
        };
        println!("  {:<9} {:<10} {:>17} {:>17}", "", guest.name, ratio(Metering::Exact), ratio(Metering::Engine));
    }
}

/// Calls of a guest with this metering, or without any.
fn calls<B: Backend>(guest: &'static Guest, metering: Option<Metering>) -> Side {
    let policy = Policy::default().with(|rules| {
        rules.metering = metering.unwrap_or(Metering::Engine);
        if metering.is_none() {
            (rules.limits.fuel, rules.abi) = (None, None);
        }
    });
    let plugin = load::<B>(guest.wasm, policy.expect("the policy is right"), &Contract::bytes(guest.entry), 256);
    let input = (guest.input)();
    side(move || plugin.call(guest.entry, &input).expect("the guest answers"))
}
