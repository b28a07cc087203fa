//! What does not load, and what a person is told.

use std::path::PathBuf;

use bytes::Bytes;
use eqmesh_host::{Host, Limits, LoadError, Options};
use miette::Diagnostic as _;

use crate::application::options;

fn refused(change: impl FnOnce(&mut Options)) -> LoadError {
    let state = tempfile::tempdir().expect("a folder");
    let mut options = options(&state, Limits::default());
    change(&mut options);
    Host::load(&options).expect_err("it does not load")
}

#[test]
fn the_error_says_what_is_missing() {
    let error = refused(|options| {
        options.text = None;
        options.manifest = PathBuf::from("nowhere/spin.toml");
    });
    assert!(matches!(error, LoadError::Read { .. }), "{error}");

    let error = refused(|options| options.sources.clear());
    assert!(
        error.to_string().contains("tests/probe.wasm"),
        "sources are relative to the manifest: {error}"
    );
    assert!(matches!(error, LoadError::Source { .. }));

    let error = refused(|options| options.state = None);
    assert!(matches!(error, LoadError::NoState));

    let error = refused(|options| options.variables.given.clear());
    assert!(error.to_string().contains("`secret` has no value"), "{error}");
}

#[test]
fn components_must_fit() {
    let with = |bytes: &'static [u8]| {
        refused(|options| {
            options.sources.insert("probe.wasm".into(), Bytes::from_static(bytes));
        })
    };
    let error = with(b"\0asm\x01\0\0\0");
    assert!(
        matches!(&error, LoadError::Component { .. }),
        "a module is no component: {error}"
    );
    let error = with(b"no WebAssembly at all");
    assert!(matches!(&error, LoadError::Component { .. }), "{error}");
    // An empty component exports nothing.
    let error = with(b"\0asm\x0d\0\x01\0");
    assert!(error.to_string().contains("wasi:http/incoming-handler"), "{error}");
}

#[test]
fn two_hosts_do_not_share_a_state() {
    let state = tempfile::tempdir().expect("a folder");
    let options = options(&state, Limits::default());
    let first = Host::load(&options).expect("loads");
    let error = Host::load(&options).expect_err("the state is taken");
    assert!(matches!(&error, LoadError::State { .. }), "{error}");
    assert!(help(&error).contains("end the other one"), "{}", help(&error));
    drop(first);
    Host::load(&options).expect("loads again");
}

fn help(error: &LoadError) -> String {
    error.help().expect("it has a remedy").to_string()
}

#[test]
fn a_state_that_cannot_be_opened_has_a_remedy_of_its_own() {
    let state = tempfile::tempdir().expect("a folder");
    let file = state.path().join("probes.redb");
    let refused = || Host::load(&options(&state, Limits::default())).expect_err("the state is unusable");
    std::fs::write(&file, "no database at all").expect("written");
    assert!(help(&refused()).contains("backup"), "{}", refused());
    std::fs::write(&file, [0; 8_192]).expect("written");
    assert!(help(&refused()).contains("backup"), "{}", refused());
    std::fs::remove_file(&file).expect("removed");
    drop(Host::load(&options(&state, Limits::default())).expect("a new one is made"));
    let whole = std::fs::read(&file).expect("read");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("written");
    assert!(help(&refused()).contains("backup"), "{}", refused());
    std::fs::remove_file(&file).expect("removed");
    std::fs::create_dir(&file).expect("made");
    assert!(help(&refused()).contains("this user may"), "{}", refused());
}
