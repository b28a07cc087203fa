//! What a user of the deployed network sees.

use eqmesh::{Engine, Limits, Session, Setup, program};

use crate::application::Application;

const PROGRAM: &str = "(datatype Math (Num i64) (Add Math Math) (Mul Math Math))
(rewrite (Add a b) (Add b a))
(rewrite (Mul a b) (Mul b a))
(rewrite (Add (Num a) (Num b)) (Num (+ a b)))
(rewrite (Mul (Num a) (Num b)) (Num (* a b)))
(rewrite (Mul a (Add b c)) (Add (Mul a b) (Mul a c)) :name \"distribute\")
(rewrite (Add (Mul a b) (Mul a c)) (Mul a (Add b c)) :name \"factor\")
(let sum (Mul (Num 2) (Add (Num 1) (Add (Num 2) (Num 3)))))
";

#[test]
fn a_program_posted_to_one_agent_converges_on_all_nine_and_means_what_a_run_means() {
    let state = tempfile::tempdir().unwrap();
    let network = Application::start(state.path(), true);
    let taken = network.submit(4, &format!("{PROGRAM}(run 3)\n(extract sum)\n"));
    assert_eq!(taken.status, 200, "{}", String::from_utf8_lossy(&taken.body));
    let taken = taken.json();
    assert!(taken["facts"].as_u64().unwrap() >= 7, "six rules and a term");
    let skipped: Vec<u64> = taken["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| own["line"].as_u64().unwrap())
        .collect();
    assert_eq!(skipped, [9, 10]);
    let status = network.converged();

    let text = format!("{PROGRAM}(run-schedule (saturate (run)))");
    let setup = Setup {
        agents: 9,
        coloring: true,
        engine: Engine::Native,
    };
    let mut session = Session::new(setup, Limits::default()).unwrap();
    session.execute(&program::of_text("program", &text).unwrap(), &mut ());
    let report = session.report();
    assert!(report.converged);
    for agent in 0..9 {
        let own = &status["agents"][agent];
        assert_eq!(own["meaning_digest"], report.meaning_digest, "agent {agent}");
        assert_eq!(own["enodes"], report.enodes);
        assert_eq!(own["eclasses"], report.eclasses);
        assert_eq!(own["incarnation"], 0);
        let answer = network.get(&format!("/agent/{agent}/extract?term=sum"));
        assert_eq!(answer.json()["results"][0]["term"], "(Num 12)", "agent {agent}");
        let why = network.get(&format!("/agent/{agent}/explain?a=sum&b=(Num+12)")).json();
        assert!(!why["steps"].as_array().unwrap().is_empty());
        let check = network
            .get(&format!("/agent/{agent}/check?facts=(=+sum+(Num+12))"))
            .json();
        assert_eq!(check["holds"], true);
        let timeline = network.get(&format!("/agent/{agent}/timeline"));
        assert_eq!(timeline.status, 200, "{}", String::from_utf8_lossy(&timeline.body));
        assert!(!timeline.json()["events"].as_array().unwrap().is_empty());
    }

    drop(network);
    let again = Application::start(state.path(), false);
    let after = again.get("/status").json();
    for agent in 0..9 {
        assert_eq!(
            after["agents"][agent]["state_digest"], status["agents"][agent]["state_digest"],
            "after a restart"
        );
        assert_eq!(
            again.get(&format!("/agent/{agent}/extract?term=sum")).json()["results"][0]["term"],
            "(Num 12)"
        );
    }
}
