//! The manifest `spin.toml`, version 2: what is read of it, and errors that show the place.
//!
//! Keys that Spin knows and that say something about building or other tools are accepted and ignored. Keys that ask for what
//! this host does not give (files, databases, models, dependencies composed at load) are errors, because a component that runs
//! without them would fail later and elsewhere. Unknown keys are errors, as they are for Spin.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use thiserror::Error;
use toml::Spanned;

use crate::outbound::AllowedHosts;
use crate::router::{Route, Router};
use crate::variables::{self, Template, Values};

/// The paths that the host answers itself, as Spin does; no route may begin so.
pub const RESERVED_PREFIX: &str = "/.well-known/spin/";

/// A manifest that was read and checked.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The name of the application.
    pub name: String,
    /// The version of the application; empty if the manifest has none.
    pub version: String,
    /// The components that are served, by id. Components that no trigger names are left out.
    pub components: BTreeMap<String, Component>,
    /// Which component answers which path.
    pub router: Router,
    /// The folder of the manifest: sources are relative to it.
    pub folder: PathBuf,
}

/// One component.
#[derive(Debug, Clone)]
pub struct Component {
    /// The path of the binary as the manifest writes it.
    pub source: String,
    /// The configuration that the component reads through `wasi:config`, with the application's variables filled in.
    pub variables: BTreeMap<String, String>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// The key-value stores that the component may open.
    pub key_value_stores: BTreeSet<String>,
    /// Where the component may send requests.
    pub allowed_outbound_hosts: AllowedHosts,
}

/// Why a manifest cannot be served. The message names the file, the line and the column; the help says what to do.
#[derive(Debug, Error, Diagnostic)]
#[error("{place}: {message}")]
pub struct ManifestError {
    place: Box<str>,
    message: Box<str>,
    #[help]
    help: Option<Box<str>>,
    #[source_code]
    source_code: Arc<NamedSource<String>>,
    #[label("here")]
    span: Option<SourceSpan>,
}

impl ManifestError {
    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the reader can do about it.
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// The text of a manifest, for errors.
struct Text<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Text<'_> {
    fn error(&self, span: Option<Range<usize>>, message: impl Into<String>, help: Option<String>) -> ManifestError {
        let file = self.file.display().to_string();
        let place = match &span {
            Some(span) => {
                let before = self.text.get(..span.start).unwrap_or(self.text);
                let line = before.matches('\n').count() + 1;
                let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
                format!("{file}:{line}:{column}")
            }
            None => file.clone(),
        };
        let source_code = NamedSource::new(file, self.text.to_owned()).with_language("toml");
        ManifestError {
            place: place.into(),
            message: message.into().into(),
            help: help.map(String::into_boxed_str),
            source_code: Arc::new(source_code),
            span: span.map(SourceSpan::from),
        }
    }

    /// An error at a value, with what to do about it.
    fn at<T>(&self, value: &Spanned<T>, message: impl Into<String>, help: impl Into<String>) -> ManifestError {
        self.error(Some(value.span()), message, Some(help.into()))
    }
}

