//! The marks of events: each kind has a form of its own, so that no colour is needed to tell them apart.

use eqmesh_timeline::EventKind;

/// The outline of a kind's mark as SVG path data, within 8 pixels around the origin.
pub(crate) const fn outline(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Sent => "M-5 -6L6 0L-5 6Z",
        EventKind::Received => "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0Z",
        EventKind::Refused => "M-5 -5L5 5M5 -5L-5 5",
        EventKind::Acknowledged => "M-6 0L-2 5L6 -5",
        EventKind::SyncStarted => "M3 -6H-3V6H3",
        EventKind::SyncCompleted => "M-3 -6H3V6H-3",
        EventKind::Heartbeat => "M-8 0H-4L-1 -6L2 6L4 0H8",
        EventKind::Step => "M-5 -5H5V5H-5Z",
        EventKind::Certified => "M0 -7L7 0L0 7L-7 0Z",
        EventKind::Converged => "M0 -8L2 -2L8 0L2 2L0 8L-2 2L-8 0L-2 -2Z",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_kinds_look_alike() {
        for (at, &one) in EventKind::ALL.iter().enumerate() {
            for &other in &EventKind::ALL[..at] {
                assert_ne!(outline(one), outline(other), "{one:?}, {other:?}");
            }
        }
    }
}
