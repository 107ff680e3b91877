//! Every check is written once, generic over the backend, and expanded for each backend here.

/// Makes a test for each backend from each `fn check<B: ..>()`.
macro_rules! on_each_backend {
    ($($check:ident)*) => {
        mod wasmtime {
            $(
                #[test]
                fn $check() {
                    super::$check::<hotcell::Wasmtime>();
                }
            )*
        }

        mod wasmi {
            $(
                #[test]
                fn $check() {
                    super::$check::<hotcell::Wasmi>();
                }
            )*
        }
    };
}
