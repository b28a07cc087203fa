//! The command line, as a user meets it: what it prints where, and its exit status.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The command without anything of the environment that could change what it does, in an empty folder.
fn eqmesh(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eqmesh"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("EQMESH_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn output(folder: &Path, arguments: &[&str]) -> Output {
    eqmesh(folder).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stdout(output)))
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

const SUM: &str = "(datatype Math (Num i64) (Add Math Math))
(rewrite (Add a b) (Add b a))
(let sum (Add (Num 1) (Num 2)))
(run 5)
(check (= sum (Add (Num 2) (Num 1))))
";

#[test]
fn every_example_runs_alike_in_both_engines_and_holds() {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "egg") {
            continue;
        }
        count += 1;
        let file = path.to_str().unwrap();
        let wasm = output(folder.path(), &["run", "--json", file]);
        assert_eq!(wasm.status.code(), Some(0), "{file}: {}", stderr(&wasm));
        let native = output(folder.path(), &["run", "--json", "--engine", "native", file]);
        assert_eq!(stdout(&wasm), stdout(&native), "{file}");
        let report = json(&wasm);
        assert_eq!(report["agents"].as_array().unwrap().len(), 9);
        for agents in ["1", "3"] {
            let fewer = json(&output(
                folder.path(),
                &["run", "--json", "--engine", "native", "--agents", agents, file],
            ));
            for key in ["meaning_digest", "enodes", "eclasses", "rounds", "stopped"] {
                assert_eq!(fewer[key], report[key], "{key} of {file} by {agents}");
            }
            // Explanations name agents and facts, which differ; what they explain does not.
            let answers = |report: &Value| -> Vec<Value> {
                let results = report["results"].as_array().unwrap().iter();
                results.filter(|own| own["command"] != "explain").cloned().collect()
            };
            assert_eq!(answers(&fewer), answers(&report), "{file} by {agents}");
        }
    }
    assert!(count >= 3, "{count} examples");
}

