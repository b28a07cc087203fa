//! `wasi:keyvalue` and `wasi:config` as components see them.

use std::sync::Arc;

use eqmesh_host::{Host, Limits};
use http::StatusCode;

use crate::application::{Application, options};

#[tokio::test(flavor = "multi_thread")]
async fn stores_keep_what_components_put_in() {
    let app = Application::new(Limits::default());
    assert_eq!(
        app.get("/keyvalue/default/get/a").await,
        (StatusCode::OK, "None".into())
    );
    assert_eq!(app.post("/keyvalue/default/set/a", "first").await, "set");
    assert_eq!(app.get("/keyvalue/default/get/a").await.1, "Some(\"first\")");
    assert_eq!(app.get("/keyvalue/default/exists/a").await.1, "true");
    assert_eq!(app.get("/keyvalue/other/get/a").await.1, "None", "stores are apart");
    assert_eq!(app.post("/keyvalue/default/set/b", "").await, "set");
    assert_eq!(
        app.get("/keyvalue/default/get-many/a/b/c").await.1,
        "a=Some(\"first\") b=Some(\"\") c=None "
    );
    assert_eq!(app.get("/keyvalue/default/keys").await.1, "[\"a\", \"b\"]");
    assert_eq!(app.get("/keyvalue/default/delete/a").await.1, "deleted");
    assert_eq!(app.get("/keyvalue/default/delete/a").await.1, "deleted");
    assert_eq!(app.get("/keyvalue/default/exists/a").await.1, "false");
    assert_eq!(app.get("/keyvalue/default/delete-many/a/b").await.1, "deleted");
    assert_eq!(app.get("/keyvalue/default/keys").await.1, "[]");
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_go_on_past_a_page() {
    let app = Application::new(Limits::default());
    app.post("/keyvalue/default/set-many/12345", "v").await;
    let (_, keys) = app.get("/keyvalue/default/keys").await;
    let expected: Vec<String> = (0..12_345).map(|key| format!("{key:05}")).collect();
    assert_eq!(keys, format!("{expected:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_that_the_manifest_does_not_name_are_denied() {
    let app = Application::new(Limits::default());
    let denied = (StatusCode::INTERNAL_SERVER_ERROR, "Error::AccessDenied".to_owned());
    assert_eq!(app.get("/keyvalue/private/get/a").await, denied);
    assert_eq!(
        app.get("/two/x/keyvalue/default/get/a").await,
        denied,
        "another component's store"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_texts_are_kept_apart() {
    let app = Application::new(Limits::default());
    assert_eq!(app.get("/keyvalue/default/increment/n/5").await.1, "5");
    assert_eq!(app.get("/keyvalue/default/increment/n/-7").await.1, "-2");
    app.post("/keyvalue/default/set/text", "abc").await;
    let (status, error) = app.get("/keyvalue/default/increment/text/1").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(error.contains("the value of 3 bytes is no number"), "{error}");
    assert_eq!(app.get("/keyvalue/default/get/text").await.1, "Some(\"abc\")");
    let (_, error) = app.get(&format!("/keyvalue/default/increment/n/{}", i64::MIN)).await;
    assert!(error.contains("leaves the range"), "{error}");
    assert_eq!(app.get("/keyvalue/default/increment/n/0").await.1, "-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_saw_nothing_one_wins() {
    let app = Application::new(Limits::default());
    assert_eq!(app.get("/keyvalue/default/race/key").await.1, "true Some(\"one\")");
    assert_eq!(app.get("/keyvalue/default/get/key").await.1, "Some(\"one\")");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_many_writers_is_lost() {
    let app = Arc::new(Application::new(Limits::default()));
    let writers = (0..60).map(|writer| {
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            if writer % 2 == 0 {
                app.post("/keyvalue/default/append/text", "x").await
            } else {
                app.get("/keyvalue/default/increment/number/3").await.1
            }
        })
    });
    let mut lengths = Vec::new();
    let mut sums = Vec::new();
    for (writer, answer) in writers.collect::<Vec<_>>().into_iter().enumerate() {
        let number: usize = answer.await.expect("no panic").parse().expect("a number");
        if writer % 2 == 0 {
            lengths.push(number);
        } else {
            sums.push(number);
        }
    }
    lengths.sort_unstable();
    sums.sort_unstable();
    assert_eq!(lengths, (1..=30).collect::<Vec<_>>(), "each append came after another");
    assert_eq!(
        sums,
        (1..=30).map(|n| 3 * n).collect::<Vec<_>>(),
        "each increment came after another"
    );

    // All of it is in the file, and nothing else has it open once the host is gone.
    let app = Arc::into_inner(app).expect("all writers are done");
    let Application { host, state } = app;
    drop(host);
    let host = Host::load(&options(&state, Limits::default())).expect("loads again");
    let app = Application { host, state };
    assert_eq!(app.get("/keyvalue/default/increment/number/0").await.1, "90");
    assert_eq!(
        app.get("/keyvalue/default/get/text").await.1,
        format!("Some({:?})", "x".repeat(30))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_values_have_limits() {
    let app = Application::new(Limits::default());
    let (_, error) = app.get(&format!("/keyvalue/default/get/{}", "k".repeat(256))).await;
    assert!(error.contains("the key has 256 bytes; the limit is 255"), "{error}");
    assert_eq!(
        app.get(&format!("/keyvalue/default/get/{}", "k".repeat(255))).await.1,
        "None"
    );
    let large = vec![b'v'; (16 << 20) + 1];
    let request = crate::application::request(http::Method::POST, "/keyvalue/default/set/a", &[], large);
    let (_, error) = crate::application::whole(app.send(request).await).await;
    assert!(error.contains("the limit is 16777216"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn components_read_their_variables() {
    let app = Application::new(Limits::default());
    assert_eq!(
        app.get("/variable/endpoint").await.1,
        "Some(\"https://mesh.example/s3\")"
    );
    assert_eq!(
        app.get("/variable/host").await.1,
        "None",
        "variables of the application are not those of the component"
    );
    assert_eq!(
        app.get("/variables").await.1,
        "[(\"endpoint\", \"https://mesh.example/s3\")]"
    );
    assert_eq!(app.get("/environment/GREETING").await.1, "Some(\"hello\")");
    assert_eq!(app.get("/environment/PATH").await.1, "None");
}
