//! What the dashboard shows, computed from what the agents answer: nothing here does I/O, asks a clock, or invents a number. The same answers always give the same document.
//!
//! | module | what |
//! |---|---|
//! | [`network`] | who answers, how each agent is, who hears whom, and one sentence for it all |
//! | [`ring`] | where agents stand: on a circle, so that nothing ever jumps |
//! | [`timeline`] | the events of all agents as one, with vector clocks |
//! | [`layout`] | boxes in layers, also where there are circles |
//! | [`egraph`] | the classes around one, laid out |

pub mod egraph;
pub mod layout;
pub mod network;
pub mod ring;
pub mod timeline;
