//! One request at a time in one instance.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::Instrument as _;
use wasmtime::component::ResourceTable;
use wasmtime::{PoolConcurrencyLimitError, Store, UpdateDeadline};
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi_http::p2::bindings::http::types::{ErrorCode, Scheme};
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpCtx, WasiHttpView as _};

use crate::body::Limited;
use crate::gate::Permit;
use crate::guest::Guest;
use crate::host::{Service, Shared, full};
use crate::idle::Ready;
use crate::limits::Memory;
use crate::metrics::Limit;
use crate::outgoing::Outgoing;
use crate::output::Output;
use crate::problem::{self, bad_request, busy, no_memory, problem};

/// How an instance ended.
type Ended = wasmtime::Result<()>;

/// Lets an instance answer a request, one that waits if there is any; comes back with the answer, or with its head while the instance goes on writing the body.
///
/// An instance is not stopped when its client goes away: it may be in the middle of a change.
pub(crate) async fn run(
    host: &Arc<Shared>,
    service: &Service,
    request: Request<WasiBody>,
    depth: usize,
    traceparent: HeaderValue,
    permits: (Permit, Option<Permit>),
) -> Response<WasiBody> {
    let too_large = Arc::new(AtomicBool::new(false));
    let request = request.map(|body| Limited::new(body, host.limits.body, &too_large).boxed_unsync());
    if host.memory.scarce() {
        host.clear();
    }
    let path: Box<str> = request.uri().path().into();
    let (mut store, waited) = match service.idle.take(&path, service.gate.free()) {
        Some(ready) => (ready.store, Some((ready.proxy, ready.answered))),
        None => {
            let Some(memory) = host.memory_for(service, depth).await else {
                host.metrics.refused(&service.id, Limit::MemoryInAll);
                tracing::warn!("no instance is made: {}", used_up(host, Limit::MemoryInAll));
                return no_memory();
            };
            let mut store = Store::new(&host.engine, guest(host, service, memory));
            store.limiter(|guest| &mut guest.memory);
            (store, None)
        }
    };
    store.data_mut().outgoing.depth = depth;
    store.data_mut().outgoing.traceparent = traceparent;
    store.set_epoch_deadline(1);
    // Whoever computes for long lets others run at each tick; that is also where it can be stopped.
    let yielded = Arc::new(AtomicBool::new(false));
    let computes = Arc::clone(&yielded);
    store.epoch_deadline_callback(move |_| {
        computes.store(true, Ordering::Relaxed);
        Ok(UpdateDeadline::Yield(1))
    });

    let (head_sender, head) = oneshot::channel();
    let resources = store
        .data_mut()
        .http()
        .new_incoming_request(Scheme::Http, request)
        .and_then(|request| {
            let answer = store.data_mut().http().new_response_outparam(head_sender)?;
            Ok((request, answer))
        });
    let (request, outparam) = match resources {
        Ok(resources) => resources,
        Err(error) => {
            tracing::error!("the request cannot be given to the component: {error:#}");
            return bad_request("the request is not well formed");
        }
    };

    let pre = service.pre.clone();
    let idle = service.idle.clone();
    let all = Arc::clone(host);
    let component = Arc::clone(&service.id);
    let failed = Arc::new(AtomicBool::new(false));
    let broken = Arc::clone(&failed);
    let refused = Arc::clone(&store.data().memory.refused);
    let instance = async move {
        let result = async {
            let (proxy, answered) = match waited {
                Some(waited) => waited,
                None => {
                    all.metrics.made(&component);
                    (instantiate(&all, &pre, &mut store).await?, 0)
                }
            };
            let handler = proxy.wasi_http_incoming_handler();
            handler.call_handle(&mut store, request, outparam).await?;
            Ok((proxy, answered + 1))
        };
        let result = result.await;
        if result.is_err() {
            broken.store(true, Ordering::Release);
        }
        result.map(|(proxy, answered)| {
            // What still holds something of the host's may hold more with every request.
            let clean = store.data().memory.refused.get().is_none() && store.data().table.is_empty();
            if clean && answered < all.limits.reuse && !all.memory.scarce() {
                store.data_mut().memory.settle();
                let ready = Ready {
                    store,
                    proxy,
                    answered,
                    path,
                };
                idle.put(ready, all.limits.idle);
            }
        })
    };
    let running = host.metrics.instance(&service.id);
    let (answer_sender, answer) = oneshot::channel();
    let task = Task {
        host: Arc::clone(host),
        component: Arc::clone(&service.id),
        too_large,
        refused,
        failed,
        yielded,
    };
    let task = async move {
        task.drive(instance, head, answer_sender).await;
        drop((running, permits));
    };
    let answered = Inline::new(task.in_current_span()).until(answer).await;
    answered.unwrap_or_else(|_| problem::failed("the host failed"))
}

