//! There are no sockets: no descriptor is one.

use crate::{
    call::{Call, Outcome},
    errno::Errno,
};

fn refuse(call: &Call<'_>, fd: u32) -> Outcome {
    call.state.fds.get(fd, 0)?;
    Err(Errno::Notsock.into())
}

pub(crate) fn sock_accept(call: &mut Call<'_>, (fd, ..): (u32, u32, u32)) -> Outcome {
    refuse(call, fd)
}

pub(crate) fn sock_recv(call: &mut Call<'_>, (fd, ..): (u32, u32, u32, u32, u32, u32)) -> Outcome {
    refuse(call, fd)
}

pub(crate) fn sock_send(call: &mut Call<'_>, (fd, ..): (u32, u32, u32, u32, u32)) -> Outcome {
    refuse(call, fd)
}

pub(crate) fn sock_shutdown(call: &mut Call<'_>, (fd, ..): (u32, u32)) -> Outcome {
    refuse(call, fd)
}
