//! Rule text in, matching programs out
