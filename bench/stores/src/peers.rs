//! Other replicated stores, each with facts as the items of one list: the form in which they need the fewest bytes.

use anyhow::{Context as _, Result, ensure};
use automerge::sync::{State, SyncDoc as _};
use automerge::transaction::Transactable as _;
use automerge::{ActorId, AutoCommit, ObjId, ObjType, ROOT, ReadDoc as _, ScalarValue};
use loro::{ExportMode, LoroDoc, LoroValue};
use yrs::updates::decoder::Decode as _;
use yrs::updates::encoder::Encode as _;
use yrs::{Any, Array as _, ArrayRef, Doc, ReadTxn as _, StateVector, Transact as _, Update};

/// What it took to bring a replica up to date.
pub(crate) struct Exchange {
    /// In both directions.
    pub(crate) bytes: usize,
    /// Of a question and an answer.
    pub(crate) round_trips: usize,
}

/// A replica of such a store.
pub(crate) trait Peer {
    /// Who it is, with the version.
    const NAME: &str;

    /// An empty one.
    fn new() -> Result<Self>
    where
        Self: Sized;

    /// Adds items at the end, all in one transaction.
    fn append<'a>(&mut self, items: impl Iterator<Item = &'a [u8]>) -> Result<()>;

    /// How many items there are.
    fn length(&self) -> usize;

    /// What tells another replica, which has seen everything before, of what was appended last.
    fn update(&mut self) -> Result<Vec<u8>>;

    /// All of it, in the form that takes the fewest bytes once it is compressed.
    fn save(&mut self) -> Result<Vec<u8>>;

    /// A replica that holds what was saved.
    fn load(bytes: &[u8]) -> Result<Self>
    where
        Self: Sized;

    /// Takes in an update.
    fn apply(&mut self, update: &[u8]) -> Result<()>;

    /// Brings this replica up to date with another one, which has nothing to learn from it.
    fn pull(&mut self, other: &mut Self) -> Result<Exchange>;
}

/// automerge.
pub(crate) struct Automerge {
    doc: AutoCommit,
    list: ObjId,
}

fn list_of(doc: &AutoCommit) -> Result<ObjId> {
    let (_, list) = doc.get(ROOT, "facts")?.context("the list of facts")?;
    Ok(list)
}

impl Peer for Automerge {
    const NAME: &str = "automerge";

    fn new() -> Result<Automerge> {
        let mut doc = AutoCommit::new().with_actor(ActorId::from([1]));
        let list = doc.put_object(ROOT, "facts", ObjType::List)?;
        doc.commit();
        doc.update_diff_cursor();
        Ok(Automerge { doc, list })
    }

    fn append<'a>(&mut self, items: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        self.doc.save_incremental();
        for (at, item) in (self.length()..).zip(items) {
            self.doc.insert(&self.list, at, ScalarValue::Bytes(item.to_vec()))?;
        }
        self.doc.commit();
        Ok(())
    }

    fn length(&self) -> usize {
        self.doc.length(&self.list)
    }

    fn update(&mut self) -> Result<Vec<u8>> {
        Ok(self.doc.save_incremental())
    }

    fn save(&mut self) -> Result<Vec<u8>> {
        Ok(self.doc.save_nocompress())
    }

    fn load(bytes: &[u8]) -> Result<Automerge> {
        let doc = AutoCommit::load(bytes)?.with_actor(ActorId::from([2]));
        let list = list_of(&doc)?;
        Ok(Automerge { doc, list })
    }

    fn apply(&mut self, update: &[u8]) -> Result<()> {
        self.doc.load_incremental(update)?;
        Ok(())
    }

    fn pull(&mut self, other: &mut Automerge) -> Result<Exchange> {
        let (mut here, mut there) = (State::new(), State::new());
        let mut exchange = Exchange {
            bytes: 0,
            round_trips: 0,
        };
        while self.doc.get_heads() != other.doc.get_heads() {
            exchange.round_trips += 1;
            if let Some(question) = self.doc.sync().generate_sync_message(&mut here) {
                exchange.bytes += question.clone().encode().len();
                other.doc.sync().receive_sync_message(&mut there, question)?;
            }
            if let Some(answer) = other.doc.sync().generate_sync_message(&mut there) {
                exchange.bytes += answer.clone().encode().len();
                self.doc.sync().receive_sync_message(&mut here, answer)?;
            }
            ensure!(exchange.round_trips < 10, "automerge does not come to an end");
        }
        Ok(exchange)
    }
}

