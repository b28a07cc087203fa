//! Traces to an OpenTelemetry collector: OTLP over HTTP, in batches, from a thread of the SDK.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::host::full;
use crate::log::LogError;
use crate::outgoing::{NetworkClient, network_client};
use crate::trace::TraceContext;

/// How long the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer of a collector that is read.
const ANSWER: usize = 1 << 20;

/// Sends the SDK's batches by the client that components' requests use. The SDK runs on a thread without a runtime.
#[derive(Debug)]
struct Collector {
    runtime: Handle,
    client: NetworkClient,
}

#[wasmtime_wasi::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let exchange = async move {
            let response = client.request(request.map(full)).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(parts, body))
        };
        self.runtime.spawn(tokio::time::timeout(PATIENCE, exchange)).await??
    }
}

/// What sends traces. Must be made where a tokio runtime is entered.
pub(crate) fn provider(url: &str) -> Result<SdkTracerProvider, LogError> {
    let client = Collector {
        runtime: Handle::current(),
        client: network_client(),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(url)
        .build();
    let exporter = exporter.map_err(|error| LogError::Traces(error.to_string()))?;
    let resource = Resource::builder().with_service_name("eqmesh").build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(
    provider: &SdkTracerProvider,
) -> OpenTelemetryLayer<S, opentelemetry_sdk::trace::SdkTracer> {
    tracing_opentelemetry::layer().with_tracer(provider.tracer("eqmesh-host"))
}

/// Makes a span follow the hop before it; answers the span's own hop, if spans are sent at all.
pub(crate) fn follow(span: &tracing::Span, before: Option<TraceContext>) -> Option<TraceContext> {
    if let Some(before) = before {
        let (trace, parent, flags) = before.parts();
        let remote = SpanContext::new(
            TraceId::from_bytes(trace.to_be_bytes()),
            SpanId::from_bytes(parent.to_be_bytes()),
            TraceFlags::new(flags),
            true,
            TraceState::default(),
        );
        // Without a collector there is nothing to set it on.
        let _ = span.set_parent(Context::new().with_remote_span_context(remote));
    }
    let context = span.context();
    let own = context.span().span_context().clone();
    own.is_valid().then(|| {
        let trace = u128::from_be_bytes(own.trace_id().to_bytes());
        let span = u64::from_be_bytes(own.span_id().to_bytes());
        TraceContext::from_parts(trace, span, own.trace_flags().to_u8())
    })
}
