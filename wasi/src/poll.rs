//! Waiting.

use alloc::vec::Vec;

use crate::{
    call::{Call, Outcome, Stop},
    clocks::ClockId,
    errno::Errno,
    fds::Object,
    memory::field,
    rights,
};

/// Subscriptions of one call.
const MOST: u32 = 1024;
/// Fuel of each.
const SUBSCRIPTION: u64 = 8;
/// Bytes of a subscription, and of an event.
const SUBSCRIPTION_BYTES: u32 = 48;
const EVENT_BYTES: u32 = 32;

/// What a guest waits for.
#[derive(Clone, Copy, Debug)]
enum For {
    /// So many nanoseconds from now.
    Clock(u64),
    /// Something of a descriptor, which is never waited for.
    Ready(Ready),
}

#[derive(Clone, Copy, Debug)]
struct Ready {
    error: u16,
    bytes: u64,
    has_hung_up: bool,
}

struct Subscription {
    userdata: [u8; 8],
    tag: u8,
    wants: For,
}

/// Where nothing but clocks is waited for, the time passes until the first of them; a host's clock takes that long, a virtual
/// one jumps.
pub(crate) fn poll_oneoff(call: &mut Call<'_>, (input, output, count, out): (u32, u32, u32, u32)) -> Outcome {
    if count == 0 || count > MOST {
        return Err(Errno::Inval.into());
    }
    call.fuel.spend(u64::from(count) * SUBSCRIPTION)?;
    call.memory.check(out, 4)?;
    call.memory.check(output, count * EVENT_BYTES)?;
    let records = call.memory.bytes(input, count * SUBSCRIPTION_BYTES)?.chunks_exact(SUBSCRIPTION_BYTES as usize);
    let subscriptions = records.map(|record| read(call, record)).collect::<Result<Vec<_>, _>>()?;

    let wait = subscriptions.iter().map(|subscription| match subscription.wants {
        For::Clock(wait) => wait,
        For::Ready(_) => 0,
    });
    let wait = wait.min().unwrap_or(0);
    let mut events = Vec::new();
    for Subscription { userdata, tag, wants } in subscriptions {
        let (error, bytes, hang_up) = match wants {
            For::Clock(other) if other > wait => continue,
            For::Clock(_) => (0, 0, false),
            For::Ready(Ready { error, bytes, has_hung_up }) => (error, bytes, has_hung_up),
        };
        let mut record = [0; EVENT_BYTES as usize];
        record[..8].copy_from_slice(&userdata);
        record[8..10].copy_from_slice(&error.to_le_bytes());
        record[10] = tag;
        record[16..24].copy_from_slice(&bytes.to_le_bytes());
        record[24] = hang_up.into();
        events.extend_from_slice(&record);
    }
    call.memory.put(output, &events)?;
    // As many as subscriptions at most.
    call.memory.put(out, &(events.len() as u32 / EVENT_BYTES).to_le_bytes())?;
    match call.state.clocks.pass(wait) {
        Some(wait) if !wait.is_zero() => Err(Stop::Sleep(wait)),
        _ => Ok(()),
    }
}

fn read(call: &Call<'_>, record: &[u8]) -> Result<Subscription, Errno> {
    let tag = record[8];
    let wants = match tag {
        0 => {
            let clock = ClockId::try_from(u32::from_le_bytes(field(record, 16)))?;
            let timeout = u64::from_le_bytes(field(record, 24));
            match u16::from_le_bytes(field(record, 40)) {
                0 => For::Clock(timeout),
                1 => For::Clock(timeout.saturating_sub(call.state.clocks.now(clock))),
                _ => return Err(Errno::Inval),
            }
        }
        1 | 2 => For::Ready(ready(call, u32::from_le_bytes(field(record, 16)), tag == 1)),
        _ => return Err(Errno::Inval),
    };
    Ok(Subscription { userdata: field(record, 0), tag, wants })
}

