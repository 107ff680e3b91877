use hotcell_core::{Backend, HostFn};

/// Lists the host functions' types once, for the trait and for its blanket impl.
macro_rules! backend_under_test {
    ($($params:ty => $results:ty,)*) => {
        /// A backend that the suite can test: one with the host functions that its checks define. Every backend that
        /// implements [`HostFn`] for every arity is one.
        pub trait BackendUnderTest: Backend $(+ HostFn<$params, $results>)* {}

        impl<B> BackendUnderTest for B where B: Backend $(+ HostFn<$params, $results>)* {}
    };
}

backend_under_test! {
    () => (),
    () => i32,
    () => u32,
    () => u64,
    (i32,) => (),
    (i32,) => i32,
    (u32,) => (),
    (u32,) => u32,
    (i64,) => (),
    (i64,) => i64,
    (u64,) => (),
    (u64,) => (u64,),
    (f32,) => (),
    (f32,) => f32,
    (f64,) => (),
    (f64,) => f64,
    (u32, u32) => (),
    (u32, u32) => u32,
    (i32, f32) => (),
    (f64, f64) => (),
    (i32, f64) => (i32, f64),
    (i32, i64) => (i64, i32),
    (f32, f64) => f64,
    (u32, u32, u32) => u32,
    (u32, i64, f32) => (f32, u32),
    (u64, u64, u64, u64) => (u64, i64),
    (f64, f32, i32, u32, i64) => (u32, f32, u64),
    (i32, i64, i32, i64, i32, i64) => (f64, f64, f64),
    (f32, f32, f32, f32, f32, f32, f32) => (),
    (i32, u32, i64, u64, f32, f64, i32, u64) => (i32, i64, f32),
}
