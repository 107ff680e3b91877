//! Chains of operators that a compiler computes anew in each arm that uses them.

use wasm_encoder::{BlockType, MemArg};

use super::{DEPTH_GLOBAL, F64, I64, Plan, size};
use crate::numbers::Numbers;

impl Plan {
    /// The second chain has all links of the first: where an arm uses the end of one before a call and the end of the
    /// other after it, the links are live in between. The parameters take the places that an allocator looks at first.
    pub(super) fn copied(&mut self, numbers: &mut Numbers) {
        const PARAMS: usize = 20;
        let ty = numbers.pick(&[I64, I64, F64]);
        let (links, arms) = (size(numbers, 8, 60) as u32, size(numbers, 2, 60) as i32);
        self.params.extend([ty].repeat(PARAMS.min(64 - self.params.len())));
        let first = self.locals.len() as u32;
        for _ in 0..links + 2 {
            self.local(ty);
        }
        let sink = self.sink(&[ty]);
        self.behind.push(Box::new(move |function, at| {
            let code = &mut function.instructions();
            let place = MemArg { offset: 0, align: 0, memory_index: 0 };
            let (source, end) = (at.local + first, at.local + first + links + 1);
            let link = |local: u32| source + 1 + local;
            code.i32_const(0);
            match ty {
                F64 => code.f64_load(place).local_tee(source),
                _ => code.i64_load(place).local_tee(source),
            };
            code.local_set(end);
            for number in 0..links {
                code.local_get(if number == 0 { source } else { link(number - 1) }).local_get(source);
                match ty {
                    F64 => code.f64_mul(),
                    _ => code.i64_mul(),
                };
                code.local_set(link(number));
            }
            for number in 0..links {
                code.local_get(end).local_get(source);
                match ty {
                    F64 => code.f64_div().local_get(link(number)).f64_add(),
                    _ => code.i64_mul().local_get(link(number)).i64_xor(),
                };
                code.local_set(end);
            }
            for arm in 0..arms {
                code.global_get(DEPTH_GLOBAL).i32_const(arm).i32_eq().if_(BlockType::Empty);
                code.local_get(link(links - 1)).call(at.sink + sink).local_get(end).call(at.sink + sink).end();
            }
        }));
    }
}