impl Manifest {
    /// Reads and checks a manifest. `outside` has values of application variables that win over its defaults.
    ///
    /// # Errors
    /// When the text is not TOML, has keys that Spin does not know, or asks for what cannot be served.
    pub fn parse(file: &Path, text: &str, outside: &Values) -> Result<Self, ManifestError> {
        let text = Text { file, text };
        let schema: Schema = toml::from_str(text.text).map_err(|error| {
            text.error(
                error.span(),
                error.message().trim(),
                Some(
                    "the keys are those of Spin's manifest, version 2: https://spinframework.dev/manifest-reference"
                        .into(),
                ),
            )
        })?;
        if *schema.spin_manifest_version.get_ref() != 2 {
            return Err(text.at(
                &schema.spin_manifest_version,
                "only version 2 of the manifest is known",
                "write `spin_manifest_version = 2`; `spin doctor` turns older manifests into this version",
            ));
        }
        let values = application_variables(&text, &schema.variables, outside)?;
        if let Some(kind) = schema.trigger.others.first() {
            return Err(text.at(
                kind,
                format!("this host has no `{}` trigger", kind.get_ref()),
                "it serves `[[trigger.http]]`; run others with Spin",
            ));
        }

        let mut components = BTreeMap::new();
        let mut routes = Vec::new();
        let mut by_route: BTreeMap<String, Range<usize>> = BTreeMap::new();
        for (index, trigger) in schema.trigger.http.into_iter().enumerate() {
            let trigger_span = trigger.span();
            let trigger = trigger.into_inner();
            let Some(reference) = trigger.component else {
                return Err(text.error(
                    Some(trigger_span),
                    "this trigger names no component",
                    Some("add `component = \"…\"`; fixed responses (`static_response`) are not served".into()),
                ));
            };
            let (id, component) = match reference.get_ref() {
                ComponentRef::Id(id) => {
                    let named = schema.component.get(id.as_str()).ok_or_else(|| {
                        let known: Vec<&str> = schema.component.keys().map(|id| id.get_ref().as_str()).collect();
                        text.at(
                            &reference,
                            format!("there is no component `{id}`"),
                            match known.as_slice() {
                                [] => "define it as `[component.<id>]`".to_owned(),
                                known => format!("defined are: {}", known.join(", ")),
                            },
                        )
                    })?;
                    (id.clone(), named)
                }
                ComponentRef::Inline(component) => (inline_id(index), component.as_ref()),
            };
            if !components.contains_key(&id) {
                components.insert(id.clone(), component.check(&text, &values)?);
            }
            match trigger.route.get_ref() {
                RouteKey::Private(PrivateRoute { private: true }) => {}
                RouteKey::Private(PrivateRoute { private: false }) => {
                    return Err(text.at(
                        &trigger.route,
                        "a route is a pattern or `{ private = true }`",
                        "give a pattern such as \"/agent/...\" to make it public",
                    ));
                }
                RouteKey::Pattern(pattern) => {
                    if pattern.starts_with(RESERVED_PREFIX) {
                        return Err(text.at(
                            &trigger.route,
                            format!("paths under {RESERVED_PREFIX} are answered by the host"),
                            "choose another route",
                        ));
                    }
                    // A later trigger of the same route takes it over, as in Spin, where it is a warning; it is never meant.
                    if by_route.insert(pattern.clone(), trigger.route.span()).is_some() {
                        return Err(text.at(
                            &trigger.route,
                            format!("the route {pattern} is given twice"),
                            "only one component can answer a route; remove one of the triggers",
                        ));
                    }
                    let route = Route::parse(pattern, &id).map_err(|error| {
                        text.at(
                            &trigger.route,
                            error.to_string(),
                            "examples: \"/status\", \"/agent/:id/state\", \"/files/...\"",
                        )
                    })?;
                    routes.push(route);
                }
            }
        }
        if components.is_empty() {
            return Err(text.error(
                None,
                "no HTTP trigger, so nothing can be served",
                Some("add `[[trigger.http]]` with `route` and `component`".into()),
            ));
        }
        for id in schema.component.keys() {
            check_name(&text, id, '-', false)?;
        }
        let router = Router::new(routes).map_err(|error| text.error(None, error.to_string(), None))?;
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        Ok(Self {
            name: schema.application.name,
            version: schema.application.version,
            components,
            router,
            folder: folder.unwrap_or(Path::new(".")).to_owned(),
        })
    }
}

/// The id of a component that is written inside its trigger, as Spin names it.
fn inline_id(index: usize) -> String {
    format!("inline-http{index}")
}

/// The values of the application's variables: from outside, or the default.
fn application_variables(
    text: &Text<'_>,
    declared: &BTreeMap<Spanned<String>, Spanned<Variable>>,
    outside: &Values,
) -> Result<BTreeMap<String, String>, ManifestError> {
    let mut values = BTreeMap::new();
    for (name, variable) in declared {
        check_name(text, name, '_', true)?;
        let name = name.get_ref();
        let own = variable.get_ref();
        let value = match (outside.get(name), &own.default) {
            (Some(value), _) => value.clone(),
            (None, Some(default)) => default.clone(),
            (None, None) if own.required => {
                return Err(text.at(
                    variable,
                    format!("the variable `{name}` has no value"),
                    format!(
                        "set the environment variable {}, or pass --variable {name}=…",
                        variables::environment_name(name)
                    ),
                ));
            }
            (None, None) => {
                return Err(text.at(
                    variable,
                    format!("the variable `{name}` has neither a default nor `required = true`"),
                    "write one of them",
                ));
            }
        };
        values.insert(name.clone(), value);
    }
    if let Some(name) = outside.given.keys().find(|name| !values.contains_key(*name)) {
        return Err(text.error(
            None,
            format!("there is no application variable `{name}` to set"),
            Some(match values.keys().map(String::as_str).collect::<Vec<_>>() {
                known if known.is_empty() => "declare it under `[variables]`".to_owned(),
                known => format!("declared under `[variables]` are: {}", known.join(", ")),
            }),
        ));
    }
    Ok(values)
}

