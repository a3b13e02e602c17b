//! An external database: the rights the login needs, and the messages if they are missing.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use crate::test_dir::{DirectAccess, TestDir};

/// Returns whether a message is one sentence, without PostgreSQL source locations and repetitions.
fn is_plain(message: &str) -> bool {
    let causes: Vec<&str> = message.trim().split(": ").collect();
    let mut different = causes.clone();
    different.sort_unstable();
    different.dedup();
    !message.contains(" at line ") && !message.contains(".c:") && different.len() == causes.len()
}

#[tokio::test]
async fn a_login_without_a_right_gets_the_name_of_the_right_and_the_grant() {
    // The roles are global to this private server, which no other test uses.
    let test_dir = TestDir::new();
    let mut direct = DirectAccess::new(&test_dir).await;
    direct
        .execute(
            "create role plain login password 'right'; create role maker login createrole; \
             create role second login createrole; create database of_plain owner plain; \
             create database of_maker owner maker; create database of_second owner second; \
             create database of_nobody",
        )
        .await;
    let hba = test_dir.data().join("pg/pg_hba.conf");
    let before = fs::read_to_string(&hba).expect("it is there");
    fs::write(&hba, format!("local all plain scram-sha-256\n{before}")).expect("our own file");
    direct.execute("select pg_reload_conf()").await;
    let socket = direct.query::<String>("select current_setting('unix_socket_directories')").await;
    let socket = socket.trim_matches('"').replace('/', "%2F");
    let migrate = |login: &str, database: &str| {
        let (login, password) = login.split_once(':').unwrap_or((login, ""));
        let url = format!(
            "postgres:///{database}?host={socket}&port=5432&user={login}&password={password}"
        );
        // A connection that starts during the reload still gets the old rules.
        test_dir.run(&["migrate", "--data-dir", "elsewhere", "--database-url", &url])
    };

    for (login, database, message) in [
        ("plain:wrong", "of_plain", "refuses the password of login plain"),
        ("plain:right", "nowhere", "no database nowhere"),
        ("plain:right", "of_plain", "alter role plain createrole"),
        ("maker", "of_nobody", "alter database of_nobody owner to maker"),
    ] {
        let ran = migrate(login, database);
        assert_eq!(ran.code, 1, "{login} {database}: {}", ran.stdout);
        assert!(ran.stderr.contains(message), "{login} {database}: {}", ran.stderr);
        assert!(is_plain(&ran.stderr), "{}", ran.stderr);
        assert!(!ran.stderr.contains("wrong"), "a password is not repeated: {}", ran.stderr);
    }
    let made = migrate("maker", "of_maker");
    assert_eq!(made.code, 0, "an owner that may make roles: {}", made.stderr);

    let ran = migrate("plain:right", "of_plain");
    let grant = "grant ledger_owner, ledger_app, ledger_projector to plain";
    assert!(ran.code == 1 && ran.stderr.contains(grant), "{}", ran.stderr);
    assert!(is_plain(&ran.stderr), "{}", ran.stderr);
    // The grant is that of the installation page.
    for login in ["plain", "second"] {
        direct
            .execute(&format!("grant ledger_owner, ledger_app, ledger_projector to {login}"))
            .await;
    }
    for (login, database) in [("plain:right", "of_plain"), ("second", "of_second")] {
        let ran = migrate(login, database);
        assert_eq!(ran.code, 0, "{login}: {}", ran.stderr);
    }
    direct.close().await;
}

/// A fake pooler in transaction mode: every connection is served by the same backend process.
fn shared_backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || drop(answer(stream)));
        }
    });
    address
}

/// Implements the simple query protocol of PostgreSQL as far as the check needs it.
fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    const READY: &[u8] = b"Z\0\0\0\x05I";
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("small") - 4];
        stream.read_exact(&mut body)?;
        if body[..4] == 80_877_103_u32.to_be_bytes() {
            stream.write_all(b"N")?;
            continue;
        }
        break;
    }
    stream.write_all(&[b"R\0\0\0\x08\0\0\0\0", READY].concat())?;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes(head[1..].try_into().expect("four bytes"));
        let mut body = vec![0; usize::try_from(length).expect("small") - 4];
        stream.read_exact(&mut body)?;
        if head[0] != b'Q' {
            return Ok(());
        }
        if body.starts_with(b"select pg_backend_pid()") {
            // One column of type int4, and one row: 4711.
            stream.write_all(
                b"T\0\0\0\x1c\0\x01pid\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0",
            )?;
            stream.write_all(b"D\0\0\0\x0e\0\x01\0\0\0\x044711")?;
            stream.write_all(b"C\0\0\0\x0dSELECT 1\0")?;
        } else {
            stream.write_all(b"C\0\0\0\x0aBEGIN\0")?;
        }
        stream.write_all(READY)?;
    }
}

#[test]
fn a_pooler_in_transaction_mode_is_reported_at_the_start_and_by_doctor() {
    let test_dir = TestDir::new();
    let url = format!("postgres://ledger@{}/ledger", shared_backend());
    for command in ["serve", "migrate"] {
        let ran = test_dir.run(&[command, "--database-url", &url]);
        assert_eq!(ran.code, 1, "{command}");
        assert!(ran.stderr.contains("a pooler in transaction mode"), "{}", ran.stderr);
        assert!(ran.stderr.contains("pool_mode = session"), "{}", ran.stderr);
    }
    let examined = test_dir.run(&["doctor", "--output", "json", "--database-url", &url]);
    let examined: serde_json::Value = serde_json::from_str(&examined.stdout).expect("JSON");
    let checks = examined["checks"].as_array().expect("checks");
    let pooler = checks.iter().find(|check| check["check"] == "pooler").expect("it is looked at");
    assert_eq!(pooler["state"], "failed");
}

#[test]
fn a_url_of_another_kind_is_refused_with_the_form_that_is_taken_and_without_its_password() {
    let test_dir = TestDir::new();
    let form = "postgres://LOGIN@HOST/DATABASE";
    for (url, message) in [
        ("", "it is empty"),
        ("nonsense", "it has no scheme"),
        ("root:hidden-word@db.example.com/ledger", "it has no scheme"),
        ("mysql://root:hidden-word@db.example.com/ledger", "it begins with mysql:"),
        ("hidden-word:hidden-word@db.example.com/ledger", "it has no scheme"),
        ("postgres://ledger:hidden/word@db.example.com/ledger", "percent-encoded"),
        ("postgres://ledger:hidden-word@db.example.com:port/ledger", "invalid port number"),
        ("postgres://ledger:hidden-word@db.example.com/ledger?sslmode=hidden-word", "sslmode"),
    ] {
        for command in [&["tenant", "list"][..], &["migrate"], &["config", "check"]] {
            let ran = test_dir.run(&[command, &["--database-url", url]].concat());
            assert_eq!(ran.code, 2, "{url:?}: {}", ran.stdout);
            assert!(ran.stderr.contains(message), "{url:?}: {}", ran.stderr);
            assert!(ran.stderr.contains(form), "{url:?}: {}", ran.stderr);
            assert!(ran.stderr.contains("database_url"), "{url:?}: {}", ran.stderr);
            assert!(!ran.stderr.contains("hidden"), "{url:?}: {}", ran.stderr);
            assert_eq!(ran.stdout, "");
        }
    }
    assert_eq!(
        test_dir.postgres(),
        None,
        "no private PostgreSQL takes the place of the one that was named"
    );
}