fn ready(call: &Call<'_>, fd: u32, reads: bool) -> Ready {
    let right = rights::POLL_FD_READWRITE | if reads { rights::FD_READ } else { rights::FD_WRITE };
    let object = match call.state.fds.get(fd, right) {
        Ok(descriptor) => &descriptor.object,
        Err(errno) => return Ready { error: errno as u16, bytes: 0, has_hung_up: false },
    };
    let bytes = match object {
        Object::Stdin if reads => call.streams.input().len() as u64,
        Object::File { mount, node, position } if reads => {
            let file = call.state.tree(*mount).and_then(|tree| tree.file(*node));
            file.map_or(0, |file| (file.len() as u64).saturating_sub(*position))
        }
        _ => 1,
    };
    Ready { error: 0, bytes, has_hung_up: matches!(object, Object::Stdin) && bytes == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{WasiConfig, testing::Guest};

    fn clock(userdata: u64, id: u32, timeout: u64, flags: u16) -> [u8; 48] {
        let mut record = [0; 48];
        record[..8].copy_from_slice(&userdata.to_le_bytes());
        record[16..20].copy_from_slice(&id.to_le_bytes());
        record[24..32].copy_from_slice(&timeout.to_le_bytes());
        record[40..42].copy_from_slice(&flags.to_le_bytes());
        record
    }

    fn descriptor(userdata: u64, tag: u8, fd: u32) -> [u8; 48] {
        let mut record = [0; 48];
        record[..8].copy_from_slice(&userdata.to_le_bytes());
        record[8] = tag;
        record[16..20].copy_from_slice(&fd.to_le_bytes());
        record
    }

    /// The events of a call: number, error, type.
    fn poll(guest: &mut Guest, subscriptions: &[[u8; 48]]) -> Vec<(u64, u16, u8)> {
        guest.put(2048, subscriptions.as_flattened());
        assert_eq!(guest.errno(poll_oneoff, (2048, 4096, subscriptions.len() as u32, 0)), 0);
        let events = guest.bytes(4096, guest.u32(0) * EVENT_BYTES).chunks(32);
        let event =
            |record: &[u8]| (u64::from_le_bytes(field(record, 0)), u16::from_le_bytes(field(record, 8)), record[10]);
        events.map(event).collect()
    }

    #[test]
    fn the_first_clock_ends_the_wait() {
        let mut guest = Guest::new(WasiConfig::sandbox().virtual_clock(50));
        let events = poll(&mut guest, &[clock(1, 1, 30, 0), clock(2, 0, 60, 1), clock(3, 1, 10, 1)]);
        assert_eq!(events, [(2, 0, 0), (3, 0, 0)]);
        assert_eq!(guest.state.clocks.now(ClockId::Monotonic), 10);
        assert_eq!(poll(&mut guest, &[clock(4, 1, u64::MAX, 0)]), [(4, 0, 0)]);
        assert_eq!(poll(&mut guest, &[clock(5, 0, 0, 1)]), [(5, 0, 0)]);
    }

    #[test]
    fn descriptors_are_ready_at_once() {
        let mut guest = Guest::new(WasiConfig::sandbox());
        let events =
            poll(&mut guest, &[descriptor(1, 2, 1), clock(2, 1, 5, 0), descriptor(3, 1, 0), descriptor(4, 1, 9)]);
        assert_eq!(events, [(1, 0, 2), (3, 0, 1), (4, Errno::Badf as u16, 1)]);
        assert_eq!(guest.state.clocks.now(ClockId::Monotonic), 0);
    }

    #[test]
    fn what_is_no_subscription_is_refused() {
        let mut guest = Guest::new(WasiConfig::sandbox());
        for record in [clock(0, 4, 0, 0), clock(0, 0, 0, 2), descriptor(0, 3, 0)] {
            guest.put(2048, &record);
            assert_eq!(guest.errno(poll_oneoff, (2048, 4096, 1, 0)), Errno::Inval as u16);
        }
        for count in [0, MOST + 1, u32::MAX] {
            assert_eq!(guest.errno(poll_oneoff, (0, 0, count, 0)), Errno::Inval as u16);
        }
    }

    #[cfg(feature = "std")]
    #[test]
    fn the_hosts_clock_takes_its_time() {
        let mut guest = Guest::new(WasiConfig::sandbox().real_clock());
        guest.put(2048, &clock(1, 1, 77, 0));
        let expected = Err(Stop::Sleep(core::time::Duration::from_nanos(77)));
        assert_eq!(guest.call(poll_oneoff, (2048, 4096, 1, 0)), expected);
    }
}
