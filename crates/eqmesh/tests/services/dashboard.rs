//! What the dashboard answers: its page, the status, the stream of events, and the views.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::application::{Answer, Application};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn ok(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json()
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|own| own.as_str().unwrap())
        .collect()
}

/// A stream of events, read line by line over a connection of its own.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(network: &Application) -> Stream {
        let address = network.url.strip_prefix("http://").unwrap();
        let mut connection = TcpStream::connect(address).unwrap();
        connection.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        write!(
            connection,
            "GET /events HTTP/1.1\r\nhost: {address}\r\naccept: text/event-stream\r\n\r\n"
        )
        .unwrap();
        let mut reader = BufReader::new(connection);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("content-type: text/event-stream"), "{head}");
        Stream(reader)
    }

    /// The next status. What frames the chunks is in lines of its own, as every event ends with an empty line.
    fn status(&mut self) -> Value {
        let mut line = String::new();
        let mut data = String::new();
        loop {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
            if let Some(begin) = line.strip_prefix("data: ") {
                begin.trim_end_matches(['\r', '\n']).clone_into(&mut data);
            } else if !data.is_empty() {
                // An event longer than a chunk goes on after a line with the next one's size.
                let size = line.trim();
                let goes_on = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !goes_on && !size.is_empty() {
                    data.push_str(line.trim_end_matches(['\r', '\n']));
                }
            }
            if let Ok(status) = serde_json::from_str(&data) {
                return status;
            }
        }
    }
}

