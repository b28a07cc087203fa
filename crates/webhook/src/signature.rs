//! Signing and verifying after [Standard Webhooks 1.0](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md), with symmetric keys.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header with the message's identifier, which stays the same when it is sent again.
pub const ID_HEADER: &str = "webhook-id";
/// The header with the time of the attempt, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// The header with one or more signatures, separated by spaces.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// How many seconds a timestamp may be behind or ahead of the receiver's clock.
pub const TOLERANCE: u64 = 5 * 60;

/// What a secret begins with where people see it.
const PREFIX: &str = "whsec_";

/// The shortest and the longest secret, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// The longest identifier, in bytes.
const MAX_ID: usize = 256;

/// The longest header of signatures, in bytes: some eighty signatures.
const MAX_SIGNATURES: usize = 4096;

/// What a signature of version 1 begins with.
const VERSION: &str = "v1,";

/// A secret that sender and receiver share. Written `whsec_` and base64. It never shows in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// Why a text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It does not begin as secrets do.
    #[error("a webhook secret begins with `whsec_`")]
    Prefix,
    /// What follows is not base64.
    #[error("a webhook secret is `whsec_` and base64 with padding")]
    Base64,
    /// It is too short to be safe, or too long.
    #[error(
        "a webhook secret has 24 to 64 bytes, and this has {0}: `openssl rand -base64 32` makes one, to be put behind `whsec_`"
    )]
    Length(usize),
}

