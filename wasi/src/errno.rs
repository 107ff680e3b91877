/// The error codes of preview 1 that these functions return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Errno {
    #[cfg(feature = "dirs")]
    Acces = 2,
    Badf = 8,
    Busy = 10,
    Exist = 20,
    Fault = 21,
    Fbig = 22,
    Ilseq = 25,
    Inval = 28,
    #[cfg(feature = "std")]
    Io = 29,
    Isdir = 31,
    #[cfg(feature = "dirs")]
    Loop = 32,
    Nametoolong = 37,
    Nfile = 41,
    Noent = 44,
    Nomem = 48,
    Nospc = 51,
    Notdir = 54,
    Notempty = 55,
    Notsock = 57,
    Notsup = 58,
    Overflow = 61,
    Rofs = 69,
    Spipe = 70,
    Xdev = 75,
    Notcapable = 76,
}
