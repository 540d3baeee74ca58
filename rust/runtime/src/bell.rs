//! What wakes an event loop: a file descriptor that is readable from the first ring to the next hush.

use std::io;

#[cfg(any(target_os = "linux", target_os = "android"))]
use counter::Ends;
#[cfg(not(unix))]
use nothing::Ends;
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
use pipe::Ends;

/// Rung by any thread, hushed by the one that watches. Neither ever blocks, and any number of rings is one.
#[derive(Debug)]
pub(crate) struct Bell(Ends);

impl Bell {
    /// A bell that is not ringing.
    ///
    /// # Errors
    ///
    /// Those of the system, which has no more file descriptors to give.
    pub(crate) fn new() -> io::Result<Self> {
        Ends::new().map(Self)
    }

    /// Wakes who watches.
    pub(crate) fn ring(&self) {
        self.0.ring();
    }

    /// Ends the ringing, if it is ringing.
    pub(crate) fn hush(&self) {
        self.0.hush();
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for Bell {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// One descriptor, and for the kernel an addition, where a pipe takes a page and gives it back.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod counter {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::event::{EventfdFlags, eventfd};

    #[derive(Debug)]
    pub(super) struct Ends(OwnedFd);

    impl Ends {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?))
        }

        pub(super) fn ring(&self) {
            // It can only fail after 2^64 - 2 rings without a hush, and is ringing then.
            let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
        }

        pub(super) fn hush(&self) {
            // Fails if it is not ringing.
            let _ = rustix::io::read(&self.0, &mut [0; 8]);
        }

        pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }
}

#[cfg(all(unix, any(test, not(any(target_os = "linux", target_os = "android")))))]
mod pipe {
    use std::io::{self, PipeReader, PipeWriter, Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};

    use rustix::io::ioctl_fionbio;

    #[derive(Debug)]
    pub(super) struct Ends {
        reader: PipeReader,
        writer: PipeWriter,
    }

    impl Ends {
        pub(super) fn new() -> io::Result<Self> {
            let (reader, writer) = io::pipe()?;
            ioctl_fionbio(&reader, true)?;
            ioctl_fionbio(&writer, true)?;
            Ok(Self { reader, writer })
        }

        pub(super) fn ring(&self) {
            // It can only fail where it is full, and is ringing then.
            let _ = (&self.writer).write(&[1]);
        }

        pub(super) fn hush(&self) {
            // More bytes than this, each for a sender that came late, take a hush more.
            let _ = (&self.reader).read(&mut [0; 64]);
        }

        pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
            self.reader.as_fd()
        }
    }
}

/// Event loops watch no descriptors of ours there.
#[cfg(not(unix))]
mod nothing {
    use std::io;

    #[derive(Debug)]
    pub(super) struct Ends;

    impl Ends {
        #[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        #[expect(clippy::unused_self, reason = "elsewhere there is something to ring")]
        pub(super) fn ring(&self) {}

        #[expect(clippy::unused_self, reason = "elsewhere there is something to hush")]
        pub(super) fn hush(&self) {}
    }
}

#[cfg(all(test, unix))]
pub(crate) mod tests {
    use std::os::fd::{AsFd, BorrowedFd};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    /// Whether it is ringing, or does so within `wait`; for ever with None.
    pub(crate) fn is_ringing(bell: BorrowedFd<'_>, wait: Option<Timespec>) -> bool {
        let mut watched = [PollFd::from_borrowed_fd(bell, PollFlags::IN)];
        poll(&mut watched, wait.as_ref()).unwrap() == 1
    }

    pub(crate) const NOW: Option<Timespec> = Some(Timespec { tv_sec: 0, tv_nsec: 0 });

    #[test]
    fn rings_from_the_first_ring_to_the_hush() {
        let bell = Bell::new().unwrap();
        assert!(!is_ringing(bell.as_fd(), NOW));
        bell.hush();
        for rings in [1, 2, 10] {
            (0..rings).for_each(|_| bell.ring());
            assert!(is_ringing(bell.as_fd(), NOW));
            bell.hush();
            assert!(!is_ringing(bell.as_fd(), NOW));
        }
    }

    #[test]
    fn so_does_a_pipe_which_never_blocks() {
        let ends = pipe::Ends::new().unwrap();
        ends.hush();
        // More than a pipe holds.
        (0..100_000).for_each(|_| ends.ring());
        let mut hushes = 0;
        while is_ringing(ends.as_fd(), NOW) {
            ends.hush();
            hushes += 1;
        }
        assert!(hushes > 1);
        ends.ring();
        ends.hush();
        assert!(!is_ringing(ends.as_fd(), NOW));
    }
}
