//! What one agent with a large e-graph answers, keeps and needs.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use eqmesh_workloads::row::{Row, median};

use crate::http::Http;
use crate::processes::{Host, manifest};

/// How many e-nodes the state has that is asked after.
const LARGE: usize = 100_000;

const SMALL: usize = 1_000;

/// A program of so many e-nodes, each over the one before.
fn chain(enodes: usize) -> String {
    let depth = enodes - 1;
    let mut text = String::with_capacity(5 * enodes + 100);
    text.push_str("(datatype Nat (Zero) (Succ Nat))\n(let chain ");
    (0..depth).for_each(|_| text.push_str("(Succ "));
    text.push_str("(Zero)");
    (0..depth).for_each(|_| text.push(')'));
    text.push_str(")\n");
    text
}

/// A host whose agent 0 holds so many e-nodes; with nine agents that exchange, unless it is told otherwise.
async fn loaded(program: &Path, folder: &Path, http: &Http, enodes: usize, more: &[&str]) -> Result<Host> {
    let mut host = Host::start(program, &manifest(), folder, more)?;
    host.answers(http, 0).await?;
    http.submit(&host.agent(0), chain(enodes)).await?;
    let state = http.json(&format!("{}/state", host.agent(0))).await?;
    ensure!(state["enodes"] == enodes, "agent 0 has {} e-nodes", state["enodes"]);
    Ok(host)
}

