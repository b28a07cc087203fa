//! `eqmesh run FILE --serve`: a program on a network of its own, all of it in one process.

use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::processes::text;

const PROGRAM: &str = "(datatype Math (Num i64) (Add Math Math))
(rewrite (Add a b) (Add b a) :name \"swap\")
(rewrite (Add (Num a) (Num b)) (Num (+ a b)) :name \"add\")
(let sum (Add (Num 1) (Add (Num 2) (Num 3))))
(run 10)
(extract sum)
(check (= sum (Num 6)))
(explain sum (Num 6))
";

/// It never comes to an end.
const GROWING: &str = "(datatype Math (Num i64) (Succ Math))
(rewrite (Num n) (Num (+ n 1)) :name \"grow\")
(let start (Num 0))
(run 10)
(check (= start (Num 1)))
";

/// Compiling the agents for the first time takes a minute where somebody else is busy, too.
const PATIENCE: Duration = Duration::from_mins(4);

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eqmesh"));
    command
        .arg("run")
        .args(arguments)
        .current_dir(folder)
        .env("TMPDIR", folder.join("tmp"))
        .env("NO_COLOR", "1")
        .env_remove("EQMESH_AGENTS")
        .stdin(Stdio::null());
    command
}

/// A folder with a program, and one for what is temporary.
fn folder(program: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("program.egg"), program).unwrap();
    std::fs::create_dir(folder.path().join("tmp")).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What a process has said so far. It is read all the time, so that nothing waits for somebody to read it.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<String>>);

impl Said {
    fn of(stream: impl Read + Send + 'static) -> Said {
        let said = Said::default();
        let own = said.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let mut text = own.0.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        });
        said
    }

    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// A program that is served. Killed when this is dropped.
struct Live {
    child: Child,
    out: Said,
    err: Said,
    url: String,
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Live {
    /// Starts, and waits until it says where the dashboard is.
    fn start(folder: &Path, arguments: &[&str]) -> Live {
        let mut command = command(
            folder,
            &[&["program.egg", "--serve", "127.0.0.1:0"], arguments].concat(),
        );
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (
            Said::of(child.stdout.take().unwrap()),
            Said::of(child.stderr.take().unwrap()),
        );
        let mut live = Live {
            child,
            out,
            err,
            url: String::new(),
        };
        live.url = live.wait("where the dashboard is", |live| {
            let said = live.err.text();
            let url = said.split_once("the dashboard is at ")?.1;
            Some(url.split_once("/ until Ctrl-C")?.0.to_owned())
        });
        live
    }

    /// Waits for something while the process lives.
    fn wait<T>(&mut self, what: &str, look: impl Fn(&Live) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && start.elapsed() < PATIENCE,
                "not yet: {what} ({ended:?})\n{}\n{}",
                self.out.text(),
                self.err.text()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let configuration = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(30)))
            .build();
        let agent: ureq::Agent = configuration.into();
        let mut response = agent.get(format!("{}{path}", self.url)).call().unwrap();
        (
            response.status().as_u16(),
            response.body_mut().read_to_string().unwrap(),
        )
    }

    /// Ctrl-C, and what comes of it.
    fn interrupt(&mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < Duration::from_mins(1), "{}", self.err.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn port(&self) -> u16 {
        self.url.rsplit_once(':').unwrap().1.parse().unwrap()
    }
}

#[cfg(unix)]
#[test]
fn a_program_is_answered_and_served_until_ctrl_c_and_leaves_nothing() {
    let folder = folder(PROGRAM);
    // Fewer agents come sooner to an end; the page, the status and the answers have as many as were asked for.
    let mut live = Live::start(folder.path(), &["--agents", "4"]);
    let (status, page) = live.get("/");
    assert_eq!(status, 200);
    assert!(
        page.contains("/assets/app.js") && page.contains("<html lang=\"en\">"),
        "{page}"
    );
    assert_eq!(live.get("/assets/app.js").0, 200);
    assert_eq!(live.get("/agent/3/state").0, 200);
    assert_eq!(live.get("/agent/4/state").0, 404);

    live.wait("the answers", |live| {
        live.out.text().contains("  meaning ").then_some(())
    });
    let answers = live.out.text();
    for answer in [
        "line 6: extract sum\n    (Num 6)  (cost 1)\n",
        "line 7: check (= sum (Num 6)): holds\n",
        "line 8: explain sum = (Num 6)\n",
        "by add (agent ",
        "4 agents agree: ",
    ] {
        assert!(answers.contains(answer), "{answer} is not in\n{answers}");
    }
    assert!(live.err.text().contains("1 commands that run something are left out"));
    let (status, document) = live.get("/status");
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!((status, &document["converged"]), (200, &true.into()));
    let agents = document["agents"].as_array().unwrap();
    assert_eq!(agents.len(), 4);
    for agent in agents {
        assert!(answers.contains(agent["meaning_digest"].as_str().unwrap()), "{answers}");
    }
    // It goes on, with its state in a folder of its own,
    assert_eq!(names(&folder.path().join("tmp")).len(), 1);
    let port = live.port();
    let ended = live.interrupt();
    assert_eq!(ended.code(), Some(0), "{}", live.err.text());
    // and that goes away with it, as does the address.
    assert_eq!(names(&folder.path().join("tmp")), Vec::<String>::new());
    assert_eq!(names(folder.path()), ["program.egg", "tmp"]);
    assert_eq!(live.out.text(), answers);
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}

#[cfg(unix)]
#[test]
fn whoever_ends_it_before_the_answers_is_told_so() {
    let folder = folder(GROWING);
    let mut live = Live::start(folder.path(), &["--agents", "3", "--node-limit", "200"]);
    live.wait("all that is allowed is derived", |live| {
        let status: Value = serde_json::from_str(&live.get("/status").1).unwrap();
        (status["agents"][0]["limited"] == true).then_some(())
    });
    let ended = live.interrupt();
    assert_eq!(ended.code(), Some(1), "{}", live.err.text());
    assert!(live.err.text().contains("ended before the network had converged"));
    assert_eq!(live.out.text(), "");
    assert_eq!(names(&folder.path().join("tmp")), Vec::<String>::new());
}

#[test]
fn what_cannot_be_served_is_said() {
    let folder = folder(PROGRAM);
    let refused = |arguments: &[&str]| -> Output {
        let output = command(folder.path(), arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
        assert_eq!(names(&folder.path().join("tmp")), Vec::<String>::new());
        output
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let busy = text(&refused(&["program.egg", "--serve", &address]).stderr);
    assert!(
        busy.contains(&format!("cannot listen on {address}")) && busy.contains("--serve 127.0.0.1:0"),
        "{busy}"
    );
    let absent = text(&refused(&["absent.egg", "--serve", "127.0.0.1:0"]).stderr);
    assert!(absent.contains("absent.egg"), "{absent}");
    std::fs::write(
        folder.path().join("wrong.egg"),
        "(datatype Math (Num i64))\n(let one (Nim 1))\n",
    )
    .unwrap();
    let wrong = text(&refused(&["wrong.egg", "--serve", "127.0.0.1:0"]).stderr);
    assert!(wrong.contains("wrong.egg:2") && wrong.contains("Nim"), "{wrong}");
    let few = text(&refused(&["program.egg", "--serve", "127.0.0.1:0", "--agents", "2"]).stderr);
    assert!(few.contains("at least three agents"), "{few}");
}
