//! Whole applications of one component that does what it is asked, built with Spin's SDK.

mod application;
mod bodies;
mod chaining;
mod collapse;
mod keyvalue;
mod limits;
mod loading;
mod logging;
mod probe;
mod reuse;
mod serving;
