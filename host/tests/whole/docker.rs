//! The image: what its file says is done step by step, with what is built already.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::deployment::{Deployment, Port};
use crate::support::{Floor, Setup, guest_bytes};

/// What the file says of the image itself.
#[derive(Default)]
struct Image {
    /// What the build's last step does, as a shell reads it.
    lay_out: String,
    /// From a folder of the build to one of the image.
    copies: Vec<(String, String)>,
    user: String,
    folder: String,
    volume: String,
    signal: String,
    health: Vec<String>,
    entrypoint: Vec<String>,
    command: Vec<String>,
}

fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
}

impl Image {
    fn read(text: &str) -> Self {
        let mut image = Self::default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let joined = lines.join("\n").replace("\\\n", " ");
        for line in joined.lines().filter(|line| !line.trim().is_empty()) {
            let (instruction, rest) = line.split_once(' ').unwrap();
            match instruction {
                // A stage of its own; only the last one is the image.
                "FROM" => image = Self { lay_out: image.lay_out, ..Self::default() },
                "RUN" => image.lay_out = rest.to_owned(),
                "COPY" => {
                    let paths = rest.split(' ').filter(|word| !word.starts_with("--"));
                    let [from, to] = paths.collect::<Vec<_>>()[..] else { panic!("{line}") };
                    image.copies.push((from.to_owned(), to.to_owned()));
                }
                "USER" => image.user = rest.to_owned(),
                "WORKDIR" => image.folder = rest.to_owned(),
                "VOLUME" => image.volume = rest.to_owned(),
                "STOPSIGNAL" => image.signal = rest.to_owned(),
                "HEALTHCHECK" => image.health = words(rest.split_once("CMD ").unwrap().1),
                "ENTRYPOINT" => image.entrypoint = words(rest),
                "CMD" => image.command = words(rest),
                other => panic!("{other}: this test does not know how to do it"),
            }
        }
        image
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_image_runs_healthy_as_a_user_without_rights_and_ends_in_order() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let image = Image::read(&fs::read_to_string(top.join("Dockerfile")).unwrap());
    let (user, group) = image.user.split_once(':').unwrap();
    let floor = Floor::open(&Setup::with(&[])).await;
    let mut deployment = Deployment::of(user.parse().unwrap(), group.parse().unwrap());

    // The build, in which compiling is done already.
    let source = deployment.path("src");
    fs::create_dir_all(source.join("target/release")).unwrap();
    fs::create_dir(source.join("agents")).unwrap();
    symlink(env!("CARGO_BIN_EXE_hotpit"), source.join("target/release/hotpit")).unwrap();
    fs::write(source.join("agents/maker.wasm"), guest_bytes("market_maker")).unwrap();
    let built = deployment.path("image");
    let lay_out = image.lay_out.replace("/image", built.to_str().unwrap());
    let done = Command::new("sh").args(["-ec", &lay_out]).current_dir(&source).status().unwrap();
    assert!(done.success(), "{lay_out}");

    // The image, below a folder that stands for its root.
    let root = deployment.path("root");
    fs::create_dir(&root).unwrap();
    for (from, to) in &image.copies {
        let from = from.strip_prefix("/image").expect("what the build laid out");
        let to = root.join(to.trim_start_matches('/'));
        let copied = Command::new("cp").arg("-r").arg(built.join(&from[1..])).arg(to).status();
        assert!(copied.unwrap().success());
    }
    let place = |path: &str| root.join(path.trim_start_matches('/')).canonicalize().unwrap();
    // All else belongs to somebody else, as in a read-only container.
    let volume = place(&image.volume);
    deployment.give(&volume);
    deployment.variables_of(&floor);
    deployment.variable("HOTPIT_OPS_BIND", "127.0.0.1:0");
    let folder = place(&image.folder);
    let program = place("/usr/local/bin").join(&image.entrypoint[0]);
    assert_eq!(image.entrypoint.len(), 1);

    let run: Vec<&str> = image.command.iter().map(String::as_str).collect();
    let mut started = deployment.start(&program, &folder).with(&run);
    let port = Port::open(&volume, &started).await;
    assert_eq!(image.health[0], image.entrypoint[0]);
    let is_healthy = || {
        let mut asked = deployment.command(&program, &folder);
        asked.args(&image.health[1..]).output().unwrap().status.success()
    };
    assert!(is_healthy(), "{}", started.said());
    floor
        .until_so("its orders work at the exchange", async || {
            !floor.audit().await["open_orders"].as_array().unwrap().is_empty()
        })
        .await;
    // On loopback a page under another name is refused, whatever it asks.
    assert_eq!(port.get("/_health").await.0, 403);
    assert_eq!(image.signal, "SIGTERM");
    let ended = started.terminate().await;
    assert!(ended.success(), "{ended}: {}", started.said());
    assert_eq!(floor.audit().await["open_orders"], Value::Array(vec![]));
    assert!(!is_healthy(), "a host that has ended is not healthy");
}
