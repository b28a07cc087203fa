//! Every folder of `tests/cases` is a program, `input.egg` (or `.rules`, `.sexp`), and what is to come of it, `expected.txt`. With `BLESS=1` in the environment the
//! expectations are written instead of compared; read what changed before committing it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use eqmesh_egraph::rule::{Action, Atom, Operand, Query, Rule, Variable};
use eqmesh_language::{CommandKind, Diagnostic, Lines, Program, ProgramErrors, Signature, Statement, read_program};

fn position(text: &str, diagnostic: &Diagnostic) -> String {
    let (line, column) = Lines::new(text).position(diagnostic.span.start);
    let kind = if diagnostic.error { "error" } else { "warning" };
    let help = if diagnostic.help.is_empty() {
        String::new()
    } else {
        format!("\n    help: {}", diagnostic.help)
    };
    let place: String = text[diagnostic.span.clone()]
        .chars()
        .take(40)
        .map(|c| if c == '\n' { ' ' } else { c })
        .collect();
    format!(
        "{line}:{column} {kind} {}: {}\n    at: {place}{help}\n",
        diagnostic.code, diagnostic.message
    )
}

fn variable(query: &Query, variable: Variable) -> String {
    let info = &query.variables[variable.0 as usize];
    let name = if info.name.is_empty() {
        format!("#{}", variable.0)
    } else {
        format!("{}#{}", info.name, variable.0)
    };
    format!("{name}:{}", info.sort.name())
}

fn operand(query: &Query, operand: &Operand) -> String {
    match operand {
        Operand::Variable(own) => variable(query, *own),
        Operand::Value(value) => value.to_string(),
    }
}

fn list(query: &Query, operands: &[Operand]) -> String {
    operands
        .iter()
        .map(|own| operand(query, own))
        .collect::<Vec<_>>()
        .join(" ")
}

fn atoms(text: &mut String, query: &Query) {
    for atom in &query.atoms {
        let line = match atom {
            Atom::Row {
                operator,
                arguments,
                class,
            } => {
                let name = &query.operators[operator.0 as usize].name;
                format!("{name}({}) in {}", list(query, arguments), variable(query, *class))
            }
            Atom::Primitive {
                function,
                arguments,
                result,
            } => {
                format!("{function}({}) is {}", list(query, arguments), operand(query, result))
            }
            Atom::Equal(a, b) => format!("{} = {}", operand(query, a), operand(query, b)),
            Atom::Different(a, b) => format!("{} != {}", operand(query, a), operand(query, b)),
        };
        let _ = writeln!(text, "    match {line}");
    }
}

fn rule(text: &mut String, rule: &Rule) {
    let query = &rule.query;
    atoms(text, query);
    for action in &rule.actions {
        let line = match action {
            Action::Add {
                operator,
                arguments,
                class,
            } => {
                let name = &query.operators[operator.0 as usize].name;
                format!("add {} = {name}({})", variable(query, *class), list(query, arguments))
            }
            Action::Compute {
                function,
                arguments,
                result,
            } => {
                format!(
                    "compute {} = {function}({})",
                    variable(query, *result),
                    list(query, arguments)
                )
            }
            Action::Unite(a, b) => format!("unite {} {}", variable(query, *a), variable(query, *b)),
        };
        let _ = writeln!(text, "    {line}");
    }
}

fn statement(text: &mut String, statement: &Statement) {
    match statement {
        Statement::Declaration(operators) => {
            let operators: Vec<String> = operators.iter().map(|own| format!("{own} cost {}", own.cost)).collect();
            let _ = writeln!(text, "  declare [{}]", operators.join(", "));
        }
        Statement::Rules(rules) => {
            for own in rules {
                let declared = own.declared.map_or("-", eqmesh_egraph::color::Color::name);
                let _ = writeln!(text, "  rule {}\n    name {}", own.text, own.rule.name);
                let _ = writeln!(
                    text,
                    "    ruleset `{}` color {} declared {declared} reversed {}",
                    own.rule.ruleset,
                    own.rule.color.name(),
                    own.reversed
                );
                for (name, side) in [("left", &own.left), ("right", &own.right)] {
                    let _ = writeln!(
                        text,
                        "    {name} {} | {} | {}",
                        side.weight, side.left_first, side.right_first
                    );
                }
                rule(text, &own.rule);
            }
        }
        Statement::Term { label, text: term } => {
            let _ = writeln!(
                text,
                "  term {}{term}",
                label.as_ref().map(|own| format!("{own} = ")).unwrap_or_default()
            );
        }
        Statement::Equality { left, right } => {
            let _ = writeln!(text, "  equal {left} {right}");
        }
        Statement::Ruleset(name) => {
            let _ = writeln!(text, "  ruleset {name}");
        }
    }
}

fn program(program: &Program) -> String {
    let mut text = String::new();
    let mut signature = Signature::new();
    for command in &program.commands {
        let file = &program.files[command.file];
        let name = file.path.file_name().expect("a file has a name").to_string_lossy();
        let source = &file.text[command.span.clone()];
        let _ = writeln!(
            text,
            "{name}:{} {}",
            command.line,
            source.split_whitespace().collect::<Vec<_>>().join(" ")
        );
        match &command.kind {
            CommandKind::Declarative => {
                let elaborated = signature.elaborate(&command.text).expect("the program was checked");
                elaborated.statements.iter().for_each(|own| statement(&mut text, own));
            }
            CommandKind::Check(facts) => {
                let _ = writeln!(text, "  check {facts}");
                atoms(
                    &mut text,
                    &signature.compile_query(facts).expect("the program was checked"),
                );
            }
            CommandKind::Push(count) => {
                (0..*count).for_each(|_| signature.push());
                let _ = writeln!(text, "  {:?}", command.kind);
            }
            CommandKind::Pop(count) => {
                (0..*count).for_each(|_| assert!(signature.pop()));
                let _ = writeln!(text, "  {:?}", command.kind);
            }
            kind => {
                let _ = writeln!(text, "  {kind:?}");
            }
        }
    }
    for (file, warning) in &program.warnings {
        text.push_str(&position(&program.files[*file].text, warning));
    }
    text
}

fn outcome(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("the case has an input");
    match read_program(path, text, &mut |path| std::fs::read_to_string(path)) {
        Ok(read) => program(&read),
        Err(ProgramErrors { files, diagnostics }) => {
            let mut text = String::new();
            for (file, own) in diagnostics {
                let name = files[file]
                    .path
                    .file_name()
                    .expect("a file has a name")
                    .to_string_lossy();
                let _ = write!(text, "{name}:{}", position(&files[file].text, &own));
            }
            text
        }
    }
}

#[test]
fn every_case_gives_what_it_is_to_give() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    cases.sort();
    assert!(cases.len() > 20, "the cases are there");
    let mut wrong = Vec::new();
    for case in cases {
        let input = ["egg", "rules", "sexp"].map(|extension| case.join("input").with_extension(extension));
        let input = input
            .into_iter()
            .find(|path| path.exists())
            .expect("a case has an input");
        let (found, path) = (
            outcome(&input).replace(&*case.to_string_lossy(), "<case>"),
            case.join("expected.txt"),
        );
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, &found).expect("the expectation can be written");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if found != expected {
            wrong.push(format!(
                "== {}\n-- expected\n{expected}-- found\n{found}",
                case.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