#[test]
fn the_json_document_has_its_documented_form() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "{SUM}(extract sum)\n(extract sum 3)\n(explain sum (Add (Num 2) (Num 1)))\n(print-size)\n(print-size Num)
(print-function Num 5)\n(fail (check (= sum (Num 3))))\n(check (= sum (Num 3)))\n(explain sum (Num 1))\n"
    );
    write(folder.path(), "sum.egg", &text);
    let output = output(folder.path(), &["run", "--json", "sum.egg"]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "a check does not hold: {}",
        stderr(&output)
    );
    let report = json(&output);
    assert_eq!(report["schema"], "eqmesh.run/1");
    assert_eq!(
        (&report["converged"], &report["stopped"]),
        (&Value::Bool(true), &Value::from("saturated"))
    );
    assert_eq!(
        (
            report["rounds"].as_u64(),
            report["enodes"].as_u64(),
            report["eclasses"].as_u64()
        ),
        (Some(2), Some(4), Some(3))
    );
    for key in ["state_digest", "meaning_digest"] {
        let digest = report[key].as_str().unwrap();
        assert!(
            digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{key}"
        );
    }
    for (id, agent) in report["agents"].as_array().unwrap().iter().enumerate() {
        assert_eq!(agent["id"], id);
        assert_eq!(agent["color"], ["red", "blue", "green"][id % 3]);
        for key in ["state_digest", "meaning_digest", "enodes", "eclasses"] {
            assert_eq!(agent[key], report[key]);
        }
        for key in [
            "facts",
            "messages_sent",
            "bytes_sent",
            "messages_received",
            "bytes_received",
        ] {
            assert!(agent[key].as_u64().unwrap() > 0, "{key}");
        }
    }
    let results = report["results"].as_array().unwrap();
    let commands: Vec<&str> = results.iter().map(|own| own["command"].as_str().unwrap()).collect();
    let expected = [
        "check",
        "extract",
        "extract",
        "explain",
        "print-size",
        "print-size",
        "print-function",
        "fail",
        "check",
        "explain",
    ];
    assert_eq!(commands, expected);
    let lines: Vec<u64> = results.iter().map(|own| own["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, (5..=14).collect::<Vec<u64>>());
    assert_eq!(results[0]["holds"], true);
    assert_eq!(
        (&results[1]["term"], &results[1]["cost"]),
        (&Value::from("(Add (Num 1) (Num 2))"), &Value::from(3))
    );
    assert_eq!(results[2]["variants"].as_array().unwrap().len(), 2);
    let steps = results[3]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0]["before"], "(Add (Num 1) (Num 2))");
    assert_eq!(steps[0]["after"], "(Add (Num 2) (Num 1))");
    assert_eq!(steps[0]["substitution"]["a"], "(Num 1)");
    assert_eq!(
        (&steps[0]["reason"], &steps[0]["direction"]),
        (&"rule".into(), &"forward".into())
    );
    assert!(steps[0]["fact"]["agent"].is_u64() && steps[0]["fact"]["sequence"].is_u64());
    assert_eq!(results[5]["sizes"][0]["enodes"], 2);
    assert_eq!(results[6]["rows"][0]["node"], "(Num 1)");
    assert_eq!(
        (&results[7]["holds"], &results[8]["holds"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert!(results[9]["error"].as_str().unwrap().contains("not known to be equal"));
}

#[test]
fn explanations_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "sum.egg",
        &format!("{SUM}(explain sum (Add (Num 2) (Num 1)))\n"),
    );
    let arguments = ["run", "--engine", "native", "--explain-svg", "pictures/of", "sum.egg"];
    let drawn = output(folder.path(), &arguments);
    assert_eq!(drawn.status.code(), Some(0), "{}", stderr(&drawn));
    let picture = fs::read_to_string(folder.path().join("pictures/of/explain-6.svg")).unwrap();
    assert!(picture.contains("(Add (Num 2) (Num 1))") && picture.contains("(Add a b) =&gt; (Add b a), forward"));
    write(folder.path(), "file", "");
    let refused = output(
        folder.path(),
        &["run", "--engine", "native", "--explain-svg", "file", "sum.egg"],
    );
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        stderr(&refused).contains("cannot write to file"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn people_read_answers_on_the_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "sum.egg", &format!("{SUM}(extract sum)\n"));
    let shown = output(folder.path(), &["run", "sum.egg"]);
    let text = stdout(&shown);
    assert_eq!(shown.status.code(), Some(0));
    assert!(
        text.contains("line 5: check (= sum (Add (Num 2) (Num 1))): holds"),
        "{text}"
    );
    assert!(text.contains("(Add (Num 1) (Num 2))  (cost 3)"), "{text}");
    assert!(
        text.contains("9 agents agree: 4 e-nodes in 3 e-classes after 2 rounds (saturated)"),
        "{text}"
    );
    assert_eq!(
        stderr(&shown),
        "",
        "nothing to say, and no terminal to show progress on"
    );
    let quiet = stdout(&output(folder.path(), &["run", "--quiet", "sum.egg"]));
    assert!(!quiet.contains("agents agree") && quiet.contains("holds"), "{quiet}");
}

