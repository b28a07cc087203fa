//! What a service needs of its host.

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be used now, or at all.
    #[error("the key-value store: {0}")]
    Unavailable(String),
    /// A key or a value is too long for it.
    #[error("the key-value store: {0}")]
    Limit(String),
}

/// A key-value store: the WIT interface `storage`, which says what each function guarantees. All is durable when it returns.
#[allow(missing_docs)]
pub trait Store {
    fn read(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, StoreError>;
    fn write(&self, entries: Vec<(String, Vec<u8>)>) -> Result<(), StoreError>;
    fn remove(&self, keys: &[String]) -> Result<(), StoreError>;
    fn compare_and_swap(&self, key: &str, expected: &[u8], value: &[u8]) -> Result<bool, StoreError>;
    fn seed(&self, key: &str, value: &[u8], force: bool) -> Result<bool, StoreError>;
    fn keys(&self, prefix: &str) -> Result<Vec<String>, StoreError>;
}

/// Time and randomness.
pub trait Host {
    /// Microseconds since 1970.
    fn now(&self) -> u64;
    /// A number that nobody can guess.
    fn random(&self) -> u64;
    /// Lets some milliseconds pass.
    fn sleep(&self, milliseconds: u64);
}
