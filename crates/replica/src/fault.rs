//! Why something that was asked for could not be done.

use eqmesh_egraph::program::ProgramError;
use eqmesh_egraph::term::{TermError, TooLong};

/// Nothing has changed when a function answers with a fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A text or a binary form could not be read.
    #[error("{0}")]
    Malformed(String),
    /// A name that nothing declares.
    #[error("{0}")]
    Unknown(String),
    /// Arguments do not fit an operator, or two terms are of different sorts.
    #[error("{0}")]
    Mismatch(String),
    /// A term or node that does not stand in the e-graph.
    #[error("{0}")]
    Absent(String),
    /// The 3-coloring constraint would break.
    #[error("{0}")]
    Coloring(String),
    /// A limit on size or count is exceeded.
    #[error("{0}")]
    Limit(String),
    /// A claim that does not hold.
    #[error("{0}")]
    Refused(String),
    /// A call that does not fit the state.
    #[error("{0}")]
    Misplaced(String),
}

impl From<TermError> for Fault {
    fn from(error: TermError) -> Fault {
        let text = error.to_string();
        match error {
            TermError::Malformed { .. } => Fault::Malformed(text),
            TermError::Unknown { .. } => Fault::Unknown(text),
            TermError::Mismatch { .. } => Fault::Mismatch(text),
            TermError::Limit => Fault::Limit(text),
        }
    }
}

impl From<TooLong> for Fault {
    fn from(error: TooLong) -> Fault {
        Fault::Limit(error.to_string())
    }
}

impl From<ProgramError> for Fault {
    fn from(error: ProgramError) -> Fault {
        Fault::Malformed(error.to_string())
    }
}
