//! What `hotpit check` says.

use super::*;

use crate::agents::guest_text::{Guest, bodies};

fn checked(guest: &Guest, options: Option<&str>) -> Checked {
    check(&guest.build(), options, &Settings::default()).unwrap()
}

#[test]
fn a_fit_agent_has_no_problem() {
    let checked = checked(&Guest::counting(1), Some("markets = [\"KX-2\"]"));
    assert_eq!(checked.problems, Vec::<String>::new());
    assert_eq!(checked.manifest.unwrap().name, "counting");
    assert_eq!(checked.plan.unwrap().subscriptions.len(), 1);
    assert!(checked.componentized);
}

#[test]
fn everything_that_is_wrong_is_told() {
    let wrong = checked(&Guest::counting(1), Some("[params]\nx = 1\n[limits]\nbatch_ms = 0"));
    assert_eq!(wrong.plan, None);
    // The file of settings is not used at all if it is wrong, so its parameters are not either.
    assert_eq!(wrong.problems.len(), 1, "{:?}", wrong.problems);
    let old = Guest::counting(1).with_wit(|wit| wit.replace("agent@0.1.0", "agent@0.2.0"));
    let checked = checked(&old, None);
    assert!(checked.problems[0].contains("this host speaks"), "{:?}", checked.problems);
    assert_eq!(checked.manifest, None);
}

#[test]
fn a_trial_is_over_at_its_first_fault() {
    let mut trial = Trial::new(&Guest::counting(1).after(64, bodies::TRAP).build()).unwrap();
    assert_eq!(trial.batch(64), Ok(1));
    assert!(trial.batch(65).is_err());
    assert_eq!(trial.batch(1), Ok(0));
}

/// A component that imports a resource from one interface and a method of it from another: valid
/// to the validator, and a panic in the parser of contracts.
const METHOD_OF_ANOTHER: &str = "0061736d0d00010007090142010400017203010a0d010008746573743a612f6105\
     0006060103000001720731014205020302010104000272320300000168010140010473656c6602010004000e5b6d6574\
     686f645d72322e666f6f01030a0d010008746573743a622f620502";

#[test]
fn a_file_that_panics_a_parser_is_refused_as_any_other() {
    let digits: Vec<u8> = METHOD_OF_ANOTHER.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let file: Vec<u8> = digits.chunks(2).map(byte).collect();
    let error = check(&file, None, &Settings::default()).unwrap_err().to_string();
    assert!(error.contains("panicked"), "{error}");
}
