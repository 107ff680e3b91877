use alloc::{boxed::Box, vec::Vec};
use core::any::Any;

/// What libraries of host functions keep for an instance: at most one value of each type.
#[derive(Default)]
pub(crate) struct Extensions(Vec<Box<dyn Any + Send>>);

impl Extensions {
    /// The value of type `E`, which is made if there is none yet.
    pub(crate) fn get<E: Default + Send + 'static>(&mut self) -> &mut E {
        let index = self.0.iter().position(|value| value.is::<E>()).unwrap_or_else(|| {
            self.0.push(Box::new(E::default()));
            self.0.len() - 1
        });
        match self.0[index].downcast_mut() {
            Some(value) => value,
            None => unreachable!("it has this type"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_value() {
        let mut extensions = Extensions::default();
        *extensions.get::<u8>() = 7;
        *extensions.get::<u16>() += 1;
        assert_eq!((*extensions.get::<u8>(), *extensions.get::<u16>()), (7, 1));
    }
}
