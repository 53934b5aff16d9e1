use super::*;
use crate::entropy::{EntropyExt as _, OsEntropy};
use std::os::unix::fs::PermissionsExt as _;

struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("keys-{}.json", OsEntropy.uuid())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn keyring() -> (Keyring, Temporary) {
    let path = Temporary::new();
    (Keyring::create(&path.0, &OsEntropy).expect("created"), path)
}

fn place() -> Place<'static> {
    Place { table: "servers", row: uuid::Uuid::from_u128(7), column: "api_key" }
}

fn master(keyring: &Keyring, id: i32, state: MasterState) -> MasterEntry {
    MasterEntry { id, state, canary: keyring.canary(id, &OsEntropy).expect("a canary") }
}

fn signing(keyring: &Keyring, id: i32, live: bool) -> SigningEntry {
    SigningEntry { id, public_key: keyring.public_key_of(id).expect("held"), live }
}

/// Adds a key of each kind to the file.
fn add_keys(path: &Path, id: i32) {
    let mut file = KeyFile::read(path).expect("read");
    file.master_keys.push(StoredKey::random(id, &OsEntropy));
    file.signing_keys.push(StoredKey::random(id, &OsEntropy));
    file.replace(path, &OsEntropy).expect("replaced");
}

#[test]
fn a_secret_opens_only_in_its_place() {
    let (keyring, path) = keyring();
    let sealed = keyring.seal(place(), "pk_secret", &OsEntropy).expect("sealed");
    assert_eq!(keyring.open_sealed(place(), &sealed).expect("opened").as_str(), "pk_secret");
    let reread = Keyring::load(&path.0).expect("loaded");
    assert!(reread.open_sealed(place(), &sealed).is_ok());
    assert!(!sealed.windows(9).any(|window| window == b"pk_secret"));
    for moved in [
        Place { row: OsEntropy.uuid(), ..place() },
        Place { column: "api_secret", ..place() },
        Place { table: "users", ..place() },
    ] {
        assert_eq!(keyring.open_sealed(moved, &sealed), Err(KeyTrouble::Altered));
    }
    let mut changed = sealed.clone();
    changed[sealing::HEADER_BYTES] ^= 1;
    assert_eq!(keyring.open_sealed(place(), &changed), Err(KeyTrouble::Altered));
    assert_eq!(keyring.open_sealed(place(), &sealed[..10]), Err(KeyTrouble::Altered));
    let mut of_another = sealed;
    of_another[4] = 9;
    assert_eq!(keyring.open_sealed(place(), &of_another), Err(KeyTrouble::MasterKeyMissing(9)));
}

#[test]
fn a_key_file_is_private_never_replaced_by_a_new_one_and_shows_no_key() {
    let (_, path) = keyring();
    assert_eq!(std::fs::metadata(&path.0).expect("exists").permissions().mode() & 0o777, 0o600);
    assert!(Keyring::create(&path.0, &OsEntropy).is_err());
    let file = KeyFile::read(&path.0).expect("read");
    let key: serde_json::Value = serde_json::from_str(&file.to_json().expect("json")).expect("json");
    assert!(!format!("{file:?}").contains(key["masterKeys"][0]["key"].as_str().expect("a key")));
    std::fs::set_permissions(&path.0, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let error = Keyring::load(&path.0).err().expect("refused").to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

#[test]
fn ids_are_positive_and_unique() {
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7; 32]);
    let parse = |ids: [i32; 2]| {
        let keys = ids.map(|id| serde_json::json!({ "id": id, "key": key }));
        KeyFile::parse(&serde_json::json!({ "version": 1, "masterKeys": keys, "signingKeys": [] }).to_string())
    };
    assert!(parse([1, 2]).is_ok());
    assert!(parse([1, 1]).is_err());
    assert!(parse([0, 1]).is_err());
}

#[test]
fn the_database_says_which_master_key_seals() {
    let (keyring, path) = keyring();
    let old = keyring.seal(place(), "a", &OsEntropy).expect("sealed");
    add_keys(&path.0, 2);
    assert!(keyring.reload(), "the file has changed");
    assert!(!keyring.reload(), "and is not read twice");
    let announced = vec![master(&keyring, 1, MasterState::Active), master(&keyring, 2, MasterState::Announced)];
    keyring.follow(Ledger { masters: announced, signing: Vec::new() });
    assert_eq!(keyring.sealing_key(), Ok(1), "an announced key seals nothing");
    let active = vec![master(&keyring, 1, MasterState::Replaced), master(&keyring, 2, MasterState::Active)];
    keyring.follow(Ledger { masters: active, signing: Vec::new() });
    assert_eq!(keyring.sealing_key(), Ok(2));
    assert!(keyring.open_sealed(place(), &old).is_ok(), "the key before opens still");
    assert!(keyring.problems().is_empty(), "{:?}", keyring.problems());
}

