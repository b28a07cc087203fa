//! Durable stores: what many writers do at once, and what is left when a process is killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use eqmesh_host::database::{Database, DatabaseError, MAX_BATCH_KEYS, OpenError, Swap};
use eqmesh_host::metrics::Metrics;
use proptest::prelude::*;
use tokio::runtime::Runtime;

fn open(folder: &Path) -> Database {
    Database::open(&folder.join("state.redb"), Metrics::new()).expect("it opens")
}

fn store() -> Arc<str> {
    "default".into()
}

/// One writer counts as often as it can with compare-and-swap.
async fn count_by_swapping(database: Database, times: usize) {
    let store = store();
    for _ in 0..times {
        let mut expected = database.get(&store, "swapped").expect("readable");
        loop {
            let count = expected
                .as_ref()
                .map_or(0, |bytes| u32::from_le_bytes(bytes[..].try_into().expect("4 bytes")));
            let next = Bytes::copy_from_slice(&(count + 1).to_le_bytes());
            match database
                .swap(&store, "swapped".into(), expected, next)
                .await
                .expect("written")
            {
                Swap::Swapped => break,
                Swap::Differs(current) => expected = current,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_lose_nothing_and_share_commits() {
    let folder = tempfile::tempdir().expect("a folder");
    let metrics = Metrics::new();
    let database = Database::open(&folder.path().join("state.redb"), metrics.clone()).expect("it opens");
    let mut writers = Vec::new();
    for writer in 0..64_u64 {
        writers.push(tokio::spawn(count_by_swapping(database.clone(), 5)));
        let database = database.clone();
        writers.push(tokio::spawn(async move {
            let store = store();
            let mut last = 0;
            for round in 0..5_u64 {
                let sum = database.increment(&store, "sum".into(), 2).await.expect("written");
                assert!(sum > last, "increments only grow");
                last = sum;
                let key = format!("writer-{writer}");
                let value = Bytes::copy_from_slice(&round.to_le_bytes());
                database
                    .set(&store, vec![(key.clone(), value.clone())])
                    .await
                    .expect("written");
                assert_eq!(
                    database.get(&store, &key).expect("readable"),
                    Some(value),
                    "whoever was answered reads its own write"
                );
            }
        }));
    }
    for writer in writers {
        writer.await.expect("no panic");
    }
    let check = |database: &Database| {
        let number = |key: &str| database.get("default", key).expect("readable").expect("written");
        assert_eq!(number("swapped"), 320_u32.to_le_bytes().as_slice());
        assert_eq!(number("sum"), 640_i64.to_le_bytes().as_slice());
        assert_eq!(database.keys("default", None).expect("readable").keys.len(), 66);
    };
    check(&database);
    drop(database);
    check(&open(folder.path()));

    let text = metrics.text();
    let value = |name: &str| -> f64 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .expect("the metric is there");
        line.trim().parse().expect("a number")
    };
    let commits = value("eqmesh_keyvalue_commit_writes_count");
    let writes = value("eqmesh_keyvalue_commit_writes_sum");
    assert!(writes >= 960.0, "{writes}");
    assert!(commits * 2.0 < writes, "{writes} writes took {commits} commits");
}

#[tokio::test]
async fn a_batch_is_all_or_nothing_and_limited() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = open(folder.path());
    let pair = |key: String| (key, Bytes::from_static(b"v"));
    let too_many: Vec<_> = (0..=MAX_BATCH_KEYS).map(|key| pair(key.to_string())).collect();
    assert_eq!(
        database.set(&store(), too_many).await,
        Err(DatabaseError::BatchKeys(MAX_BATCH_KEYS + 1))
    );
    let long = vec![pair("a".into()), pair("k".repeat(256))];
    assert_eq!(database.set(&store(), long).await, Err(DatabaseError::Key(256)));
    assert_eq!(
        database.keys("default", None).expect("readable").keys,
        Vec::<String>::new()
    );
    let value = Bytes::from(vec![0; 16 << 20]);
    let large: Vec<_> = (0..5).map(|key| (key.to_string(), value.clone())).collect();
    assert!(matches!(
        database.set(&store(), large).await,
        Err(DatabaseError::BatchBytes(_))
    ));
}

#[tokio::test]
async fn one_file_has_one_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = open(folder.path());
    let second = Database::open(&folder.path().join("state.redb"), Metrics::new());
    assert!(matches!(second, Err(OpenError::Taken)));
    drop(first);
    open(folder.path());
}

/// What a store can be asked.
#[derive(Debug, Clone)]
enum Step {
    Set(u8, Vec<u8>),
    Delete(u8),
    Increment(u8, i64),
    Swap(u8, Option<Vec<u8>>, Vec<u8>),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..3_u8;
    // Few values, so that swaps meet what they expect; some are numbers.
    let value = prop_oneof![Just(Vec::new()), Just(vec![1]), Just(1_i64.to_le_bytes().to_vec())];
    prop_oneof![
        4 => (key.clone(), value.clone()).prop_map(|(key, value)| Step::Set(key, value)),
        2 => key.clone().prop_map(Step::Delete),
        3 => (key.clone(), prop_oneof![-2..3_i64, Just(i64::MAX)]).prop_map(|(key, delta)| Step::Increment(key, delta)),
        4 => (key, proptest::option::of(value.clone()), value).prop_map(|(key, old, new)| Step::Swap(key, old, new)),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A store answers as a map would.
    #[test]
    fn a_store_is_a_map(steps in proptest::collection::vec(step(), 1..24)) {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = Runtime::new().expect("a runtime");
        let mut database = open(folder.path());
        let mut model = std::collections::BTreeMap::<String, Vec<u8>>::new();
        for step in steps {
            match step {
                Step::Set(key, value) => {
                    let key = key.to_string();
                    runtime.block_on(database.set(&store(), vec![(key.clone(), value.clone().into())])).expect("written");
                    model.insert(key, value);
                }
                Step::Delete(key) => {
                    runtime.block_on(database.delete(&store(), vec![key.to_string()])).expect("written");
                    model.remove(&key.to_string());
                }
                Step::Increment(key, delta) => {
                    let key = key.to_string();
                    let number = model.get(&key).map_or(Some(0), |value| Some(i64::from_le_bytes(value.as_slice().try_into().ok()?)));
                    let expected = number.and_then(|number| number.checked_add(delta));
                    let sum = runtime.block_on(database.increment(&store(), key.clone(), delta));
                    prop_assert_eq!(sum.clone().ok(), expected, "{:?}", sum);
                    if let Some(sum) = expected {
                        model.insert(key, sum.to_le_bytes().to_vec());
                    }
                }
                Step::Swap(key, old, new) => {
                    let key = key.to_string();
                    let current = model.get(&key).cloned();
                    let expected = if current == old { Swap::Swapped } else { Swap::Differs(current.map(Bytes::from)) };
                    let store = store();
                    let swap = database.swap(&store, key.clone(), old.map(Bytes::from), new.clone().into());
                    let swap = runtime.block_on(swap).expect("written");
                    prop_assert_eq!(&swap, &expected);
                    if swap == Swap::Swapped {
                        model.insert(key, new);
                    }
                }
                Step::Reopen => {
                    drop(database);
                    database = open(folder.path());
                }
            }
            let keys: Vec<String> = model.keys().cloned().collect();
            prop_assert_eq!(database.keys("default", None).expect("readable").keys, keys.clone());
            let pairs = database.get_many("default", keys).expect("readable");
            let pairs: Vec<(String, Vec<u8>)> = pairs.into_iter().map(|(key, value)| (key, value.expect("there").to_vec())).collect();
            prop_assert_eq!(pairs, model.clone().into_iter().collect::<Vec<_>>());
        }
    }
}

/// Names the folder in which the child process writes.
const CHILD: &str = "EQMESH_HOST_TEST_WRITER";

/// Kills the child however the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of its own: the process that `what_was_answered_survives_a_kill` starts, and kills.
#[test]
fn writer_to_be_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let database = open(Path::new(&folder));
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let writers = (0..4).map(|writer| {
            let database = database.clone();
            tokio::spawn(async move {
                for number in 0_u32.. {
                    let key = format!("{writer}");
                    database
                        .set(&store(), vec![(key, Bytes::copy_from_slice(&number.to_le_bytes()))])
                        .await
                        .expect("written");
                    database.increment(&store(), "sum".into(), 1).await.expect("written");
                    println!("answered {writer} {number}");
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.expect("no panic");
        }
    });
}

#[test]
fn what_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sum_before = 0;
    for lines in [20, 45, 70] {
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "writer_to_be_killed", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut child = Killed(child);
        let output = BufReader::new(child.0.stdout.take().expect("piped"));
        let mut answered = [None::<u32>; 4];
        let mut increments = 0;
        for line in output.lines().map(|line| line.expect("text")) {
            // The harness writes on the same line before the first answer.
            let Some((_, answer)) = line.split_once("answered ") else {
                continue;
            };
            let (writer, number) = answer.split_once(' ').expect("two words");
            answered[writer.parse::<usize>().expect("a number")] = Some(number.parse().expect("a number"));
            increments += 1;
            if increments == lines {
                break;
            }
        }
        assert_eq!(increments, lines, "the child wrote until it was killed");
        child.0.kill().expect("killed");
        child.0.wait().expect("gone");

        let database = open(folder.path());
        for (writer, number) in answered.iter().enumerate() {
            if let Some(number) = number {
                let found = database
                    .get("default", &writer.to_string())
                    .expect("readable")
                    .expect("written");
                let found = u32::from_le_bytes(found[..].try_into().expect("4 bytes"));
                assert!(
                    found >= *number,
                    "writer {writer} was answered {number}, and {found} is there"
                );
            }
        }
        let sum = database.get("default", "sum").expect("readable").expect("written");
        let sum = i64::from_le_bytes(sum[..].try_into().expect("8 bytes"));
        assert!(
            sum >= sum_before + increments,
            "{increments} increments were answered after {sum_before}, and {sum} is there"
        );
        sum_before = sum;
    }
}
