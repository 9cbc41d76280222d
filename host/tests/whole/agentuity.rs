//! The folder for Agentuity: what is staged, and the host out of it, unpacked and started as the
//! platform does it.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use crate::deployment::{Deployment, Port, Started};
use crate::support::collector::Collector;
use crate::support::{Floor, LOOK, PATIENCE, Setup, guest_bytes};

/// Who runs processes on Agentuity.
const USER: u32 = 1022;
const GROUP: u32 = 1777;

/// What is staged, but for the agents and the host.
const FILES: [&str; 7] = [
    "agentuity.d.ts",
    "agentuity.json",
    "launch.json",
    "package-lock.json",
    "package.json",
    "start.sh",
    "tsconfig.json",
];

fn templates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/agentuity")
}

fn template(name: &str) -> Value {
    serde_json::from_slice(&fs::read(templates().join(name)).unwrap()).unwrap()
}

fn stage(out: &Path, agents: &Path) {
    let mut command = Command::new(templates().join("stage"));
    command.arg(out).arg(agents).arg(env!("CARGO_BIN_EXE_hotpit"));
    assert!(command.status().unwrap().success());
}

/// The file of the host in a staged folder.
fn host_file() -> String {
    format!("bin/hotpit-{}", std::env::consts::ARCH)
}

/// Every file below a folder by its name in it, with mode and content. There is nothing else.
fn files(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    fn below(root: &Path, folder: &Path, all: &mut BTreeMap<String, (u32, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap();
            if kind.is_dir() {
                below(root, &path, all);
                continue;
            }
            assert!(kind.is_file(), "{} is no plain file", path.display());
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            all.insert(name, (kind.permissions().mode() & 0o7777, fs::read(&path).unwrap()));
        }
    }
    let mut all = BTreeMap::new();
    below(folder, folder, &mut all);
    all
}

#[test]
fn what_is_staged_is_the_same_each_time_and_no_more_than_belongs_there() {
    let folder = tempfile::tempdir().unwrap();
    let agents = folder.path().join("agents");
    fs::create_dir_all(agents.join("maker/src")).unwrap();
    let put = |name: &str, text: &str| fs::write(agents.join(name), text).unwrap();
    put("maker.wasm", "code");
    put("maker.toml", "live = false");
    put(".late.wasm.part", "half");
    put(".env", "SECRET=1");
    put("maker/Cargo.toml", "[package]");
    symlink(agents.join("maker.wasm"), agents.join("linked.wasm")).unwrap();

    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    stage(&first, &agents);
    stage(&second, &agents);
    let staged = files(&first);
    assert!(staged == files(&second), "two stagings differ");
    let host = host_file();
    let agent_files = ["agents/linked.wasm", "agents/maker.toml", "agents/maker.wasm", &host];
    let mut expected: Vec<&str> = FILES.into_iter().chain(agent_files).collect();
    expected.sort_unstable();
    assert_eq!(staged.keys().collect::<Vec<_>>(), expected);
    for (name, (mode, _)) in &staged {
        assert_eq!(*mode, 0o644, "{name}");
    }
    let built = fs::metadata(env!("CARGO_BIN_EXE_hotpit")).unwrap().len();
    let size = u64::try_from(staged[&host].1.len()).unwrap();
    println!("the host: {size} bytes of {built}");
    assert!(size < built, "the host is not stripped");

    // What `agentuity project import` writes stays, and what is no agent any more goes.
    fs::write(first.join("agentuity.json"), "{}").unwrap();
    fs::write(first.join(".env"), "AGENTUITY_SDK_KEY=1").unwrap();
    fs::remove_file(agents.join("maker.wasm")).unwrap();
    fs::remove_file(agents.join("linked.wasm")).unwrap();
    stage(&first, &agents);
    let again = files(&first);
    assert_eq!(again["agentuity.json"].1, b"{}");
    assert!(again.contains_key(".env") && !again.contains_key("agents/maker.wasm"));
}

#[test]
fn the_launcher_and_the_package_are_what_agentuity_reads() {
    let launch = template("launch.json");
    let process = &launch["processes"][0];
    assert_eq!(launch["processes"].as_array().unwrap().len(), 1);
    assert_eq!(process["type"], "web");
    assert_eq!(process["command"], "sh ./start.sh", "a command must not need a run bit");
    assert_eq!(process["default"], true);
    assert_eq!(launch["runtime"]["port"], 3000);
    assert!(launch.get("static").is_none(), "files would be published");
    let start = fs::read_to_string(templates().join("start.sh")).unwrap();
    assert!(start.contains("${PORT:-3000}"), "the port of the launcher is that of the script");

    let (package, lock) = (template("package.json"), template("package-lock.json"));
    let version = env!("CARGO_PKG_VERSION");
    for described in [&package, &lock, &lock["packages"][""]] {
        assert_eq!(described["version"], version);
        assert_eq!(described["name"], package["name"]);
    }
    assert_eq!(lock["lockfileVersion"], 3);
    assert_eq!(package["scripts"]["start"], process["command"]);
    let scripts: Vec<_> = package["scripts"].as_object().unwrap().keys().collect();
    assert_eq!(scripts, ["deploy", "dev", "start"], "others would be run by the platform");
    for key in ["dependencies", "devDependencies"] {
        assert!(package.get(key).is_none(), "there is nothing to install: {key}");
    }
}