#[test]
fn a_key_that_does_not_open_its_canary_is_not_used() {
    let ((keyring, _path), (other, _other_path)) = (keyring(), keyring());
    let sealed = keyring.seal(place(), "a", &OsEntropy).expect("sealed");
    other.follow(Ledger { masters: vec![master(&keyring, 1, MasterState::Active)], signing: Vec::new() });
    assert_eq!(other.open_sealed(place(), &sealed), Err(KeyTrouble::MasterKeyWrong(1)));
    let error = other.seal(place(), "b", &OsEntropy).expect_err("nothing is sealed with it");
    assert_eq!(error.downcast_ref(), Some(&KeyTrouble::MasterKeyWrong(1)));
    assert!(other.master_ids().is_empty());
    assert!(other.problems()[0].contains("master key 1"), "{:?}", other.problems());
}

#[test]
fn a_file_that_went_or_broke_leaves_what_was_read_in_force() {
    let (keyring, path) = keyring();
    let sealed = keyring.seal(place(), "a", &OsEntropy).expect("sealed");
    std::fs::write(&path.0, "{").expect("broken");
    assert!(keyring.reload());
    assert!(keyring.open_sealed(place(), &sealed).is_ok());
    assert!(keyring.problems()[0].contains("malformed"), "{:?}", keyring.problems());
    std::fs::remove_file(&path.0).expect("removed");
    assert!(keyring.reload());
    assert!(keyring.open_sealed(place(), &sealed).is_ok());
    assert!(keyring.problems()[0].contains("cannot read"), "{:?}", keyring.problems());
    let missing = Keyring::without_keys(&path.0);
    assert_eq!(missing.sealing_key(), Err(KeyTrouble::NoMasterKey));
    assert_eq!(missing.problems().len(), 2, "{:?}", missing.problems());
}

#[test]
fn each_gateway_is_answered_with_the_newest_key_that_it_trusts() {
    let (keyring, path) = keyring();
    add_keys(&path.0, 2);
    keyring.reload();
    let both = vec![signing(&keyring, 1, true), signing(&keyring, 2, true)];
    keyring.follow(Ledger { masters: Vec::new(), signing: both });
    let keys = keyring.public_keys();
    let ids: Vec<String> = keys.iter().map(|key| proxima_signing::key_id(*key)).collect();
    let of = |trusted: Option<&[String]>| {
        let signer = keyring.signer_for(trusted).expect("a signer");
        (signer.public_key() == keys[1], keyring.announcement(trusted, &signer).map(|keys| keys.len()))
    };
    assert_eq!(of(None), (false, None), "a version that does not say knows the oldest, and is told nothing");
    assert_eq!(of(Some(&ids[..1])), (false, Some(2)), "the next key is announced under the present one");
    assert_eq!(of(Some(&ids)), (true, None), "it follows");
    assert_eq!(of(Some(&["another".to_owned()])), (true, Some(2)));
    let retired = vec![signing(&keyring, 1, false), signing(&keyring, 2, true)];
    keyring.follow(Ledger { masters: Vec::new(), signing: retired });
    assert_eq!(of(Some(&ids)), (true, Some(1)), "it is to forget the retired one");
    assert!(of(None).0, "a retired key signs nothing");
    assert_eq!(keyring.public_keys(), keys[1..]);
    let none = vec![signing(&keyring, 1, false), signing(&keyring, 2, false)];
    keyring.follow(Ledger { masters: Vec::new(), signing: none });
    assert_eq!(keyring.signer_for(None).err(), Some(KeyTrouble::SigningKeyMissing));
}

#[test]
fn detached_signatures_are_for_one_purpose_and_outlive_their_key() {
    let (keyring, path) = keyring();
    let signed = keyring.sign_detached("anchor-v1", b"head").expect("signed");
    assert!(keyring.verify_detached("anchor-v1", b"head", &signed));
    assert!(!keyring.verify_detached("anchor-v1", b"heat", &signed));
    assert!(!keyring.verify_detached("export-v1", b"head", &signed));
    let mut file = KeyFile::read(&path.0).expect("read");
    let public_key = keyring.public_key_of(1).expect("held");
    file.signing_keys = vec![StoredKey::random(2, &OsEntropy)];
    file.replace(&path.0, &OsEntropy).expect("replaced");
    keyring.reload();
    assert!(!keyring.verify_detached("anchor-v1", b"head", &signed), "an unknown key");
    file.former_signing_keys.push(FormerKey { id: 1, public_key });
    file.replace(&path.0, &OsEntropy).expect("replaced");
    keyring.reload();
    assert!(keyring.verify_detached("anchor-v1", b"head", &signed), "a former key");
    assert_ne!(keyring.sign_detached("anchor-v1", b"head").expect("signed").key_id, signed.key_id);
}
