//! The application that `eqmesh run --serve` serves: the manifest of this repository, with any number of agents.

/// It has nine agents.
const NINE: &str = include_str!("../../../../spin.toml");

/// The colors of agents, in turn, as the files of their components are called.
const COLORS: [&str; 3] = ["red", "blue", "green"];

/// The manifest with so many agents. All of them are as its first one is, but for their number and color.
pub(crate) fn manifest(agents: u32) -> String {
    // A table goes from its heading to the next; what stands before the first one comes along.
    let mut tables: Vec<String> = vec![String::new()];
    for line in NINE.lines() {
        if line.starts_with('[') {
            tables.push(String::new());
        }
        let table = tables.last_mut().expect("there is one from the start");
        table.push_str(line);
        table.push('\n');
    }
    let (mut before, mut first, mut after) = (String::new(), String::new(), String::new());
    for table in tables {
        if is_of_an_agent(&table) {
            // How components are built is of no interest to who has them.
            let is_first = table.contains("agent0") && !table.starts_with("[component.agent0.build]");
            if is_first {
                first.push_str(&table);
            }
        } else if first.is_empty() {
            before.push_str(&table);
        } else {
            after.push_str(&table);
        }
    }
    let agent = |number: u32| {
        let color = COLORS[number as usize % COLORS.len()];
        let own = first.replace("agent0", &format!("agent{number}"));
        let own = own.replace("/agent/0/", &format!("/agent/{number}/"));
        let own = own.replace("agent_id = \"0\"", &format!("agent_id = \"{number}\""));
        own.replace("agent-red", &format!("agent-{color}"))
    };
    let own: String = (0..agents).map(agent).collect();
    format!("{before}{own}{after}").replace("agents = \"9\"", &format!("agents = \"{agents}\""))
}

/// Whether a table describes an agent, or the route to one.
fn is_of_an_agent(table: &str) -> bool {
    table.starts_with("[component.agent") || (table.starts_with("[[trigger.http]]") && table.contains("\"agent"))
}

#[cfg(test)]
mod tests {
    use toml::{Table, Value};

    use super::*;

    fn read(text: &str) -> Table {
        text.parse().expect("the manifest is TOML")
    }

    /// Without what says how components are built.
    fn without_builds(mut manifest: Table) -> Table {
        let components = manifest["component"].as_table_mut().unwrap();
        for component in components.iter_mut().map(|(_, own)| own.as_table_mut().unwrap()) {
            component.remove("build");
        }
        manifest
    }

    #[test]
    fn with_nine_agents_it_is_that_of_the_repository() {
        assert_eq!(read(&manifest(9)), without_builds(read(NINE)));
    }

    #[test]
    fn a_hundred_agents_have_a_route_a_number_and_a_color_each() {
        let manifest = read(&manifest(100));
        let components = manifest["component"].as_table().unwrap();
        assert_eq!(components.len(), 103);
        let routes = manifest["trigger"]["http"].as_array().unwrap();
        for number in 0..100 {
            let name = format!("agent{number}");
            let own = &components[&name];
            let color = ["red", "blue", "green"][number % 3];
            assert_eq!(own["source"], Value::from(format!("target/spin/agent-{color}.wasm")));
            assert_eq!(own["variables"]["agent_id"], Value::from(number.to_string()));
            let route = Value::from(format!("/agent/{number}/..."));
            let to: Vec<&Value> = routes.iter().filter(|own| own["route"] == route).collect();
            assert!(matches!(to[..], [own] if own["component"] == Value::from(name)));
        }
        for (_, component) in components {
            assert_eq!(component["variables"]["agents"], Value::from("100"));
        }
    }
}