/// Words with a separator, each a letter and then letters and digits, all of one case: the names of Spin's manifests.
fn check_name(text: &Text<'_>, name: &Spanned<String>, separator: char, lower: bool) -> Result<(), ManifestError> {
    let word = |word: &str| {
        let one_case = !word.contains(|letter: char| letter.is_ascii_uppercase())
            || (!lower && !word.contains(|letter: char| letter.is_ascii_lowercase()));
        word.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && word.chars().all(|letter| letter.is_ascii_alphanumeric())
            && one_case
    };
    if name.get_ref().split(separator).all(word) {
        return Ok(());
    }
    Err(text.at(
        name,
        format!("`{}` is no name that Spin accepts", name.get_ref()),
        format!(
            "use words of letters and digits, each beginning with a letter, with `{separator}` between them{}",
            if lower { ", in lower case" } else { "" }
        ),
    ))
}

/// The manifest as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Schema {
    spin_manifest_version: Spanned<u32>,
    application: Application,
    #[serde(default)]
    variables: BTreeMap<Spanned<String>, Spanned<Variable>>,
    trigger: Triggers,
    #[serde(default)]
    component: BTreeMap<Spanned<String>, ComponentTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Application {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "authors")]
    _authors: Vec<String>,
    #[serde(default, rename = "targets")]
    _targets: IgnoredAny,
    #[serde(default, rename = "trigger")]
    _trigger: IgnoredAny,
    #[serde(default, rename = "tool")]
    _tool: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    default: Option<String>,
    #[serde(default)]
    required: bool,
    #[serde(default, rename = "secret")]
    _secret: bool,
    #[serde(default, rename = "description")]
    _description: Option<String>,
}

/// The triggers by kind. Of kinds that are not served only the names are read.
#[derive(Debug, Default)]
struct Triggers {
    http: Vec<Spanned<Trigger>>,
    others: Vec<Spanned<String>>,
}

impl<'de> Deserialize<'de> for Triggers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A flattened map would read the others into a buffer first, and places would be lost.
        struct Kinds;
        impl<'de> Visitor<'de> for Kinds {
            type Value = Triggers;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("tables such as [[trigger.http]]")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Triggers, A::Error> {
                let mut triggers = Triggers::default();
                while let Some(kind) = map.next_key::<Spanned<String>>()? {
                    if kind.get_ref() == "http" {
                        triggers.http = map.next_value()?;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        triggers.others.push(kind);
                    }
                }
                Ok(triggers)
            }
        }
        deserializer.deserialize_map(Kinds)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trigger {
    #[serde(default, rename = "id")]
    _id: String,
    component: Option<Spanned<ComponentRef>>,
    route: Spanned<RouteKey>,
    #[serde(default, rename = "executor")]
    _executor: Option<Executor>,
}

/// Only components of HTTP are served; Spin's other executor, `wagi`, is for core modules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "type")]
enum Executor {
    #[serde(alias = "spin")]
    Http,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a route is a pattern such as \"/agent/0/...\" or { private = true }"
)]
enum RouteKey {
    Pattern(String),
    Private(PrivateRoute),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PrivateRoute {
    private: bool,
}

/// The id of a component, or the component itself.
#[derive(Debug)]
enum ComponentRef {
    Id(String),
    Inline(Box<ComponentTable>),
}

impl<'de> Deserialize<'de> for ComponentRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An untagged enum would read the value into a buffer first, and places would be lost.
        struct Reference;
        impl<'de> Visitor<'de> for Reference {
            type Value = ComponentRef;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the id of a component, or a table that defines one")
            }

