//! The red, blue and green streams
