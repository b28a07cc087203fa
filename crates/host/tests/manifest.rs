//! Manifests: what is read of them, and what a person is told when they are wrong.

use std::collections::BTreeMap;
use std::path::Path;

use eqmesh_host::manifest::{Manifest, ManifestError};
use eqmesh_host::variables::Values;

const HEAD: &str = "spin_manifest_version = 2\n[application]\nname = \"mesh\"\n";

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    pairs.iter().map(owned).collect()
}

fn parse(text: &str, given: &[(&str, &str)]) -> Result<Manifest, ManifestError> {
    let outside = Values {
        given: values(given),
        ..Values::default()
    };
    Manifest::parse(Path::new("app/spin.toml"), text, &outside)
}

#[test]
fn what_spin_accepts_is_accepted() {
    let text = r#"
spin_manifest_version = 2

[application]
name = "mesh"
version = "0.1.0"
description = "All keys that an HTTP application may have"
authors = ["eqmesh"]
targets = ["spin-up:3.3"]
[application.trigger.http]
base = "/"
[application.tool.other]
setting = 1

[variables]
topic_prefix = { default = "mesh", description = "What subjects begin with", secret = false }
api_key = { required = true }

[[trigger.http]]
id = "agents"
route = "/agent/red/..."
component = "agent-red"
executor = { type = "http" }

[[trigger.http]]
route = "inline"
component = { source = "inline.wasm", allowed_outbound_hosts = ["http://agent-red.spin.internal"] }

[[trigger.http]]
route = { private = true }
component = "hidden"

[component.agent-red]
source = "target/spin/agent-red.wasm"
description = "One agent"
variables = { agent_id = "0", subject = "{{ topic_prefix }}.agent.{{api_key}}" }
environment = { RUST_BACKTRACE = "1" }
key_value_stores = ["default", "agent_state"]
allowed_outbound_hosts = ["http://*.spin.internal"]
sqlite_databases = []
files = []
exclude_files = ["secrets/*"]
dependencies_inherit_configuration = true
[component.agent-red.build]
command = ["cargo build", "wac plug"]
workdir = "components"
watch = ["src/**/*.rs"]
[component.agent-red.profile.debug]
source = "debug.wasm"
[component.agent-red.tool.other]
setting = 1

[component.hidden]
source = "hidden.wasm"

[component.unused]
source = "unused.wasm"
"#;
    let manifest = parse(text, &[("api_key", "k")]).expect("a good manifest");
    assert_eq!(manifest.folder, Path::new("app"));
    assert_eq!((manifest.name.as_str(), manifest.version.as_str()), ("mesh", "0.1.0"));
    let ids: Vec<&str> = manifest.components.keys().map(String::as_str).collect();
    assert_eq!(ids, ["agent-red", "hidden", "inline-http1"]);
    let red = &manifest.components["agent-red"];
    assert_eq!(red.source, "target/spin/agent-red.wasm");
    assert_eq!(red.variables["subject"], "mesh.agent.k");
    assert_eq!(red.variables["agent_id"], "0");
    assert!(red.key_value_stores.contains("default") && red.key_value_stores.contains("agent_state"));
    assert!(
        red.allowed_outbound_hosts
            .allows(&"http://hidden.spin.internal/".parse().expect("valid"))
    );
    let routes: Vec<(&str, &str)> = manifest
        .router
        .routes()
        .map(|route| (route.based(), &**route.component()))
        .collect();
    assert_eq!(routes.len(), 2);
    assert!(routes.contains(&("/inline", "inline-http1")) && routes.contains(&("/agent/red/...", "agent-red")));
}

/// Checks that a manifest is refused at a place, with words that say what is wrong and what to do.
fn refused(body: &str, place: &str, message: &str, remedy: &str) {
    let text = format!("{HEAD}{body}");
    let error = parse(&text, &[]).expect_err(body);
    let shown = error.to_string();
    assert!(
        shown.starts_with(&format!("app/spin.toml{place}: ")),
        "{body}\nis refused at {shown}"
    );
    assert!(error.message().contains(message), "{body}\nis refused with {shown}");
    let help = error.remedy().unwrap_or_default();
    assert!(help.contains(remedy), "{body}\nis refused with the help {help}");
}

const ONE: &str = "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"one\"\n[component.one]\nsource = \"one.wasm\"\n";