#[test]
fn bad_input_is_refused_with_its_place_and_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "bad.egg", &SUM.replace("(Add b a))", "(Ad b c))"));
    let refused = output(folder.path(), &["run", "bad.egg"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(stdout(&refused), "");
    let text = stderr(&refused);
    assert!(
        text.contains("bad.egg:2:21") && text.contains("did you mean `Add`?"),
        "{text}"
    );
    assert!(text.contains("(rewrite (Add a b) (Ad b c))"), "the source line: {text}");

    let refused = output(folder.path(), &["run", "--json", "bad.egg"]);
    assert_eq!(refused.status.code(), Some(2));
    let document = json(&refused);
    assert_eq!(document["schema"], "eqmesh.error/1");
    assert_eq!(document["diagnostics"][0]["line"], 2);
    assert_eq!(document["diagnostics"][0]["severity"], "error");

    let cases: [(&[&str], &str); 6] = [
        (&["run", "nosuch.egg"], "cannot read nosuch.egg"),
        (&["run"], "required"),
        (&["run", "--agents", "0", "bad.egg"], "0"),
        (&["run", "--agents", "many", "bad.egg"], "many"),
        (&["run", "--time-limit", "-1", "bad.egg"], "seconds"),
        (&["sing"], "sing"),
    ];
    for (arguments, said) in cases {
        let refused = output(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&refused).contains(said), "{arguments:?}: {}", stderr(&refused));
    }
    fs::write(folder.path().join("latin.egg"), b"; f\xfcr\n").unwrap();
    let refused = output(folder.path(), &["run", "latin.egg"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("line 1 is not UTF-8"), "{}", stderr(&refused));
}

#[test]
fn lines_may_end_as_on_windows() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "windows.egg", "(datatype M (N i64))\r\n(A)\r\n");
    let refused = output(folder.path(), &["run", "windows.egg"]);
    let text = stderr(&refused);
    assert!(text.contains(" 2 │ (A)\n") && !text.contains('\r'), "{text:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_exit_status_is_the_same_where_nothing_can_be_said() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "bad.egg", "(A)");
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    for arguments in [["run", "nosuch.egg"], ["run", "bad.egg"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        for nowhere in [Stdio::from(full), Stdio::from(closed.try_clone().unwrap())] {
            let status = eqmesh(folder.path()).args(arguments).stderr(nowhere).status().unwrap();
            assert_eq!(status.code(), Some(2), "{arguments:?}");
        }
    }
}

#[test]
fn a_simulation_says_what_it_cannot_do() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = |arguments: &[&str]| output(folder.path(), &[&["simulate", "--agents", "3"], arguments].concat());
    write(
        folder.path(),
        "scopes.egg",
        "(datatype M (N i64))\n(push)\n(N 1)\n(pop)\n",
    );
    let scopes = simulate(&["--workload", "scopes.egg"]);
    let text = stderr(&scopes);
    assert_eq!(scopes.status.code(), Some(2), "{text}");
    assert!(
        text.contains("scopes.egg:2:1") && text.contains("`push` cannot be sent to an agent"),
        "{text}"
    );
    assert!(text.contains("its facts only grow"), "{text}");

    let rulesets = "(datatype M (N i64) (Add M M))\n(ruleset turn)\n(rewrite (Add a b) (Add b a) :ruleset turn)\n";
    write(folder.path(), "rulesets.egg", &format!("{rulesets}(Add (N 1) (N 2))\n"));
    let rulesets = simulate(&["--workload", "rulesets.egg"]);
    assert_eq!(rulesets.status.code(), Some(0), "{}", stderr(&rulesets));
    assert!(
        stderr(&rulesets).contains("rules of `turn` are not applied"),
        "{}",
        stderr(&rulesets)
    );

    for fault in [["--partition", "1s..2s:0|1-3"], ["--crash", "3@10s"]] {
        let refused = simulate(&fault);
        assert_eq!(refused.status.code(), Some(2), "{fault:?}");
        assert!(stderr(&refused).contains("there are 3 agents"), "{}", stderr(&refused));
    }
}

#[cfg(feature = "network")]
#[test]
fn a_network_that_goes_on_running_has_no_scopes() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "scopes.egg", "(push)\n(pop)\n");
    let refused = output(
        folder.path(),
        &["run", "scopes.egg", "--json", "--serve", "127.0.0.1:0"],
    );
    assert_eq!(refused.status.code(), Some(2));
    let document = json(&refused);
    let lines = ["push", "pop"].map(|head| format!("`{head}` cannot be sent to an agent"));
    for (at, message) in lines.iter().enumerate() {
        let own = &document["diagnostics"][at];
        assert_eq!(
            (&own["line"], &own["message"]),
            (&(at + 1).into(), &message.as_str().into())
        );
    }
}