/// Work that goes on in the task that waits for it, which spares another task and its waking, and in a task of its own once nobody waits any more.
struct Inline {
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    runtime: Handle,
}

impl Inline {
    /// To be called within a runtime.
    fn new(work: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            // As in a task of its own, a panic ends the work and not who waits for it.
            work: Some(Box::pin(AssertUnwindSafe(work).catch_unwind().map(drop))),
            runtime: Handle::current(),
        }
    }

    /// What the work sends, as soon as it does; an error if it ends, or panics, without.
    async fn until<T>(mut self, mut sent: oneshot::Receiver<T>) -> Result<T, oneshot::error::RecvError> {
        poll_fn(|context| {
            if let Some(work) = &mut self.work
                && work.as_mut().poll(context).is_ready()
            {
                self.work = None;
            }
            Pin::new(&mut sent).poll(context)
        })
        .await
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.runtime.spawn(work);
        }
    }
}

async fn instantiate(host: &Shared, pre: &ProxyPre<Guest>, store: &mut Store<Guest>) -> wasmtime::Result<Proxy> {
    match pre.instantiate_async(&mut *store).await {
        Err(error) if error.is::<PoolConcurrencyLimitError>() => {
            // Those that wait have the room that this one needs.
            host.clear();
            pre.instantiate_async(store).await
        }
        made => made,
    }
}

fn guest(host: &Arc<Shared>, service: &Service, memory: Memory) -> Guest {
    let mut wasi = WasiCtx::builder();
    wasi.stdout(Output::new(&service.id, "stdout"))
        .stderr(Output::new(&service.id, "stderr"));
    for (name, value) in &service.environment {
        wasi.env(name, value);
    }
    Guest {
        table: ResourceTable::new(),
        wasi: wasi.build(),
        http: WasiHttpCtx::new(),
        outgoing: Outgoing {
            host: Arc::downgrade(host),
            component: Arc::clone(&service.id),
            depth: 0,
            traceparent: HeaderValue::from_static(""),
        },
        stores: service.stores.clone(),
        variables: Arc::clone(&service.variables),
        memory,
    }
}

type Head = Result<Response<WasiBody>, ErrorCode>;

/// A request that runs.
struct Task {
    host: Arc<Shared>,
    component: Arc<str>,
    too_large: Arc<AtomicBool>,
    /// The limit at which the instance was refused memory.
    refused: Arc<OnceLock<Limit>>,
    /// Set before the store of an instance that failed is dropped.
    failed: Arc<AtomicBool>,
    /// Set when the instance gave way in the middle of a computation, as opposed to waiting for something.
    yielded: Arc<AtomicBool>,
}

/// How often an instance that has begun its answer may give way before the answer is taken to be a stream.
const YIELDS: usize = 20;

/// How far an instance is.
enum First {
    /// It has ended, with an answer or without.
    Ended(Ended, Option<Head>),
    /// It has begun an answer, and waits.
    Begun(Head),
}

impl Task {
    async fn drive(
        &self,
        instance: impl Future<Output = Ended>,
        mut head: oneshot::Receiver<Head>,
        answer: oneshot::Sender<Response<WasiBody>>,
    ) {
        let limits = &self.host.limits;
        let mut instance = pin!(instance);
        // Most instances are done without waiting for anything after they began to answer. Then their bodies are known as a whole before anything is
        // sent, whether or not a tick came in between.
        let mut begun = None;
        let mut yields = 0;
        let first = poll_fn(|context| {
            let ended = instance.as_mut().poll(context);
            // Only the instance itself sends the head, so nothing else has to wake this task.
            if begun.is_none() {
                begun = head.try_recv().ok();
            }
            if let Poll::Ready(ended) = ended {
                return Poll::Ready(First::Ended(ended, begun.take()));
            }
            let computes = self.yielded.swap(false, Ordering::Relaxed);
            if begun.is_some() && computes && yields < YIELDS {
                yields += 1;
                return Poll::Pending;
            }
            begun
                .take()
                .map_or(Poll::Pending, |head| Poll::Ready(First::Begun(head)))
        });
        // Whoever asked may have gone: then the answer is dropped, and what the instance did stands.
        let streamed = match timeout(limits.time, first).await {
            Ok(First::Ended(ended, head)) => {
                let _ = answer.send(self.whole(ended, head).await);
                return;
            }
            Ok(First::Begun(Ok(_))) if self.too_large.load(Ordering::Relaxed) => self.body_too_large(),
            Ok(First::Begun(head)) if self.lacked_memory(Some(&head)) => no_memory(),
            Ok(First::Begun(Ok(response))) => response.map(|body| {
                let failed = Arc::clone(&self.failed);
                Streamed { body, failed }.boxed_unsync()
            }),
            Ok(First::Begun(Err(code))) => failed(&code),
            Err(_) => {
                self.host.metrics.refused(&self.component, Limit::Time);
                tracing::error!("stopped: no answer after {:?}", limits.time);
                let late = problem(StatusCode::GATEWAY_TIMEOUT, "#timeout", "the component took too long");
                let _ = answer.send(late);
                return;
            }
        };
        let _ = answer.send(streamed);
        match timeout(limits.stream_time, instance.as_mut()).await {
            Ok(ended) => self.log(&ended),
            Err(_) => {
                self.failed.store(true, Ordering::Release);
                self.host.metrics.refused(&self.component, Limit::Time);
                tracing::error!("stopped: the answer did not end within {:?}", limits.stream_time);
            }
        }
    }

