//! The port `storage` over `wasi:keyvalue`: what Spin, Fermyon Cloud and the embedded host offer.
//!
//! Two traps of that interface as Spin implements it are dealt with here. A compare-and-swap of a key without a value lets everybody win who saw
//! nothing, so keys are seeded first; and who seeds is decided by `increment`, which is exact. `increment` breaks the whole store where
//! it finds a value of another length, so its keys are used for nothing else.

#![allow(unsafe_code, reason = "the export macro declares the component's entry points")]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "storage-component", generate_all });
}

use bindings::exports::eqmesh::network::storage::{Guest, StorageError};
use bindings::wasi::config::store as config;
use bindings::wasi::keyvalue::atomics::{self, Cas, CasError};
use bindings::wasi::keyvalue::batch;
use bindings::wasi::keyvalue::store::{self, Bucket, Error};

/// The label of the store, if the configuration says nothing of it.
const STORE: &str = "default";

/// What stands before the label in the variable `storage_url`.
const SCHEME: &str = "spin-kv://";

/// The longest key that every host takes.
const MAX_KEY: usize = 255;

/// Keys that hold the counters of [`Guest::seed`] end so.
const COUNTER: &str = "/seeds";

struct Component;

fn unavailable(error: Error) -> StorageError {
    StorageError::Unavailable(match error {
        Error::NoSuchStore => "the host has no such key-value store: correct `storage_url`".to_owned(),
        Error::AccessDenied => "the manifest does not grant this component the key-value store of `storage_url`: add it to `key_value_stores`".to_owned(),
        Error::Other(why) => why,
    })
}

fn open() -> Result<Bucket, StorageError> {
    let configured = config::get("storage_url").ok().flatten().filter(|url| !url.is_empty());
    let label = match &configured {
        None => STORE,
        Some(url) => url.strip_prefix(SCHEME).ok_or_else(|| {
            StorageError::Unavailable(format!(
                "the variable `storage_url` is {SCHEME} and the label of a key-value store, not `{url}`"
            ))
        })?,
    };
    store::open(label).map_err(unavailable)
}

fn check(key: &str) -> Result<(), StorageError> {
    if key.len() > MAX_KEY - COUNTER.len() {
        return Err(StorageError::Limit(format!(
            "a key has at most {} bytes",
            MAX_KEY - COUNTER.len()
        )));
    }
    Ok(())
}

impl Guest for Component {
    fn read(keys: Vec<String>) -> Result<Vec<Option<Vec<u8>>>, StorageError> {
        let bucket = open()?;
        if let [key] = &keys[..] {
            return Ok(vec![bucket.get(key).map_err(unavailable)?]);
        }
        // The order of the answers is the host's, and hosts leave out what they do not have.
        let found = batch::get_many(&bucket, &keys).map_err(unavailable)?;
        let mut found: std::collections::BTreeMap<String, Vec<u8>> = found
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        Ok(keys.iter().map(|key| found.remove(key)).collect())
    }

    fn write(entries: Vec<(String, Vec<u8>)>) -> Result<(), StorageError> {
        entries.iter().try_for_each(|(key, _)| check(key))?;
        let bucket = open()?;
        if let [(key, value)] = &entries[..] {
            return bucket.set(key, value).map_err(unavailable);
        }
        batch::set_many(&bucket, &entries).map_err(unavailable)
    }

    fn remove(keys: Vec<String>) -> Result<(), StorageError> {
        if keys.is_empty() {
            return Ok(());
        }
        batch::delete_many(&open()?, &keys).map_err(unavailable)
    }

    fn compare_and_swap(key: String, expected: Vec<u8>, value: Vec<u8>) -> Result<bool, StorageError> {
        check(&key)?;
        let bucket = open()?;
        let cas = Cas::new(&bucket, &key).map_err(unavailable)?;
        // The handle compares with what it sees here, not with what somebody saw before.
        if cas.current().map_err(unavailable)?.as_ref() != Some(&expected) {
            return Ok(false);
        }
        match atomics::swap(cas, &value) {
            Ok(()) => Ok(true),
            Err(CasError::CasFailed(_)) => Ok(false),
            Err(CasError::StoreError(error)) => Err(unavailable(error)),
        }
    }

    fn seed(key: String, value: Vec<u8>, force: bool) -> Result<bool, StorageError> {
        check(&key)?;
        let bucket = open()?;
        if bucket.exists(&key).map_err(unavailable)? {
            return Ok(true);
        }
        let first = atomics::increment(&bucket, &format!("{key}{COUNTER}"), 1).map_err(unavailable)? == 1;
        if !first && !force {
            // It may have come in between.
            return bucket.exists(&key).map_err(unavailable);
        }
        bucket.set(&key, &value).map_err(unavailable)?;
        Ok(true)
    }

    fn keys(prefix: String) -> Result<Vec<String>, StorageError> {
        let bucket = open()?;
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = bucket.list_keys(cursor.as_deref()).map_err(unavailable)?;
            all.extend(page.keys.into_iter().filter(|key| key.starts_with(&prefix)));
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }
}

bindings::export!(Component with_types_in bindings);