#[test]
fn limits_pause_deriving_and_questions_are_still_answered() {
    let folder = tempfile::tempdir().unwrap();
    // The powers of a sum grow without end.
    let text = "(datatype Math (Num i64) (Add Math Math))
        (rewrite (Add a b) (Add b a))
        (birewrite (Add (Add a b) c) (Add a (Add b c)))
        (rewrite (Num n) (Add (Num (+ n 1)) (Num -1)))
        (let start (Num 0))
        (run 1000000)
        (check (= start (Add (Num 1) (Num -1))))";
    write(folder.path(), "grow.egg", text);
    let cases = [
        (&["--rounds", "3"][..], "rounds"),
        (&["--node-limit", "500"], "nodes"),
        (&["--match-limit", "5000"], "matches"),
        (&["--time-limit", "0.2"], "time"),
        (&["--node-limit", "500", "--match-limit", "100000000"], "nodes"),
        (&["--node-limit", "100000000", "--match-limit", "5000"], "matches"),
    ];
    for (limit, stopped) in cases {
        let arguments = [&["run", "--json", "--engine", "native", "grow.egg"][..], limit].concat();
        let report = output(folder.path(), &arguments);
        assert_eq!(report.status.code(), Some(0), "{limit:?}: {}", stderr(&report));
        let report = json(&report);
        assert_eq!(report["stopped"], stopped, "{limit:?}");
        assert_eq!(report["converged"], true);
        assert_eq!(report["results"][0]["holds"], true, "{limit:?}");
        if stopped == "nodes" {
            assert!(report["enodes"].as_u64().unwrap() <= 500);
        }
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_the_best_so_far() {
    use std::io::Read as _;

    let folder = tempfile::tempdir().unwrap();
    let text = "(datatype Math (Num i64) (Succ Math))
        (rewrite (Num n) (Num (+ n 1)) :name \"grow\")
        (let start (Num 0))
        (run 1000000000)
        (check start)";
    write(folder.path(), "forever.egg", text);
    let mut child = eqmesh(folder.path())
        .args(["run", "--json", "--engine", "native", "--agents", "3", "forever.egg"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says when it is ready: nothing is to be interrupted before the handler is there, so ask until it answers.
    let started = std::time::Instant::now();
    let mut interrupted = false;
    while !interrupted && started.elapsed().as_secs() < 60 {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let caught = caught
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .unwrap_or(0);
        // Signal 2 is SIGINT.
        if caught >> 1 & 1 == 1 {
            assert!(
                Command::new("kill")
                    .args(["-INT", &child.id().to_string()])
                    .status()
                    .unwrap()
                    .success()
            );
            interrupted = true;
        }
    }
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["stopped"], "interrupted");
    assert_eq!(report["converged"], true);
}

#[cfg(unix)]
#[test]
fn a_host_that_cannot_run_agents_is_an_internal_error() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "sum.egg", SUM);
    // Nine agents reserve far more address space than this.
    let script = format!("ulimit -v 4000000; exec '{}' run sum.egg", env!("CARGO_BIN_EXE_eqmesh"));
    let run = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
    assert!(
        stderr(&run).contains("wasmtime") && stderr(&run).contains("--engine native"),
        "{}",
        stderr(&run)
    );
}

#[test]
fn options_win_over_variables_and_those_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "sum.egg", SUM);
    write(folder.path(), "eqmesh.toml", "agents = 2\nengine = \"native\"\n");
    let agents = |command: &mut Command| json(&command.output().unwrap())["agents"].as_array().unwrap().len();
    let run = ["run", "--json", "sum.egg"];
    assert_eq!(agents(eqmesh(folder.path()).args(run)), 2);
    assert_eq!(agents(eqmesh(folder.path()).args(run).env("EQMESH_AGENTS", "4")), 4);
    assert_eq!(
        agents(
            eqmesh(folder.path())
                .args(run)
                .env("EQMESH_AGENTS", "4")
                .args(["--agents", "5"])
        ),
        5
    );
    write(folder.path(), "other.toml", "agents = 6\n");
    assert_eq!(
        agents(eqmesh(folder.path()).args(run).args(["--config", "other.toml"])),
        6
    );
    write(folder.path(), "eqmesh.toml", "agents = 2\nagent = 3\n");
    let refused = output(folder.path(), &run);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("eqmesh.toml") && stderr(&refused).contains("agent"),
        "{}",
        stderr(&refused)
    );
    write(folder.path(), "eqmesh.toml", "agents = 0\n");
    assert_eq!(output(folder.path(), &run).status.code(), Some(2));
    assert_eq!(
        output(folder.path(), &["run", "--config", "nosuch.toml", "sum.egg"])
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn plain_rules_and_terms_give_the_cheapest_of_each() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "ring.rules",
        "(+ ?a 0) => ?a\n(* ?a 1) => ?a\n(+ ?a ?b) => (+ ?b ?a)\n",
    );
    write(folder.path(), "terms.sexp", "(+ 0 x)\n(* (+ y 0) 1)\n");
    let report = json(&output(
        folder.path(),
        &["run", "--json", "--rules", "ring.rules", "terms.sexp"],
    ));
    let found: Vec<&str> = report["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| own["term"].as_str().unwrap())
        .collect();
    assert_eq!(found, ["x", "y"], "{report:#}");
    assert_eq!(report["stopped"], "saturated");
    // Rules of other tools: what cannot be run is left out aloud, what cannot be read is refused.
    let ruler = root().join("examples/ruler/bool.rules");
    let ruler = ruler.to_str().unwrap();
    write(folder.path(), "bool.sexp", "(| (& a b) (& b a))\n");
    let run = output(
        folder.path(),
        &[
            "run",
            "--engine",
            "native",
            "--rounds",
            "2",
            "--rules",
            ruler,
            "bool.sexp",
        ],
    );
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert!(stderr(&run).contains("rule left out"), "{}", stderr(&run));
    assert!(stdout(&run).contains("(& a b)  (cost 3)"), "{}", stdout(&run));
    write(folder.path(), "broken.rules", "(+ ?a 0) = ?a\n");
    assert_eq!(
        output(folder.path(), &["run", "--rules", "broken.rules", "bool.sexp"])
            .status
            .code(),
        Some(2)
    );
    // Several files are one program, and the standard input is a file.
    write(folder.path(), "declare.egg", "(datatype M (N i64))\n");
    write(folder.path(), "ask.egg", "(N 1)\n(check (N 1))\n");
    let both = output(folder.path(), &["run", "--engine", "native", "declare.egg", "ask.egg"]);
    assert_eq!(both.status.code(), Some(0), "{}", stderr(&both));
    assert!(stdout(&both).contains("ask.egg:2: check"), "{}", stdout(&both));
    let mut child = eqmesh(folder.path())
        .args(["run", "--engine", "native", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), SUM.as_bytes()).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
}

