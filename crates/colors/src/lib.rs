//! Deterministic colors and polarity inference
