//! How messages of a network reach agents behind HTTP: signed as [Standard Webhooks](https://www.standardwebhooks.com) says, in two binary forms that
//! `docs/wire-format.md` specifies. No I/O and no clock, so that it runs in WebAssembly as well as natively.
//!
//! ```
//! use eqmesh_replica::AgentId;
//! use eqmesh_webhook::{Delivery, Secret};
//!
//! let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
//! let delivery = Delivery { receiver: AgentId(4), subject: "agent.3.state".to_owned(), messages: vec![b"message".to_vec()] };
//!
//! // The sender:
//! let (id, now, body) = ("deltas-17-4", 1_700_000_000, delivery.encode());
//! let (timestamp, signature) = (now.to_string(), secret.sign(id, now, &body));
//!
//! // The receiver, ten seconds later:
//! secret.verify(id, &timestamp, &signature, &body, now + 10).unwrap();
//! assert_eq!(Delivery::decode(&body), Ok(delivery));
//! ```

mod form;
mod signature;

pub use form::{BATCH_TYPE, Batch, DELIVERY_TYPE, Delivery, MAX_BYTES, MAX_MESSAGES, MAX_SUBJECT, fitting};
pub use signature::{ID_HEADER, SIGNATURE_HEADER, Secret, SecretError, SignatureError, TIMESTAMP_HEADER, TOLERANCE};
