//! `wasi:keyvalue@0.2.0-draft2` for components: store, atomics, batch, over the [database](crate::database).

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime::Result;
use wasmtime::component::{HasData, Resource, ResourceTable};

use crate::database::{Database, DatabaseError, Swap};
use crate::guest::Guest;
use crate::guest::bindings::wasi::keyvalue::{atomics, batch, store};
use crate::metrics::{Ending, Metrics, Operation};

/// The stores that a component may open.
#[derive(Clone)]
pub(crate) struct Stores {
    /// `None` if the manifest names no store for any component, so that no file is needed.
    pub(crate) database: Option<Database>,
    pub(crate) allowed: Arc<BTreeSet<String>>,
    pub(crate) metrics: Metrics,
}

/// An open store.
#[expect(
    unreachable_pub,
    reason = "the bindings, which are generated, are public in a private module"
)]
#[derive(Debug, Clone)]
pub struct Bucket {
    store: Arc<str>,
    database: Database,
    metrics: Metrics,
}

/// A compare-and-swap that is under way: the value as it was when this was made.
#[expect(
    unreachable_pub,
    reason = "the bindings, which are generated, are public in a private module"
)]
#[derive(Debug)]
pub struct Cas {
    bucket: Bucket,
    key: String,
    expected: Option<Bytes>,
}

impl From<DatabaseError> for store::Error {
    fn from(error: DatabaseError) -> Self {
        Self::Other(error.to_string())
    }
}

impl Bucket {
    /// Counts an operation by how it ended.
    fn count<T>(&self, operation: Operation, result: &Result<T, DatabaseError>) {
        let ending = if result.is_ok() { Ending::Ok } else { Ending::Error };
        self.metrics.operation(&self.store, operation, ending);
    }

    /// Counts an operation, and puts its result into the words of the interface.
    fn finish<T>(
        &self,
        operation: Operation,
        result: Result<T, DatabaseError>,
    ) -> std::result::Result<T, store::Error> {
        self.count(operation, &result);
        result.map_err(store::Error::from)
    }
}

/// `wasi:keyvalue` of one instance.
pub(crate) struct KeyValue<'a> {
    table: &'a mut ResourceTable,
    stores: &'a Stores,
}

/// Names [`KeyValue`] to the linker.
pub(crate) struct HasKeyValue;

impl HasData for HasKeyValue {
    type Data<'a> = KeyValue<'a>;
}

impl Guest {
    pub(crate) fn key_value(&mut self) -> KeyValue<'_> {
        KeyValue {
            table: &mut self.table,
            stores: &self.stores,
        }
    }
}

impl KeyValue<'_> {
    fn bucket(&self, bucket: &Resource<Bucket>) -> Result<Bucket> {
        Ok(self.table.get(bucket)?.clone())
    }
}

fn bytes(value: Option<Bytes>) -> Option<Vec<u8>> {
    value.map(Vec::from)
}

impl store::Host for KeyValue<'_> {
    fn open(&mut self, identifier: String) -> Result<Result<Resource<Bucket>, store::Error>> {
        let allowed = self.stores.allowed.contains(&identifier);
        let Some(database) = self.stores.database.clone().filter(|_| allowed) else {
            return Ok(Err(store::Error::AccessDenied));
        };
        let bucket = Bucket {
            store: identifier.into(),
            database,
            metrics: self.stores.metrics.clone(),
        };
        Ok(Ok(self.table.push(bucket)?))
    }
}

impl store::HostBucket for KeyValue<'_> {
    fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<Option<Vec<u8>>, store::Error>> {
        let bucket = self.table.get(&bucket)?;
        Ok(bucket.finish(Operation::Get, bucket.database.get(&bucket.store, &key).map(bytes)))
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<Result<(), store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let result = bucket.database.set(&bucket.store, vec![(key, value.into())]).await;
        Ok(bucket.finish(Operation::Set, result))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<(), store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let result = bucket.database.delete(&bucket.store, vec![key]).await;
        Ok(bucket.finish(Operation::Delete, result))
    }

    fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<bool, store::Error>> {
        let bucket = self.table.get(&bucket)?;
        Ok(bucket.finish(Operation::Exists, bucket.database.exists(&bucket.store, &key)))
    }

    fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Result<Result<store::KeyResponse, store::Error>> {
        let bucket = self.table.get(&bucket)?;
        let keys = bucket.database.keys(&bucket.store, cursor.as_deref());
        Ok(bucket.finish(
            Operation::ListKeys,
            keys.map(|page| store::KeyResponse {
                keys: page.keys,
                cursor: page.cursor,
            }),
        ))
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl batch::Host for KeyValue<'_> {
    fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Result<Vec<(String, Option<Vec<u8>>)>, store::Error>> {
        let bucket = self.table.get(&bucket)?;
        let pairs = bucket.database.get_many(&bucket.store, keys);
        let pairs = pairs.map(|pairs| pairs.into_iter().map(|(key, value)| (key, bytes(value))).collect());
        Ok(bucket.finish(Operation::GetMany, pairs))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        key_values: Vec<(String, Vec<u8>)>,
    ) -> Result<Result<(), store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let pairs = key_values.into_iter().map(|(key, value)| (key, value.into())).collect();
        let result = bucket.database.set(&bucket.store, pairs).await;
        Ok(bucket.finish(Operation::SetMany, result))
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<Result<(), store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let result = bucket.database.delete(&bucket.store, keys).await;
        Ok(bucket.finish(Operation::DeleteMany, result))
    }
}

impl atomics::Host for KeyValue<'_> {
    async fn increment(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        delta: i64,
    ) -> Result<Result<i64, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let result = bucket.database.increment(&bucket.store, key, delta).await;
        Ok(bucket.finish(Operation::Increment, result))
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> Result<Result<(), atomics::CasError>> {
        let Cas { bucket, key, expected } = self.table.delete(cas)?;
        let swapped = bucket
            .database
            .swap(&bucket.store, key.clone(), expected, value.into())
            .await;
        match swapped {
            Ok(Swap::Swapped) => {
                bucket.metrics.operation(&bucket.store, Operation::Swap, Ending::Ok);
                Ok(Ok(()))
            }
            Ok(Swap::Differs(current)) => {
                bucket
                    .metrics
                    .operation(&bucket.store, Operation::Swap, Ending::Conflict);
                let cas = self.table.push(Cas {
                    bucket,
                    key,
                    expected: current,
                })?;
                Ok(Err(atomics::CasError::CasFailed(cas)))
            }
            Err(error) => {
                bucket.metrics.operation(&bucket.store, Operation::Swap, Ending::Error);
                Ok(Err(atomics::CasError::StoreError(error.into())))
            }
        }
    }
}

impl atomics::HostCas for KeyValue<'_> {
    fn new(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<Resource<Cas>, store::Error>> {
        let bucket = self.bucket(&bucket)?;
        let expected = bucket.database.get(&bucket.store, &key);
        bucket.count(Operation::Get, &expected);
        Ok(match expected {
            Ok(expected) => Ok(self.table.push(Cas { bucket, key, expected })?),
            Err(error) => Err(error.into()),
        })
    }

    fn current(&mut self, cas: Resource<Cas>) -> Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(Ok(bytes(self.table.get(&cas)?.expected.clone())))
    }

    fn drop(&mut self, cas: Resource<Cas>) -> Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}