#[test]
fn what_is_wrong_is_shown_with_its_place_and_what_to_do() {
    refused("", ":1:1", "missing field `trigger`", "manifest-reference");
    refused("colour = 1\n", ":4:1", "unknown field `colour`", "manifest-reference");
    refused(
        &format!("{ONE}colour = 1\n"),
        ":9:1",
        "unknown field `colour`",
        "manifest-reference",
    );
    refused(
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"two\"\n[component.one]\nsource = \"one.wasm\"\n",
        ":6:13",
        "there is no component `two`",
        "defined are: one",
    );
    refused(
        "[[trigger.http]]\nroute = \"/a/*/b\"\ncomponent = \"one\"\n[component.one]\nsource = \"one.wasm\"\n",
        ":5:9",
        "a wildcard stands at the end",
        "examples:",
    );
    refused(
        "[[trigger.http]]\nroute = { private = false }\ncomponent = \"one\"\n[component.one]\nsource = \"one.wasm\"\n",
        ":5:9",
        "a route is a pattern",
        "make it public",
    );
    refused(
        "[[trigger.http]]\nroute = \"/.well-known/spin/x\"\ncomponent = \"one\"\n[component.one]\nsource = \"one.wasm\"\n",
        ":5:9",
        "answered by the host",
        "another route",
    );
    refused(
        &format!("[[trigger.http]]\nroute = \"/...\"\ncomponent = \"one\"\n{ONE}"),
        ":8:9",
        "is given twice",
        "remove one",
    );
    refused(
        "[[trigger.http]]\nroute = \"/...\"\n",
        ":4:1",
        "names no component",
        "component = ",
    );
    refused(
        "[[trigger.redis]]\nchannel = \"c\"\ncomponent = \"one\"\n",
        ":4:11",
        "no `redis` trigger",
        "run others with Spin",
    );
    refused(
        "[trigger]\n[component.one]\nsource = \"one.wasm\"\n",
        "",
        "nothing can be served",
        "[[trigger.http]]",
    );
    refused(
        &format!("{ONE}files = [\"assets/*\"]\n"),
        ":9:9",
        "no files",
        "include_bytes",
    );
    refused(&format!("{ONE}ai_models = [\"m\"]\n"), ":9:13", "AI models", "Spin");
    refused(
        &format!("{ONE}[component.one.dependencies]\n\"a:b/c\" = \"1\"\n"),
        ":9:1",
        "does not compose",
        "wac plug",
    );
    refused(
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"one\"\n[component.one]\nsource = { url = \"https://x\", digest = \"d\" }\n",
        ":8:10",
        "does not download",
        "path of the file",
    );
    refused(
        &format!("{ONE}allowed_outbound_hosts = [\"example.com\"]\n"),
        ":9:27",
        "begins with a scheme",
        "http://*.spin.internal",
    );
    refused(
        &format!("{ONE}variables = {{ a = \"{{{{ b }}}}\" }}\n"),
        ":9:19",
        "no application variable `b`",
        "[variables]",
    );
    refused(
        &format!("{ONE}variables = {{ Agent = \"1\" }}\n"),
        ":9:15",
        "`Agent` is no name",
        "lower case",
    );
    refused(
        &format!("{ONE}[variables]\nkey = {{ required = true }}\n"),
        ":10:7",
        "`key` has no value",
        "SPIN_VARIABLE_KEY",
    );
    refused(
        &format!("{ONE}[variables]\nkey = {{}}\n"),
        ":10:7",
        "neither a default nor",
        "write one of them",
    );
    refused(
        "[[trigger.http]]\nroute = \"/...\"\ncomponent = \"agent-0\"\n[component.agent-0]\nsource = \"a.wasm\"\n",
        ":7:12",
        "`agent-0` is no name",
        "beginning with a letter",
    );
}

#[test]
fn versions_and_syntax_are_checked_first() {
    let error = parse(
        "spin_manifest_version = 1\n[application]\nname = \"a\"\n[trigger]\n",
        &[],
    )
    .expect_err("version 1");
    assert!(
        error.to_string().starts_with("app/spin.toml:1:25: only version 2"),
        "{error}"
    );
    let error = parse("spin_manifest_version = 2\n[application\n", &[]).expect_err("no TOML");
    assert!(error.to_string().starts_with("app/spin.toml:2:"), "{error}");
}

#[test]
fn values_from_outside_win_and_those_asked_for_must_be_known() {
    let text =
        format!("{HEAD}{ONE}variables = {{ a = \"{{{{ key }}}}\" }}\n[variables]\nkey = {{ default = \"inside\" }}\n");
    let value = |given: &[(&str, &str)], environment: &[(&str, &str)]| {
        let outside = Values {
            given: values(given),
            environment: values(environment),
        };
        let manifest = Manifest::parse(Path::new("spin.toml"), &text, &outside)?;
        Ok::<_, ManifestError>(manifest.components["one"].variables["a"].clone())
    };
    assert_eq!(value(&[], &[]).expect("good"), "inside");
    assert_eq!(
        value(&[], &[("key", "environment"), ("other", "x")]).expect("good"),
        "environment"
    );
    assert_eq!(
        value(&[("key", "given")], &[("key", "environment")]).expect("good"),
        "given"
    );
    let error = value(&[("other", "x")], &[]).expect_err("not declared");
    assert!(error.message().contains("no application variable `other`"), "{error}");
    assert!(error.remedy().unwrap_or_default().contains("key"), "{error:?}");
}