    /// The answer of an instance that has ended.
    async fn whole(&self, ended: Ended, head: Option<Head>) -> Response<WasiBody> {
        self.log(&ended);
        if self.too_large.load(Ordering::Relaxed) {
            return self.body_too_large();
        }
        if let Err(error) = &ended {
            if error.is::<PoolConcurrencyLimitError>() {
                self.host.metrics.refused(&self.component, Limit::Concurrency);
                return busy("too many instances run");
            }
            // Nothing was sent yet, so the client need not guess from half an answer.
            return if self.lacked_memory(None) {
                no_memory()
            } else {
                problem::failed("the component failed")
            };
        }
        if self.lacked_memory(head.as_ref()) {
            return no_memory();
        }
        let response = match head {
            Some(Ok(response)) => response,
            Some(Err(code)) => return failed(&code),
            None => return problem::failed("the component did not answer"),
        };
        let (parts, body) = response.into_parts();
        match body.collect().await {
            Ok(body) if body.trailers().is_none() => Response::from_parts(parts, full(body.to_bytes())),
            Ok(body) => Response::from_parts(parts, body.map_err(|never| match never {}).boxed_unsync()),
            Err(error) => {
                tracing::error!("the component did not complete its answer: {error}");
                problem::failed("the component did not complete its answer")
            }
        }
    }

    fn body_too_large(&self) -> Response<WasiBody> {
        self.host.metrics.refused(&self.component, Limit::Body);
        problem::too_large(self.host.limits.body)
    }

    /// Whether an instance failed, or says that something did, since all instances together had no more memory: it cannot know that trying again helps. An answer of success stands, as does what
    /// the instance did for it.
    fn lacked_memory(&self, head: Option<&Head>) -> bool {
        let succeeded = head.is_some_and(|head| {
            let status = head.as_ref().map(Response::status);
            status.is_ok_and(|status| status.is_success() || status.is_redirection())
        });
        !succeeded && self.refused.get() == Some(&Limit::MemoryInAll)
    }

    fn log(&self, ended: &Ended) {
        if let Some(limit) = self.refused.get() {
            self.host.metrics.refused(&self.component, *limit);
            tracing::warn!("the component was refused memory: {}", used_up(&self.host, *limit));
        }
        if let Err(error) = ended {
            tracing::error!("the component failed: {error:?}");
        }
    }
}

/// The component answered that it failed.
fn failed(code: &ErrorCode) -> Response<WasiBody> {
    tracing::error!("the component answered with an error: {code:?}");
    problem::failed("the component failed")
}

/// Which of the two limits on memory was met.
fn used_up(host: &Shared, limit: Limit) -> String {
    match limit {
        Limit::MemoryInAll => format!(
            "all instances together would have more than they may ({} bytes)",
            host.limits.memory_in_all
        ),
        _ => format!("an instance may have {} bytes", host.limits.memory),
    }
}

/// The body of an answer that an instance goes on writing.
///
/// The body of wasi-http ends as if it were complete when its store is dropped; of an instance that failed it is not.
struct Streamed {
    body: WasiBody,
    failed: Arc<AtomicBool>,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() && self.failed.swap(false, Ordering::Acquire) {
            return Poll::Ready(Some(Err(Error::HttpResponseIncomplete)));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && !self.failed.load(Ordering::Acquire)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_work_that_panics_is_told_so() {
        let (sender, sent) = oneshot::channel::<()>();
        let work = async move {
            let _sender = sender;
            panic!("on purpose");
        };
        assert!(Inline::new(work).until(sent).await.is_err());
    }

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_any_more() {
        let (sender, sent) = oneshot::channel();
        let (begin, begun) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let work = async move {
            let _ = sender.send("a beginning");
            let _ = begun.await;
            let _ = end.send("the end");
        };
        // Dropped with what it waited for, and before it has waited at all.
        assert_eq!(Inline::new(work).until(sent).await, Ok("a beginning"));
        begin.send(()).unwrap();
        assert_eq!(ended.await, Ok("the end"));

        let (end, ended) = oneshot::channel();
        drop(Inline::new(async move { end.send("the end").unwrap() }));
        assert_eq!(ended.await, Ok("the end"));
    }
}
