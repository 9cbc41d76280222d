//! A request is believed when its signature is right, and only then.

mod common;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{Client, Signer, World, now_ms, quiet};
use hotpit_exchange::server::credentials::KeyKind;
use tokio_tungstenite::tungstenite::Error as WsError;

const PATH: &str = "/trade-api/v2/portfolio/balance";

struct Case {
    name: &'static str,
    signed: String,
    stamp: String,
    status: u16,
}

fn cases() -> Vec<Case> {
    let now = now_ms();
    let case = |name, signed: String, stamp: String, status| Case { name, signed, stamp, status };
    let of = |stamp: u64, rest: &str| (format!("{stamp}{rest}"), stamp.to_string());
    let good = format!("GET{PATH}");
    let at = |name, stamp: u64, rest: &str, status| {
        let (signed, stamp) = of(stamp, rest);
        case(name, signed, stamp, status)
    };
    vec![
        at("as it should be", now, &good, 200),
        at("a little late", now - 4_000, &good, 200),
        at("a little early", now + 4_000, &good, 200),
        at("too late", now - 60_000, &good, 401),
        at("too early", now + 60_000, &good, 401),
        at("seconds instead of milliseconds", now / 1_000, &good, 401),
        at("another path", now, "GET/trade-api/v2/portfolio/fills", 401),
        at("a path without its prefix", now, "GET/portfolio/balance", 401),
        at("query signed too", now, &format!("{good}?subaccount=0"), 401),
        at("another method", now, &format!("POST{PATH}"), 401),
        case("another time", format!("{}{good}", now - 1), now.to_string(), 401),
        case("time is no number", format!("today{good}"), "today".into(), 401),
    ]
}

#[tokio::test]
async fn only_the_right_message_is_believed() {
    for kind in [KeyKind::Ed25519, KeyKind::Rsa] {
        let world = World::start_with(quiet(), kind).await;
        for case in cases() {
            let signature = world.signer.sign(&case.signed);
            let headers = world.signer.headers_of(case.stamp, signature);
            let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
            let answer = world.plain(&format!("{PATH}?subaccount=0"), &headers).await;
            assert_eq!(answer.status().as_u16(), case.status, "{kind:?}: {}", case.name);
        }
    }
}

#[tokio::test]
async fn a_refusal_says_why() {
    let world = World::start().await;
    let good = world.signer.headers("GET", PATH);
    let good = good.each_ref().map(|(name, value)| (*name, value.as_str()));
    let cases = [
        (vec![good[0], good[1]], "MISSING_HEADERS"),
        (vec![("KALSHI-ACCESS-KEY", "nobody"), good[1], good[2]], "NOT_FOUND"),
        (vec![good[0], good[1], ("KALSHI-ACCESS-SIGNATURE", "?")], "INCORRECT_API_KEY_SIGNATURE"),
    ];
    for (headers, details) in cases {
        let answer = world.plain(PATH, &headers).await;
        assert_eq!(answer.status().as_u16(), 401);
        let text = answer.text().await.unwrap();
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["error"]["details"], details);
    }
}

#[tokio::test]
async fn the_older_padding_of_rsa_is_refused() {
    let world = World::start_with(quiet(), KeyKind::Rsa).await;
    let Signer::Rsa(_, pair) = &world.signer else { panic!("an RSA key was asked for") };
    let stamp = now_ms().to_string();
    let message = format!("{stamp}GET{PATH}");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
    let headers = world.signer.headers_of(stamp, BASE64.encode(signature));
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(world.plain(PATH, &headers).await.status().as_u16(), 401);
}

#[tokio::test]
async fn public_paths_need_no_signature_but_refuse_a_wrong_one() {
    let world = World::start().await;
    let path = "/trade-api/v2/exchange/status";
    assert_eq!(world.plain(path, &[]).await.status().as_u16(), 200);
    let stamp = now_ms().to_string();
    let wrong = [
        ("KALSHI-ACCESS-KEY", world.signer.key_id()),
        ("KALSHI-ACCESS-TIMESTAMP", stamp.as_str()),
        ("KALSHI-ACCESS-SIGNATURE", "AAAA"),
    ];
    assert_eq!(world.plain(path, &wrong).await.status().as_u16(), 401);
}

#[tokio::test]
async fn the_websocket_is_for_members_only() {
    for kind in [KeyKind::Ed25519, KeyKind::Rsa] {
        let world = World::start_with(quiet(), kind).await;
        let mut client = world.connect().await;
        client.assert_silent().await;
        let elsewhere = world.signer.headers("GET", "/trade-api/v2");
        for headers in [Vec::new(), elsewhere.to_vec()] {
            match Client::connect_with(&world, &headers).await {
                Err(error) => match *error {
                    WsError::Http(answer) => assert_eq!(answer.status().as_u16(), 401),
                    other => panic!("{kind:?}: {other}"),
                },
                Ok(_) => panic!("{kind:?}: connected with {headers:?}"),
            }
        }
    }
}
