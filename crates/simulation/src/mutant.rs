//! Mutants: networks with a defect that the simulation must find. A check that never fails proves nothing; tests run each mutant and make sure that it
//! is caught.

/// A defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// The host does not store what its own agent made.
    OwnWritesNotDurable,
    /// A block that arrives again is entered again.
    ApplyNotIdempotent,
    /// Facts are said to be here as soon as a later one of their agent has come.
    GapsAccepted,
    /// What a stranger claims is believed without a check.
    VerificationSkipped,
    /// Everything is taken for certified.
    CertificationForged,
    /// Who has lost its state comes back as the incarnation that it was.
    DotsReused,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 6] = [
        Mutant::OwnWritesNotDurable,
        Mutant::ApplyNotIdempotent,
        Mutant::GapsAccepted,
        Mutant::VerificationSkipped,
        Mutant::CertificationForged,
        Mutant::DotsReused,
    ];
}