#[test]
fn the_page_is_served_compressed_and_only_what_belongs_to_it_runs() {
    let state = tempfile::tempdir().unwrap();
    let network = Application::start(state.path(), false);
    for (path, media) in [
        ("/", "text/html; charset=utf-8"),
        ("/assets/app.js", "text/javascript; charset=utf-8"),
        ("/assets/app.css", "text/css; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ] {
        let plain = network.request("GET", path, &[("accept-encoding", "identity")], b"");
        assert_eq!(
            (plain.status, plain.header("content-type")),
            (200, Some(media)),
            "{path}"
        );
        assert_eq!(plain.header("content-security-policy"), Some(POLICY));
        assert_eq!(plain.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(plain.header("cache-control"), Some("no-cache"));
        assert_eq!(plain.header("content-encoding"), None);
        let packed = network.request("GET", path, &[("accept-encoding", "br, gzip;q=0.5")], b"");
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{path}");
        assert_eq!(packed.body[..2], [0x1f, 0x8b]);
        assert_eq!(packed.header("vary"), Some("accept-encoding"));
        assert_ne!(packed.header("etag"), plain.header("etag"));
        let refused = network.request("GET", path, &[("accept-encoding", "gzip;q=0")], b"");
        assert_eq!(refused.body, plain.body);
        let tag = plain.header("etag").unwrap();
        let again = network.request(
            "GET",
            path,
            &[("if-none-match", tag), ("accept-encoding", "identity")],
            b"",
        );
        assert_eq!((again.status, again.body.len()), (304, 0));
        let head = network.request("HEAD", path, &[("accept-encoding", "identity")], b"");
        assert_eq!((head.status, head.body.len(), head.header("etag")), (200, 0, Some(tag)));
    }
    let plain = network.get("/plain");
    assert!(String::from_utf8_lossy(&plain.body).contains("9 of 9 agents"));
    assert_eq!(network.request("POST", "/", &[], b"x").status, 405);
    assert_eq!(network.get("/assets/nothing.js").status, 404);
    assert_eq!(
        network.get("/?x=1").status,
        200,
        "a page may be opened with anything behind it"
    );
}

#[test]
fn the_views_show_what_the_agents_hold() {
    let state = tempfile::tempdir().unwrap();
    let network = Application::start(state.path(), true);

    // Before there is anything.
    let empty = network.get("/view/egraph");
    assert_eq!((empty.status, &empty.json()["type"]), (404, &"#absent".into()));
    let fresh = ok(&network.get("/status"));
    assert_eq!(fresh["groups"].as_array().unwrap().len(), 1);

    let examples = ok(&network.get("/view/examples"));
    let sums = &examples[0];
    assert_eq!(sums["name"], "sums");
    let taken = network.submit(2, sums["text"].as_str().unwrap());
    assert_eq!(taken.status, 200, "{}", String::from_utf8_lossy(&taken.body));
    let status = network.converged();

    // The status.
    assert!(status["at"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(
        status["summary"],
        "9 of 9 agents hold the same graph · lag 0 facts · converged"
    );
    assert_eq!(
        (
            status["links"].as_array().unwrap().len(),
            status["ring"].as_array().unwrap().len()
        ),
        (36, 9)
    );
    assert!(status["latency"]["count"].as_u64().unwrap() > 0);
    for agent in status["agents"].as_array().unwrap() {
        assert_eq!(agent["health"], "converged");
        let colors = &agent["colors"];
        let most = ["red", "blue", "green"].map(|color| colors[color].as_u64().unwrap());
        assert!(
            most.iter().all(|&count| count <= agent["enodes"].as_u64().unwrap()),
            "{colors}"
        );
        assert!(
            most.iter().sum::<u64>() >= agent["enodes"].as_u64().unwrap(),
            "every node was made in some color"
        );
        assert!(agent["counts"]["received"].as_u64().unwrap() > 0);
        // What a color lists is what is counted.
        let green = ok(&network.get(&format!("/agent/{}/egraph?color=green&limit=1000", agent["id"])));
        assert_eq!(green["rows"].as_array().unwrap().len() as u64, most[2]);
        assert!(
            green["rows"]
                .as_array()
                .unwrap()
                .iter()
                .all(|row| strings(&row["colors"]).contains(&"green"))
        );
    }
    let wrong = network.get("/agent/0/egraph?color=mauve");
    assert_eq!(wrong.status, 400);

    // The timeline.
    let view = ok(&network.get("/view/timeline?limit=2000"));
    let events = view["events"].as_array().unwrap();
    assert_eq!(
        (view["shown"].as_u64(), view["lanes"].as_array().unwrap().len()),
        (Some(events.len() as u64), 9)
    );
    assert_eq!(view["silent"].as_array().unwrap().len(), 0);
    for arrow in view["arrows"].as_array().unwrap() {
        let (from, to) = (
            &events[arrow["from"].as_u64().unwrap() as usize],
            &events[arrow["to"].as_u64().unwrap() as usize],
        );
        assert_eq!(
            (from["kind"].as_str(), to["kind"].as_str()),
            (Some("sent"), Some("received"))
        );
        assert_eq!(to["cause"], from["id"]);
    }
    // Every number is one of an agent's own timeline.
    let own = ok(&network.get("/agent/0/timeline?limit=100000"));
    let listed = own["events"].as_array().unwrap();
    for event in events.iter().filter(|event| event["lane"] == 0).take(20) {
        let same = listed.iter().find(|own| own["index"] == event["index"]);
        if let Some(same) = same {
            assert_eq!(
                (&same["kind"], &same["bytes"], &same["at"]["micros"]),
                (&event["kind"], &event["bytes"], &event["at"])
            );
        }
    }
    // The limit counts the events that are wanted, not those before them.
    let after = listed[listed.len() / 2]["at"]["micros"].as_u64().unwrap();
    let one = ok(&network.get(&format!("/agent/0/timeline?limit=1&after={after}")));
    let first = listed.iter().find(|event| event["at"]["micros"].as_u64() > Some(after));
    assert_eq!(
        (one["events"].as_array().map(Vec::len), &one["events"][0]["index"]),
        (Some(1), &first.unwrap()["index"])
    );
    // What had happened up to a moment.
    let moment = events[events.len() / 2]["at"].as_u64().unwrap();
    let then = ok(&network.get(&format!("/view/timeline?limit=2000&until={moment}")));
    let before = then["events"].as_array().unwrap();
    assert!(!before.is_empty() && before.iter().all(|event| event["at"].as_u64() <= Some(moment)));
    assert_eq!(before.last().unwrap()["id"], {
        let last = events.iter().rfind(|event| event["at"].as_u64() <= Some(moment));
        last.unwrap()["id"].clone()
    });
    let two = ok(&network.get("/view/timeline?limit=5&agents=1,2&kinds=sent"));
    let two = two["events"].as_array().unwrap();
    assert!(
        two.len() <= 5
            && two
                .iter()
                .all(|event| event["kind"] == "sent" && [1, 2].contains(&event["lane"].as_u64().unwrap()))
    );
    let last = events.last().unwrap()["at"].as_u64().unwrap();
    assert!(
        ok(&network.get(&format!("/view/timeline?after={last}")))["events"]
            .as_array()
            .unwrap()
            .iter()
            .all(|event| event["at"].as_u64() > Some(last))
    );
    let ruled: Vec<&Value> = events.iter().filter(|event| !event["rule"].is_null()).collect();
    if let Some(event) = ruled.first() {
        let rule = event["rule"].as_str().unwrap();
        let asked: String = form(rule);
        let filtered = ok(&network.get(&format!("/view/timeline?limit=2000&rule={asked}")));
        assert!(
            filtered["events"]
                .as_array()
                .unwrap()
                .iter()
                .all(|event| event["rules"][rule].as_u64() > Some(0))
        );
    }
    for (format, media) in [
        ("json", "application/json"),
        ("perfetto", "application/json"),
        ("svg", "image/svg+xml"),
    ] {
        let exported = network.get(&format!("/view/timeline?format={format}&limit=50"));
        assert_eq!((exported.status, exported.header("content-type")), (200, Some(media)));
    }

    // The e-graph.
    let picture = ok(&network.get("/view/egraph?agent=4&term=sum&classes=5"));
    let classes = picture["classes"].as_array().unwrap();
    assert_eq!((classes.len(), picture["shown"].as_u64()), (5, Some(5)));
    assert_eq!(picture["note"], format!("5 of {} classes", picture["total"]));
    assert_eq!(
        (&classes[0]["best"], &classes[0]["layer"]),
        (&"(Num 12)".into(), &0.into())
    );
    assert_eq!(classes[0]["nodes"][0]["best"], true);
    assert_eq!(picture["center"], classes[0]["id"]);
    let whole = ok(&network.get("/view/egraph?term=sum&classes=400"));
    assert_eq!(whole["shown"], whole["total"]);
    let hides = classes
        .iter()
        .find(|class| {
            class["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .any(|node| node["hidden"].as_u64() > Some(0))
        })
        .unwrap();
    let id: String = form(hides["id"].as_str().unwrap());
    let expanded = ok(&network.get(&format!("/view/egraph?term=sum&classes=5&expand={id}")));
    assert!(expanded["shown"].as_u64() > Some(5));
    let same = expanded["classes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|class| class["id"] == hides["id"])
        .unwrap();
    assert!(same["nodes"].as_array().unwrap().iter().all(|node| node["hidden"] == 0));
    let tagged = network.get("/view/egraph?term=sum");
    let tag = tagged.header("etag").unwrap();
    let again = network.request("GET", "/view/egraph?term=sum", &[("if-none-match", tag)], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let other = network.request(
        "GET",
        "/view/egraph?term=sum",
        &[("if-none-match", "\"other-0.1.0\"")],
        b"",
    );
    assert_eq!((other.status, other.header("etag")), (200, Some(tag)));
    let digest = status["agents"][0]["state_digest"].as_str().unwrap();
    assert!(tag.starts_with(&format!("\"{digest}-")), "{tag}");
    let again = network.request("GET", "/view/search?q=12&limit=3", &[("if-none-match", tag)], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    let found = ok(&network.get("/view/search?q=12&limit=3"));
    assert_eq!(found["classes"][0]["id"], "(Num 12)");
    assert!(found["shown"].as_u64() <= Some(3));
    assert_eq!(ok(&network.get("/view/search?q=nothing-like-this"))["shown"], 0);

    // Every question of an example has an answer.
    for question in sums["questions"].as_array().unwrap() {
        let text = |name: &str| form(question[name].as_str().unwrap());
        let path = match question["kind"].as_str().unwrap() {
            "extract" => format!("/agent/8/extract?term={}", text("term")),
            "check" => format!("/agent/8/check?facts={}", text("facts")),
            _ => format!("/agent/8/explain?a={}&b={}", text("a"), text("b")),
        };
        let answer = ok(&network.get(&path));
        assert_ne!(answer["holds"], false, "{question}");
    }

    // What is wrong is refused, with a reason.
    for (path, status) in [
        ("/view/timeline?kinds=nothing", 400),
        ("/view/timeline?agents=x", 400),
        ("/view/timeline?limit=2001", 400),
        ("/view/timeline?format=pdf", 400),
        ("/view/timeline?x=1", 400),
        ("/view/egraph?agent=9", 400),
        ("/view/egraph?classes=401", 400),
        ("/view/egraph?term=(", 422),
        ("/view/egraph?term=(Num+77)", 404),
        ("/view/search?limit=x", 400),
        ("/status?x=1", 400),
        ("/events?x=1", 400),
    ] {
        let answer = network.get(path);
        assert_eq!(
            answer.status,
            status,
            "{path}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{path}"
        );
        assert!(!answer.json()["detail"].as_str().unwrap().is_empty());
    }
}

/// A value of a query's parameter.
fn form(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02x}"),
        })
        .collect()
}

#[test]
fn events_begin_at_once_tell_of_changes_and_end_when_nobody_listens() {
    let state = tempfile::tempdir().unwrap();
    let network = Application::start(state.path(), true);
    let mut stream = Stream::open(&network);
    let first = stream.status();
    assert_eq!(first["agents"].as_array().unwrap().len(), 9);
    assert_eq!(network.submit(0, "(datatype T (A) (F T)) (let x (F (A)))").status, 200);
    let start = Instant::now();
    loop {
        let status = stream.status();
        if status["agents"][8]["facts"].as_u64() > Some(0) {
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "{status}");
    }
    // Sixty-four streams are all that there is room for; whoever goes away makes room for others.
    drop(stream);
    for round in 0..3 {
        let streams: Vec<Stream> = (0..40).map(|_| Stream::open(&network)).collect();
        assert_eq!(
            network.get("/status").status,
            200,
            "round {round}: the page is served meanwhile"
        );
        drop(streams);
        std::thread::sleep(Duration::from_millis(1_500));
    }
    let mut last = Stream::open(&network);
    last.status();
    let mut rest = [0; 1];
    assert_eq!(last.0.read(&mut rest).unwrap(), 1);
}