#[test]
fn a_term_with_an_operator_that_stands_nowhere_yet_is_its_own_answer() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "new.egg",
        "(untyped (f 1))\n(extract (untyped (g (f 2))))\n",
    );
    for engine in ["native", "wasm"] {
        let run = output(folder.path(), &["run", "--engine", engine, "new.egg"]);
        assert_eq!(run.status.code(), Some(0), "{engine}: {}", stdout(&run));
        assert!(stdout(&run).contains("(g (f 2))  (cost 3)"), "{}", stdout(&run));
    }
}

#[test]
fn scopes_schedules_and_rulesets_do_what_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let text = "(datatype M (N i64) (Add M M))
(ruleset turn)
(ruleset fold)
(rewrite (Add a b) (Add b a) :ruleset turn)
(rewrite (Add (N a) (N b)) (N (+ a b)) :ruleset fold)
(let t (Add (N 1) (N 2)))
(push)
(union t (N 7))
(let inner (N 9))
(check (= t (N 7)))
(pop)
(fail (check (= t (N 7))))
(run-schedule (saturate (run turn)))
(fail (check (= t (N 3))))
(run-schedule (seq (run fold :until (= t (N 3))) (repeat 2 fold turn)))
(check (= t (N 3)))
(let inner (N 10))
(run fold 1 :until (= t (N 3)))
";
    write(folder.path(), "scopes.egg", text);
    for engine in ["native", "wasm"] {
        let run = output(folder.path(), &["run", "--json", "--engine", engine, "scopes.egg"]);
        assert_eq!(
            run.status.code(),
            Some(0),
            "{engine}: {} {}",
            stderr(&run),
            stdout(&run)
        );
    }
}