/// The keys that the published schema of agentuity.json (v1) allows at a place that we use, and
/// those that it requires there. A key that it does not know is an error.
const SCHEMA: [(&str, &[&str], &[&str]); 4] = [
    (
        "",
        &[
            "$schema",
            "projectId",
            "orgId",
            "region",
            "deployment",
            "build",
            "skipGitSetup",
            "template",
        ],
        &["projectId", "orgId", "region"],
    ),
    ("/deployment", &["resources", "mode", "dependencies", "domains"], &[]),
    ("/deployment/resources", &["memory", "cpu", "disk"], &["memory", "cpu", "disk"]),
    ("/deployment/mode", &["type", "idle"], &["type"]),
];

#[test]
fn the_project_file_keeps_to_the_schema() {
    let project = template("agentuity.json");
    for (place, allowed, required) in SCHEMA {
        let object = project.pointer(place).unwrap().as_object().unwrap();
        for key in object.keys() {
            assert!(allowed.contains(&key.as_str()), "{place}/{key} is not in the schema");
        }
        for key in required {
            assert!(object.contains_key(*key), "{place}/{key} is required");
        }
    }
    let text = |place: &str| project.pointer(place).unwrap().as_str().unwrap().to_owned();
    for place in ["/projectId", "/orgId", "/region"] {
        assert!(!text(place).is_empty(), "{place}");
    }
    assert_eq!(text("/deployment/mode/type"), "provisioned", "others are put to sleep when idle");
    for (place, unit) in [("memory", "Mi"), ("disk", "Gi"), ("cpu", "m")] {
        let amount = text(&format!("/deployment/resources/{place}"));
        let number = amount.strip_suffix(unit).unwrap_or_else(|| panic!("{place}: {amount}"));
        assert!(number.parse::<u32>().unwrap() > 0, "{place}: {amount}");
    }
    assert_eq!(project["deployment"]["domains"], Value::Array(vec![]));
}

