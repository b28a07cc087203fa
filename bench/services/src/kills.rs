//! Single agents are killed at random, each a host of its own, while a client asks; what fails it asks another agent, once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use eqmesh_workloads::row::Row;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::http::Http;
use crate::processes::{Host, manifest};

const AGENTS: u32 = 9;

const KILLS: u32 = 40;

/// How many clients ask, each of them 50 times a second at most.
const CLIENTS: u64 = 8;

/// The application with one of the agents alone. The source of its component stays as it is written, by which the program has it.
fn manifest_of(number: u32) -> Result<String> {
    let mut manifest: toml::Table = std::fs::read_to_string(manifest())?.parse()?;
    let name = format!("agent{number}");
    let components = manifest["component"]
        .as_table_mut()
        .context("a manifest has components")?;
    components.retain(|own, _| *own == name);
    let triggers = manifest["trigger"]["http"]
        .as_array_mut()
        .context("a manifest has triggers")?;
    triggers.retain(|trigger| trigger["component"].as_str() == Some(&name));
    Ok(toml::to_string(&manifest)?)
}

/// The n-th number of a sequence that looks random, and is the same every time.
fn random(n: u64) -> u64 {
    let mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 32).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33
}

/// How many of the questions were answered.
pub(crate) async fn rows(program: &Path) -> Result<Vec<Row>> {
    let http = Http::new();
    let folders: Vec<tempfile::TempDir> = (0..AGENTS).map(|_| tempfile::tempdir()).collect::<Result<_, _>>()?;
    let mut hosts = Vec::new();
    for (number, folder) in (0..AGENTS).zip(&folders) {
        let own = folder.path().join("spin.toml");
        std::fs::write(&own, manifest_of(number)?)?;
        let mut host = Host::start(program, &own, folder.path(), &["--no-carrier"])?;
        host.answers(&http, number).await?;
        hosts.push(host);
    }
    let urls: Arc<Vec<String>> = Arc::new(
        (0..AGENTS)
            .zip(&hosts)
            .map(|(number, host)| format!("{}/state", host.agent(number)))
            .collect(),
    );
    let (stop, retried) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (http, urls, stop, retried) = (http.clone(), urls.clone(), stop.clone(), retried.clone());
        clients.spawn(async move {
            let (mut asked, mut answered) = (0u64, 0u64);
            while !stop.load(Ordering::Relaxed) {
                let at = random(client << 32 | asked) as usize % urls.len();
                asked += 1;
                let mut answer = http.time(&urls[at]).await;
                if answer.is_none() {
                    retried.fetch_add(1, Ordering::Relaxed);
                    answer = http.time(&urls[(at + 1) % urls.len()]).await;
                }
                answered += u64::from(answer.is_some());
                sleep(Duration::from_millis(20)).await;
            }
            (asked, answered)
        });
    }
    for kill in 0..KILLS {
        sleep(Duration::from_millis(300 + random(u64::from(kill)) % 400)).await;
        let victim = random(u64::from(kill) << 16) as usize % hosts.len();
        hosts[victim].kill();
        sleep(Duration::from_millis(random(u64::from(kill) << 8) % 400)).await;
        hosts[victim].restart()?;
        // One at a time: what is started again has to come back before the next one dies.
        hosts[victim].answers(&http, victim as u32).await?;
    }
    stop.store(true, Ordering::Relaxed);
    let (asked, answered) = clients
        .join_all()
        .await
        .into_iter()
        .fold((0, 0), |sum, own| (sum.0 + own.0, sum.1 + own.1));
    Ok(vec![
        Row::told("kills/asked", asked as f64, "questions"),
        Row::told("kills/retried", retried.load(Ordering::Relaxed) as f64, "questions"),
        Row::told("kills/availability", 100.0 * answered as f64 / asked as f64, "percent").at_least(99.99),
    ])
}
