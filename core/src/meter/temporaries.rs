//! The locals that the rewrite adds to a function.

use alloc::vec::Vec;

use wasm_encoder::{Encode, ValType};

use crate::value;

/// The locals that the rewrite adds to a function, each on first use.
pub(super) struct Temporaries {
    next: u32,
    added: Vec<ValType>,
    fuel: Option<u32>,
    stack: Option<u32>,
    condition: Option<u32>,
    count32: Option<u32>,
    count64: Option<u32>,
    result64: Option<u32>,
    to32: Option<u32>,
    to64: Option<u32>,
    second32: Option<u32>,
    second64: Option<u32>,
    reference: Option<u32>,
    f32: Option<u32>,
    f64: Option<u32>,
    v128: Option<u32>,
}

impl Temporaries {
    /// For a function with `locals` of its own, parameters included.
    pub(super) fn new(locals: u32) -> Self {
        Self {
            next: locals,
            added: Vec::new(),
            fuel: None,
            stack: None,
            condition: None,
            count32: None,
            count64: None,
            result64: None,
            to32: None,
            to64: None,
            second32: None,
            second64: None,
            reference: None,
            f32: None,
            f64: None,
            v128: None,
        }
    }

    /// For a function whose parameter `stack` is the stack counter. `moved` is the type of the declared local that
    /// moved behind the others, and `next` the first free index.
    pub(super) fn with_stack(stack: u32, moved: Option<ValType>, next: u32) -> Self {
        Self { stack: Some(stack), added: moved.into_iter().collect(), ..Self::new(next) }
    }

    /// The types of the added locals, in order.
    pub(super) fn added(&self) -> &[ValType] {
        &self.added
    }

    /// Number of locals, including the guest's.
    pub(super) fn count(&self) -> u32 {
        self.next
    }
}

impl Temporaries {
    /// For the destination index of a bulk operator.
    pub(super) fn to(&mut self, ty: value::ValType) -> u32 {
        match ty {
            value::ValType::I32 => self.to32(),
            _ => self.to64(),
        }
    }

    /// For its second operand.
    pub(super) fn second(&mut self, ty: value::ValType) -> u32 {
        match ty {
            value::ValType::I32 => self.second32(),
            value::ValType::I64 => self.second64(),
            _ => self.reference(),
        }
    }
}

macro_rules! temporaries {
    ($($name:ident: $ty:ident,)*) => {
        impl Temporaries {
            $(
                pub(super) fn $name(&mut self) -> u32 {
                    let (next, added) = (&mut self.next, &mut self.added);
                    *self.$name.get_or_insert_with(|| {
                        added.push(ValType::$ty);
                        *next += 1;
                        *next - 1
                    })
                }
            )*
        }
    };
}
temporaries! {
    fuel: I64,
    stack: I64,
    condition: I32,
    count32: I32,
    count64: I64,
    result64: I64,
    to32: I32,
    to64: I64,
    second32: I32,
    second64: I64,
    reference: FUNCREF,
    f32: F32,
    f64: F64,
    v128: V128,
}

/// Encodes the locals of a function: its own groups unchanged, then the added ones.
pub(super) fn encode_locals(out: &mut Vec<u8>, groups: &[(u32, ValType)], added: &[ValType]) {
    (groups.len() + added.len()).encode(out);
    for (count, ty) in groups.iter().copied().chain(added.iter().map(|ty| (1, *ty))) {
        count.encode(out);
        ty.encode(out);
    }
}