/// A staged folder as it arrives: packed and unpacked, with no run bit on any file.
fn unpacked(deployment: &Deployment, agents: &Path, is_users: bool) -> PathBuf {
    let staged = deployment.path("staged");
    stage(&staged, agents);
    let archive = deployment.path("deployment.tar");
    let packed = Command::new("tar")
        .args(["--mode=u=rwX,go=rX", "-cf"])
        .arg(&archive)
        .arg("-C")
        .arg(&staged)
        .arg(".")
        .status();
    assert!(packed.unwrap().success());
    let app = deployment.folder("app");
    let mut unpack = if is_users {
        deployment.command("tar", &app)
    } else {
        let mut unpack = Command::new("tar");
        unpack.arg("--no-same-owner").current_dir(&app);
        unpack
    };
    assert!(unpack.arg("-xf").arg(&archive).status().unwrap().success());
    if !is_users {
        std::os::unix::fs::chown(&app, Some(0), Some(0)).unwrap();
        fs::set_permissions(&app, fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert!(files(&app).values().all(|(mode, _)| *mode == 0o644), "a run bit came through");
    app.canonicalize().unwrap()
}

/// Nothing that shows or changes something is open to whoever reaches the port.
async fn assert_only_health_is_open(port: &Port) {
    for path in ["/_health", "/_agentuity/health"] {
        assert_eq!(port.get(path).await, (200, "OK".into()), "{path}");
    }
    for path in ["/_idle", "/_agentuity/idle"] {
        assert_eq!(port.get(path).await, (200, "NO".into()), "{path}");
    }
    let (status, told) = port.get("/health").await;
    assert_eq!(status, 200);
    assert!(told.starts_with("{\"status\":\"") && !told.contains("troubles"), "{told}");
    for path in ["/", "/status", "/agents", "/positions", "/orders", "/metrics", "/_agentuity/x"] {
        let (status, told) = port.get(path).await;
        assert_eq!(status, 401, "{path}: {told}");
    }
    for path in ["/halt", "/resume", "/_health"] {
        let (status, told) = port.post(path).await;
        assert_eq!(status, 401, "{path}: {told}");
    }
}

async fn until_it_runs(floor: &Floor, port: &Port, agent: &str) {
    floor
        .until_so(&format!("{agent} runs"), async || {
            let agents = port.read("/agents").await;
            let found = agents.as_array().unwrap().iter().find(|line| line["agent"] == agent);
            found.is_some_and(|line| line["phase"] == "running")
        })
        .await;
}

/// Deploys one agent, drops another, sees both live, and ends the outermost process.
async fn a_deployment_lives_and_ends(is_shell: bool, is_users: bool) {
    let floor = Floor::open(&Setup::with(&[])).await;
    let mut deployment = Deployment::of(USER, GROUP);
    let agents = deployment.path("agents");
    fs::create_dir(&agents).unwrap();
    fs::write(agents.join("deployed.wasm"), guest_bytes("win_probability")).unwrap();
    let app = unpacked(&deployment, &agents, is_users);
    let data = deployment.folder("data");
    deployment.variables_of(&floor);
    deployment.variable("AGENTUITY_DATA_DIR", data.to_str().unwrap());
    deployment.variable("PORT", "0");
    let collector = Collector::start().await;
    deployment.variable("AGENTUITY_OTLP_URL", &collector.endpoint);
    // Written as it comes, and read percent-encoded.
    deployment.variable("AGENTUITY_SDK_KEY", "sk-hunter2,%ff");
    deployment.variable("AGENTUITY_CLOUD_PROJECT_ID", "proj_1");

    let launch: Value =
        serde_json::from_slice(&fs::read(app.join("launch.json")).unwrap()).unwrap();
    let command = launch["processes"][0]["command"].as_str().unwrap();
    let began = Instant::now();
    let mut started = if is_shell {
        deployment.start("sh", &app).with(&["-c", command])
    } else {
        let words: Vec<&str> = command.split(' ').collect();
        deployment.start(words[0], &app).with(&words[1..])
    };
    let port = Port::open(&data.join("state"), &started).await;
    assert_only_health_is_open(&port).await;
    println!("{:>8} ms  until it was healthy", began.elapsed().as_millis());
    until_it_runs(&floor, &port, "deployed").await;

    let part = app.join("agents/.dropped.part");
    fs::write(&part, guest_bytes("market_maker")).unwrap();
    fs::rename(part, app.join("agents/dropped.wasm")).unwrap();
    until_it_runs(&floor, &port, "dropped").await;
    floor
        .until_so("its orders work at the exchange", async || {
            !floor.audit().await["open_orders"].as_array().unwrap().is_empty()
        })
        .await;
    let mut asked = deployment.command("sh", &app);
    let told = asked.args(["start.sh", "agents"]).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("dropped"), "{told}\n{}", started.said());
    floor.until_so("its traces come", async || !collector.got().spans.is_empty()).await;
    {
        let got = collector.got();
        assert_eq!(got.authorizations[0].as_deref(), Some("Bearer sk-hunter2,%ff"));
        let resource = &got.resources[0];
        assert!(resource.contains("projectId") && resource.contains("proj_1"), "{resource}");
    }
    if !is_users {
        assert!(data.join("hotpit").is_file(), "it runs from where it can be made runnable");
    }

    assert!(!started.family().is_empty());
    started.terminate().await;
    floor.until_so("nobody is left", async || started.family().is_empty()).await;
    let open = floor.audit().await["open_orders"].clone();
    assert_eq!(open, Value::Array(vec![]), "{}", started.said());
    assert_quiet_about_the_key(&floor, &started);
}

fn assert_quiet_about_the_key(floor: &Floor, started: &Started) {
    let (pem, said) = (fs::read_to_string(&floor.key.private_key).unwrap(), started.said());
    let secrets = pem.lines().filter(|line| !line.starts_with("-----"));
    for secret in secrets.chain(["sk-hunter2"]) {
        assert!(!said.contains(secret), "the log has a part of a secret");
    }
    assert!(said.contains("\"message\":\"ending: canceling what works\""), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_a_shell_starts_trades_and_leaves_no_orphan() {
    a_deployment_lives_and_ends(true, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_that_is_started_by_its_words_trades_from_a_folder_that_is_not_its_own() {
    // Only root can give a folder away.
    let is_users = hotpit_rt::user::effective_id() != 0;
    a_deployment_lives_and_ends(false, is_users).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deployment_is_healthy_before_its_exchange_answers_and_ends_in_order_with_its_parent() {
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", mute.local_addr().unwrap());
    let mut deployment = Deployment::of(USER, GROUP);
    let agents = deployment.path("agents");
    fs::create_dir(&agents).unwrap();
    let app = unpacked(&deployment, &agents, true);
    deployment.variable("HOTPIT_VENUE", &url);
    deployment.variable("HOTPIT_FEEDS_ESPN_URL", &url);
    deployment.variable("PORT", "0");
    let began = Instant::now();
    let started = deployment.start("sh", &app).with(&["-c", "sh ./start.sh; true"]);
    // Without AGENTUITY_DATA_DIR.
    let port = Port::open(&app.join("data/state"), &started).await;
    assert_eq!(port.get("/_health").await, (200, "OK".into()));
    println!("{:>8} ms  until it was healthy", began.elapsed().as_millis());

    // The host is told twice to end, by the signal and by the end of its parent; nobody insists.
    started.terminate_all();
    let began = Instant::now();
    while !started.family().is_empty() {
        assert!(began.elapsed() < PATIENCE, "it does not end: {}", started.said());
        tokio::time::sleep(LOOK).await;
    }
    let said = started.said();
    assert!(said.lines().last().unwrap().starts_with("summary: "), "not in order: {said}");
}