/// Why a delivery is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The identifier is empty, longer than 256 bytes, or has a dot, which would make what is signed ambiguous.
    #[error("the header webhook-id is not an identifier")]
    Id,
    /// The timestamp is no plain number.
    #[error("the header webhook-timestamp is not a number of seconds")]
    Timestamp,
    /// It was signed too long ago, by the receiver's clock.
    #[error("the delivery is older than five minutes")]
    Old,
    /// It was signed in the future, by the receiver's clock.
    #[error("the delivery is from more than five minutes in the future: are the clocks right?")]
    Early,
    /// No signature fits.
    #[error("no signature in the header webhook-signature fits the secret, the identifier, the time and the body")]
    Wrong,
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Secret, SecretError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(SecretError::Prefix)?;
        Secret::from_bytes(STANDARD.decode(encoded).map_err(|_| SecretError::Base64)?)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl Secret {
    /// A secret of 24 to 64 bytes, drawn at random by the caller.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Secret, SecretError> {
        if !SECRET_BYTES.contains(&bytes.len()) {
            return Err(SecretError::Length(bytes.len()));
        }
        Ok(Secret(bytes))
    }

    /// The secret as a text, to be handed to the other side.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The header of signatures for a body that is sent at a time, in seconds since 1970. The identifier must be one that [`verify`](Secret::verify) takes.
    pub fn sign(&self, id: &str, now: u64, body: &[u8]) -> String {
        let code = self.code(id, &now.to_string(), body).finalize().into_bytes();
        format!("{VERSION}{}", STANDARD.encode(code))
    }

    /// Whether a delivery with these headers was signed with this secret, and not too long ago; `now` is in seconds since 1970. Of several signatures
    /// one must fit, so that secrets can be changed without a gap. Signatures of other versions are skipped. Each is compared in constant time.
    pub fn verify(
        &self,
        id: &str,
        timestamp: &str,
        signatures: &str,
        body: &[u8],
        now: u64,
    ) -> Result<(), SignatureError> {
        if id.is_empty() || id.len() > MAX_ID || id.contains('.') {
            return Err(SignatureError::Id);
        }
        let at: u64 = timestamp.parse().map_err(|_| SignatureError::Timestamp)?;
        if at.to_string() != timestamp {
            return Err(SignatureError::Timestamp);
        }
        if at.saturating_add(TOLERANCE) < now {
            return Err(SignatureError::Old);
        }
        if now.saturating_add(TOLERANCE) < at {
            return Err(SignatureError::Early);
        }
        if signatures.len() > MAX_SIGNATURES {
            return Err(SignatureError::Wrong);
        }
        let code = self.code(id, timestamp, body);
        let fits = signatures
            .split(' ')
            .filter_map(|signature| STANDARD.decode(signature.strip_prefix(VERSION)?).ok())
            .any(|signature| code.clone().verify_slice(&signature).is_ok());
        if fits { Ok(()) } else { Err(SignatureError::Wrong) }
    }

    fn code(&self, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
        let mut code = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            code.update(part);
        }
        code
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The example of the standard's reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const AT: u64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secret() -> Secret {
        SECRET.parse().unwrap()
    }

    fn verify(signatures: &str, now: u64) -> Result<(), SignatureError> {
        secret().verify(ID, &AT.to_string(), signatures, BODY, now)
    }

    #[test]
    fn the_test_vector_of_the_standard_holds() {
        assert_eq!(secret().sign(ID, AT, BODY), SIGNATURE);
        assert_eq!(verify(SIGNATURE, AT), Ok(()));
        assert_eq!(secret().expose(), SECRET);
    }

    #[test]
    fn one_of_several_signatures_has_to_fit() {
        assert_eq!(verify(&format!("v1,AAAA v1a,xyz {SIGNATURE} v2,abc"), AT), Ok(()));
        for wrong in [
            "",
            " ",
            "v1,",
            "v1,AAAA",
            "v1,???",
            &SIGNATURE[3..],
            &SIGNATURE.replace("v1", "v2"),
            &"v1,AA== ".repeat(999),
        ] {
            assert_eq!(verify(wrong, AT), Err(SignatureError::Wrong), "{wrong}");
        }
        // A part of the right code is not the code.
        let code = STANDARD.decode(&SIGNATURE[3..]).unwrap();
        let part = format!("v1,{}", STANDARD.encode(&code[..16]));
        assert_eq!(verify(&part, AT), Err(SignatureError::Wrong));
    }

    #[test]
    fn the_time_may_be_five_minutes_off_either_way() {
        assert_eq!(verify(SIGNATURE, AT + TOLERANCE), Ok(()));
        assert_eq!(verify(SIGNATURE, AT - TOLERANCE), Ok(()));
        assert_eq!(verify(SIGNATURE, AT + TOLERANCE + 1), Err(SignatureError::Old));
        assert_eq!(verify(SIGNATURE, AT - TOLERANCE - 1), Err(SignatureError::Early));
        assert_eq!(verify(SIGNATURE, u64::MAX), Err(SignatureError::Old));
        for strange in [
            "",
            "+1614265330",
            "01614265330",
            "1614265330.0",
            "-1",
            "99999999999999999999999",
        ] {
            let verified = secret().verify(ID, strange, SIGNATURE, BODY, AT);
            assert_eq!(verified, Err(SignatureError::Timestamp), "{strange}");
        }
    }

    #[test]
    fn an_identifier_cannot_reach_into_what_follows_it() {
        let (secret, now) = (secret(), 5);
        let signature = secret.sign("a", now, b"6.body");
        assert_eq!(secret.verify("a", "5", &signature, b"6.body", now), Ok(()));
        assert_eq!(
            secret.verify("a.5", "6", &signature, b"body", now),
            Err(SignatureError::Id)
        );
    }

    #[test]
    fn secrets_have_one_form_and_do_not_show() {
        assert_eq!(
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse::<Secret>(),
            Err(SecretError::Prefix)
        );
        assert_eq!("whsec_?".parse::<Secret>(), Err(SecretError::Base64));
        assert_eq!("whsec_AAAA".parse::<Secret>(), Err(SecretError::Length(3)));
        assert_eq!(Secret::from_bytes(vec![0; 65]), Err(SecretError::Length(65)));
        assert_eq!(format!("{:?}", secret()), "Secret(…)");
    }

    proptest! {
        #[test]
        fn what_is_altered_is_not_trusted(body in prop::collection::vec(any::<u8>(), 1..60), id in "[a-z0-9-]{1,20}", now: u32, at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let (secret, now) = (secret(), u64::from(now));
            let signature = secret.sign(&id, now, &body);
            let verify = |id: &str, at: u64, body: &[u8]| secret.verify(id, &at.to_string(), &signature, body, at);
            prop_assert_eq!(verify(&id, now, &body), Ok(()));
            prop_assert_eq!(verify(&format!("{id}x"), now, &body), Err(SignatureError::Wrong));
            prop_assert_eq!(verify(&id, now + 1, &body), Err(SignatureError::Wrong));
            let mut altered = body.clone();
            let at = at.index(body.len());
            altered[at] ^= 1 << bit;
            prop_assert_eq!(verify(&id, now, &altered), Err(SignatureError::Wrong));
            let other = Secret::from_bytes(vec![7; 32]).unwrap();
            prop_assert_eq!(other.verify(&id, &now.to_string(), &signature, &body, now), Err(SignatureError::Wrong));
        }

        #[test]
        fn strange_headers_are_refused(id in "\\PC{0,30}", timestamp in "\\PC{0,20}", signatures in "\\PC{0,60}", now: u64) {
            prop_assert!(secret().verify(&id, &timestamp, &signatures, b"", now).is_err());
        }
    }
}