            fn visit_str<E>(self, id: &str) -> Result<ComponentRef, E> {
                Ok(ComponentRef::Id(id.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ComponentRef, A::Error> {
                let table = ComponentTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ComponentRef::Inline(Box::new(table)))
            }
        }
        deserializer.deserialize_any(Reference)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ComponentTable {
    source: Spanned<SourceKey>,
    #[serde(default)]
    variables: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    key_value_stores: Vec<Spanned<String>>,
    #[serde(default)]
    allowed_outbound_hosts: Vec<Spanned<String>>,
    files: Option<Spanned<Vec<IgnoredAny>>>,
    sqlite_databases: Option<Spanned<Vec<IgnoredAny>>>,
    ai_models: Option<Spanned<Vec<IgnoredAny>>>,
    allowed_http_hosts: Option<Spanned<Vec<IgnoredAny>>>,
    dependencies: Option<Spanned<BTreeMap<String, toml::Value>>>,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "exclude_files")]
    _exclude_files: IgnoredAny,
    #[serde(default, rename = "targets")]
    _targets: IgnoredAny,
    #[serde(default, rename = "build")]
    _build: IgnoredAny,
    #[serde(default, rename = "tool")]
    _tool: IgnoredAny,
    #[serde(default, rename = "dependencies_inherit_configuration")]
    _dependencies_inherit_configuration: bool,
    #[serde(default, rename = "profile")]
    _profile: IgnoredAny,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a source is the path of a WebAssembly component")]
enum SourceKey {
    Path(String),
    Elsewhere(IgnoredAny),
}

impl ComponentTable {
    fn check(&self, text: &Text<'_>, values: &BTreeMap<String, String>) -> Result<Component, ManifestError> {
        let refused = |span: Range<usize>, what: &str, help: &str| text.error(Some(span), what, Some(help.to_owned()));
        if let Some(files) = self.files.as_ref().filter(|files| !files.get_ref().is_empty()) {
            return Err(refused(
                files.span(),
                "this host gives components no files",
                "put what is read into the component (`include_bytes!`) or a key-value store",
            ));
        }
        let asked = [
            (&self.sqlite_databases, "SQLite databases"),
            (&self.ai_models, "AI models"),
            (&self.allowed_http_hosts, "`allowed_http_hosts`"),
        ];
        for (asked, what) in asked {
            if let Some(asked) = asked.as_ref().filter(|asked| !asked.get_ref().is_empty()) {
                return Err(refused(
                    asked.span(),
                    &format!("this host does not know {what}"),
                    "use key-value stores and `allowed_outbound_hosts`, or run the app with Spin",
                ));
            }
        }
        if let Some(asked) = self.dependencies.as_ref().filter(|asked| !asked.get_ref().is_empty()) {
            return Err(refused(
                asked.span(),
                "this host does not compose components",
                "compose them beforehand (`wac plug`), so that the source needs nothing but the host",
            ));
        }
        let source = match self.source.get_ref() {
            SourceKey::Path(path) => path.clone(),
            SourceKey::Elsewhere(_) => {
                return Err(text.at(
                    &self.source,
                    "this host does not download components",
                    "download it, and write the path of the file",
                ));
            }
        };
        let fill = |value: &Spanned<String>| {
            let template = Template::parse(value.get_ref());
            template.and_then(|template| template.fill(values)).map_err(|error| {
                text.at(
                    value,
                    error.to_string(),
                    "`{{ name }}` stands for a variable that is declared under `[variables]`",
                )
            })
        };
        let mut variables = BTreeMap::new();
        for (name, value) in &self.variables {
            check_name(text, name, '_', true)?;
            variables.insert(name.get_ref().clone(), fill(value)?);
        }
        let mut allowed_outbound_hosts = AllowedHosts::default();
        for host in &self.allowed_outbound_hosts {
            let filled = fill(host)?;
            allowed_outbound_hosts
                .allow(&filled)
                .map_err(|error| text.at(host, error.to_string(), "examples: \"http://agent-red.spin.internal\", \"http://*.spin.internal\", \"http://127.0.0.1:8080\""))?;
        }
        let mut key_value_stores = BTreeSet::new();
        for label in &self.key_value_stores {
            let separator = if label.get_ref().contains('_') { '_' } else { '-' };
            check_name(text, label, separator, false)?;
            key_value_stores.insert(label.get_ref().clone());
        }
        Ok(Component {
            source,
            variables,
            environment: self.environment.clone(),
            key_value_stores,
            allowed_outbound_hosts,
        })
    }
}