/// loro.
pub(crate) struct Loro {
    doc: LoroDoc,
    before: loro::VersionVector,
}

impl Peer for Loro {
    const NAME: &str = "loro";

    fn new() -> Result<Loro> {
        let doc = LoroDoc::new();
        doc.set_peer_id(1)?;
        let before = doc.oplog_vv();
        Ok(Loro { doc, before })
    }

    fn append<'a>(&mut self, items: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        self.before = self.doc.oplog_vv();
        let list = self.doc.get_list("facts");
        for item in items {
            list.push(LoroValue::from(item.to_vec()))?;
        }
        self.doc.commit();
        Ok(())
    }

    fn length(&self) -> usize {
        self.doc.get_list("facts").len()
    }

    fn update(&mut self) -> Result<Vec<u8>> {
        Ok(self.doc.export(ExportMode::updates(&self.before))?)
    }

    fn save(&mut self) -> Result<Vec<u8>> {
        Ok(self.doc.export(ExportMode::all_updates())?)
    }

    fn load(bytes: &[u8]) -> Result<Loro> {
        let doc = LoroDoc::new();
        doc.set_peer_id(2)?;
        doc.import(bytes)?;
        let before = doc.oplog_vv();
        Ok(Loro { doc, before })
    }

    fn apply(&mut self, update: &[u8]) -> Result<()> {
        self.doc.import(update)?;
        Ok(())
    }

    fn pull(&mut self, other: &mut Loro) -> Result<Exchange> {
        let question = self.doc.oplog_vv().encode();
        let known = loro::VersionVector::decode(&question)?;
        let answer = other.doc.export(ExportMode::updates(&known))?;
        self.apply(&answer)?;
        Ok(Exchange {
            bytes: question.len() + answer.len(),
            round_trips: 1,
        })
    }
}

/// yrs, in the second version of its encoding, which is the smaller one.
pub(crate) struct Yrs {
    doc: Doc,
    list: ArrayRef,
    before: StateVector,
}

impl Yrs {
    fn with_id(id: u64) -> Yrs {
        let doc = Doc::with_client_id(id);
        let list = doc.get_or_insert_array("facts");
        Yrs {
            doc,
            list,
            before: StateVector::default(),
        }
    }

    fn since(&self, known: &StateVector) -> Vec<u8> {
        self.doc.transact().encode_state_as_update_v2(known)
    }
}

impl Peer for Yrs {
    const NAME: &str = "yrs";

    fn new() -> Result<Yrs> {
        Ok(Yrs::with_id(1))
    }

    fn append<'a>(&mut self, items: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        self.before = self.doc.transact().state_vector();
        let at = self.length() as u32;
        let mut transaction = self.doc.transact_mut();
        self.list.insert_range(&mut transaction, at, items.map(Any::from));
        Ok(())
    }

    fn length(&self) -> usize {
        self.list.len(&self.doc.transact()) as usize
    }

    fn update(&mut self) -> Result<Vec<u8>> {
        Ok(self.since(&self.before))
    }

    fn save(&mut self) -> Result<Vec<u8>> {
        Ok(self.since(&StateVector::default()))
    }

    fn load(bytes: &[u8]) -> Result<Yrs> {
        let mut own = Yrs::with_id(2);
        own.apply(bytes)?;
        Ok(own)
    }

    fn apply(&mut self, update: &[u8]) -> Result<()> {
        self.doc.transact_mut().apply_update(Update::decode_v2(update)?)?;
        Ok(())
    }

    fn pull(&mut self, other: &mut Yrs) -> Result<Exchange> {
        let question = self.doc.transact().state_vector().encode_v1();
        let answer = other.since(&StateVector::decode_v1(&question)?);
        self.apply(&answer)?;
        Ok(Exchange {
            bytes: question.len() + answer.len(),
            round_trips: 1,
        })
    }
}