#[test]
fn a_contradiction_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "top.egg",
        "(datatype M (N i64))\n(union (N 1) (N 2))\n(run 3)\n",
    );
    let run = output(folder.path(), &["run", "--engine", "native", "top.egg"]);
    assert_eq!(run.status.code(), Some(0));
    assert!(
        stdout(&run).contains("contradiction: (N 1) and (N 2) are one class"),
        "{}",
        stdout(&run)
    );
}

#[test]
fn large_and_deep_inputs_get_a_result_or_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    // A term a hundred thousand levels deep.
    let deep = 100_000;
    let text = format!(
        "(datatype M (Z) (S M))\n(let t {}(Z){})\n(run 1)\n(extract t)\n",
        "(S ".repeat(deep),
        ")".repeat(deep)
    );
    write(folder.path(), "deep.egg", &text);
    for engine in ["native", "wasm"] {
        let run = output(
            folder.path(),
            &["run", "--json", "--agents", "3", "--engine", engine, "deep.egg"],
        );
        assert_eq!(run.status.code(), Some(0), "{engine}: {}", stderr(&run));
        assert_eq!(json(&run)["results"][0]["cost"], deep as u64 + 1);
    }
    // Ten megabytes.
    let line = "(Add (Num 1234567) (Num 7654321))\n";
    let text = format!(
        "(datatype M (Num i64) (Add M M))\n{}(run 1)\n",
        line.repeat(10_000_000 / line.len())
    );
    write(folder.path(), "large.egg", &text);
    let run = output(
        folder.path(),
        &["run", "--json", "--agents", "1", "--engine", "native", "large.egg"],
    );
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert_eq!(json(&run)["enodes"], 3);
    // What overflows is undefined: the rule does not fire. What cannot be written is refused.
    let text = format!(
        "(datatype M (N i64))\n(rewrite (N a) (N (+ a 1)))\n(let t (N {}))\n(run 3)\n(print-size)\n",
        i64::MAX
    );
    write(folder.path(), "overflow.egg", &text);
    let run = output(folder.path(), &["run", "--json", "--engine", "native", "overflow.egg"]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    assert_eq!(json(&run)["enodes"], 1);
    write(
        folder.path(),
        "beyond.egg",
        "(datatype M (N i64))\n(let t (N 9223372036854775808))\n",
    );
    let refused = output(folder.path(), &["run", "beyond.egg"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("beyond.egg:2"), "{}", stderr(&refused));
}

#[test]
fn help_completions_manual_and_doctor() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["--help"][..], &["run", "--help"]] {
        let help = output(folder.path(), arguments);
        assert_eq!(help.status.code(), Some(0));
        assert!(stdout(&help).contains("Exit codes"), "{arguments:?}");
    }
    assert!(stdout(&output(folder.path(), &["run", "--help"])).contains("eqmesh run examples/calculus.egg"));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&output(folder.path(), &["completions", shell]));
        assert!(script.contains("eqmesh") && script.contains("node-limit"), "{shell}");
    }
    let manual = stdout(&output(folder.path(), &["man"]));
    assert!(manual.contains(".TH eqmesh") && manual.contains("node"), "{manual}");
    let doctor = output(folder.path(), &["doctor", "--json"]);
    assert_eq!(doctor.status.code(), Some(0));
    let findings = json(&doctor);
    assert_eq!(findings["healthy"], true);
    let names: Vec<&str> = findings["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| own["name"].as_str().unwrap())
        .collect();
    for name in [
        "engine wasm",
        "engine native",
        "cargo",
        "spin",
        "nats-server",
        "target wasm32-wasip2",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(stdout(&output(folder.path(), &["doctor"])).contains("three agents agree"));
}