/// Waits until all nine agents have it, and have worked it off.
async fn spread(host: &Host, http: &Http, enodes: usize) -> Result<()> {
    let start = Instant::now();
    loop {
        let status = http.json(&format!("{}/status", host.url())).await?;
        let all = status["agents"].as_array().context("a status has agents")?;
        if status["converged"] == true && all.iter().all(|agent| agent["enodes"] == enodes) {
            return Ok(());
        }
        ensure!(
            start.elapsed() < Duration::from_mins(3),
            "it does not converge: {status:#}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// 500 questions a second after a state of 100,000 e-nodes: while nothing else goes on, and while nine agents hold it and tell each other every second that they do.
pub(crate) async fn steady(program: &Path) -> Result<Vec<Row>> {
    const EACH_SECOND: u32 = 500;
    const DURATION: Duration = Duration::from_secs(10);
    let http = Http::new();
    let mut rows = Vec::new();
    for (name, more) in [("alone", &["--no-carrier"][..]), ("nine", &[][..])] {
        let folder = tempfile::tempdir()?;
        let host = loaded(program, folder.path(), &http, LARGE, more).await?;
        if more.is_empty() {
            spread(&host, &http, LARGE).await?;
        }
        let url = format!("{}/state", host.agent(0));
        http.steadily(&url, EACH_SECOND, Duration::from_secs(1)).await;
        let latencies = http.steadily(&url, EACH_SECOND, DURATION).await;
        let name = format!("state/{name}");
        rows.extend([
            Row::told(format!("{name}/rate"), latencies.rate(), "answers per second")
                .at_least(0.98 * f64::from(EACH_SECOND)),
            Row::told(format!("{name}/errors"), latencies.errors as f64, "requests").at_most(0.0),
            Row::told(format!("{name}/p50"), latencies.millis(0.5), "ms"),
            Row::told(format!("{name}/p95"), latencies.millis(0.95), "ms").at_most(2.0),
            Row::told(format!("{name}/p99"), latencies.millis(0.99), "ms").at_most(5.0),
        ]);
    }
    Ok(rows)
}

/// What an agent stores for a thousand e-nodes and for a hundred thousand.
pub(crate) async fn storage(program: &Path) -> Result<Vec<Row>> {
    let http = Http::new();
    let mut rows = Vec::new();
    for (enodes, kilobytes) in [(SMALL, 50.0), (LARGE, 1000.0)] {
        let folder = tempfile::tempdir()?;
        let host = loaded(program, folder.path(), &http, enodes, &["--no-carrier"]).await?;
        let state = http.json(&format!("{}/state", host.agent(0))).await?;
        let stored = state["stored_bytes"].as_f64().context("a state tells what is stored")?;
        rows.push(Row::told(format!("storage/{enodes}"), stored / 1e3, "kB").at_most(kilobytes));
    }
    Ok(rows)
}

/// From a host that is up to its first answer, from nothing to that, and what of a request is an instance's: one that waits for it, and one of its own.
pub(crate) async fn cold(program: &Path) -> Result<Vec<Row>> {
    const STARTS: usize = 9;
    let http = Http::new();
    let folder = tempfile::tempdir()?;
    let mut host = Host::start(program, &manifest(), folder.path(), &["--no-carrier"])?;
    // Compiles what is not in the cache yet.
    host.answers(&http, 0).await?;
    let address = host.url().replace("http://", "");
    let (mut answers, mut starts) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        host.kill();
        let start = Instant::now();
        host.restart()?;
        while std::net::TcpStream::connect(&address).is_err() {
            ensure!(start.elapsed() < Duration::from_mins(1), "the host does not start");
            std::thread::sleep(Duration::from_millis(1));
        }
        let up = Instant::now();
        // Another client, without connections that are gone.
        Http::new()
            .time(&format!("{}/state", host.agent(0)))
            .await
            .context("no answer after a start")?;
        answers.push(up.elapsed().as_secs_f64() * 1e3);
        starts.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let (request, own_page) = median_requests(&host).await?;
    host.kill();
    let mut host = Host::start(program, &manifest(), folder.path(), &["--no-carrier", "--reuse", "1"])?;
    host.answers(&http, 0).await?;
    let (fresh, fresh_page) = median_requests(&host).await?;
    Ok(vec![
        Row::told("cold/first-answer", median(answers), "ms").at_most(20.0),
        Row::told("cold/from-nothing", median(starts), "ms"),
        Row::told("cold/request", request, "ms"),
        Row::told("cold/request/host", own_page, "ms"),
        Row::told("cold/request/instance", request - own_page, "ms").at_most(0.2),
        Row::told("cold/request/instance-of-its-own", fresh - fresh_page, "ms"),
    ])
}

/// How long all of a request takes that does next to nothing, one after the other, of an agent and of a page that the host answers without an instance: in milliseconds. The client is one
/// thread, which has none to wake but the host.
async fn median_requests(host: &Host) -> Result<(f64, f64)> {
    const REQUESTS: usize = 2_000;
    let urls = [
        format!("{}/health", host.agent(0)),
        format!("{}/.well-known/spin/health", host.url()),
    ];
    let requests = async move {
        let http = Http::new();
        let mut each = [Vec::new(), Vec::new()];
        // In turn, so that whatever else the machine does concerns both.
        for _ in 0..REQUESTS {
            for (url, each) in urls.iter().zip(&mut each) {
                each.push(http.time(url).await.context("no answer")?.as_secs_f64() * 1e3);
            }
        }
        let [agent, page] = each;
        anyhow::Ok((median(agent), median(page)))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::spawn_blocking(move || runtime.block_on(requests)).await?
}

/// One client, then ever more, who ask the same; and a crowd in which each asks something of its own, so that no two can be answered together.
pub(crate) async fn spike(program: &Path) -> Result<Vec<Row>> {
    const DURATION: Duration = Duration::from_secs(5);
    let http = Http::new();
    let folder = tempfile::tempdir()?;
    let host = loaded(program, folder.path(), &http, SMALL, &["--no-carrier"]).await?;
    let url = format!("{}/state", host.agent(0));
    let mut rows = Vec::new();
    for (clients, same) in [(1, true), (10, true), (100, true), (1000, true), (1000, false)] {
        let latencies = Http::crowd(&url, clients, same, DURATION).await;
        let name = format!("spike/{clients}{}", if same { "" } else { "/own" });
        let p99 = Row::told(format!("{name}/p99"), latencies.millis(0.99), "ms");
        rows.extend([
            Row::told(format!("{name}/rate"), latencies.rate(), "answers per second"),
            Row::told(format!("{name}/errors"), latencies.errors as f64, "requests").at_most(0.0),
            if same { p99.at_most(100.0) } else { p99 },
        ]);
    }
    let process = host.process.as_ref().context("the host runs")?;
    rows.push(Row::told("spike/peak-memory", process.peak_memory()? as f64 / 1e6, "MB").at_most(1000.0));
    Ok(rows)
}
