use super::*;
use rcgen::{CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// A certificate and its key, PEM.
    fn issue(&self, host: &str, years: (i32, i32)) -> (String, String) {
        let mut params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.0).expect("issued");
        (cert.pem(), key.serialize_pem())
    }
}

/// Removed with all in it when dropped.
struct Folder {
    _folder: tempfile::TempDir,
    files: Files,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files {
            cert: folder.path().join("cert.pem"),
            key: folder.path().join("key.pem"),
            host: "panel.example.com".to_owned(),
        };
        Self { _folder: folder, files }
    }

    fn write(&self, cert: &str, key: &str) -> &Files {
        std::fs::write(&self.files.cert, cert).expect("written");
        std::fs::write(&self.files.key, key).expect("written");
        &self.files
    }
}

/// The middle of 2030.
const NOW: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1_908_000_000));

fn defects(files: &Files) -> String {
    files.load(NOW).expect("it can be served").defects.join("\n")
}

fn refusal(files: &Files) -> String {
    files.load(NOW).expect_err("refused").to_string()
}

#[test]
fn a_pair_is_judged_with_its_chain_its_time_and_its_host() {
    let (authority, folder) = (Authority::new("one"), Folder::new());
    let (cert, key) = authority.issue("panel.example.com", (2029, 2031));
    let root = authority.0.pem();
    assert_eq!(defects(folder.write(&cert, &key)), "");
    assert_eq!(defects(folder.write(&format!("{cert}{root}"), &key)), "");
    let stranger = Authority::new("two").0.pem();
    assert!(defects(folder.write(&format!("{cert}{stranger}"), &key)).contains("put the chain into order"));
    let (old, old_key) = authority.issue("panel.example.com", (2020, 2021));
    assert!(defects(folder.write(&old, &old_key)).contains("expired at"));
    let (early, early_key) = authority.issue("panel.example.com", (2040, 2041));
    assert!(defects(folder.write(&early, &early_key)).contains("clock"));
    let (other, other_key) = authority.issue("other.example.com", (2029, 2031));
    assert!(defects(folder.write(&other, &other_key)).contains("is not for panel.example.com"));
}

#[test]
fn what_cannot_be_served_is_refused_with_its_file() {
    let (authority, folder) = (Authority::new("one"), Folder::new());
    let (cert, key) = authority.issue("panel.example.com", (2029, 2031));
    let (_, other_key) = authority.issue("panel.example.com", (2029, 2031));
    assert!(refusal(folder.write(&cert, &other_key)).contains("key.pem is not the key of the first certificate"));
    let chain = format!("{}{cert}", authority.0.pem());
    assert!(refusal(folder.write(&chain, &key)).contains("comes first"), "the wrong way round");
    assert!(refusal(folder.write("", &key)).contains("holds no certificate"));
    let torn = refusal(folder.write(&cert, &key[..key.len() / 2]));
    assert!(torn.contains("key.pem cannot be read") && !torn.contains(&key[40..80]), "{torn}");
    std::fs::remove_file(&folder.files.cert).expect("removed");
    assert!(refusal(&folder.files).contains("cert.pem cannot be read"));
}

#[test]
fn a_bad_new_pair_leaves_the_old_one_in_place() {
    let (authority, folder) = (Authority::new("one"), Folder::new());
    let (cert, key) = authority.issue("panel.example.com", (2020, 2090));
    let tls = Tls::open(folder.write(&cert, &key).clone()).expect("served");
    let served = || tls.current.0.load_full().expect("a certificate").cert[0].clone();
    let first = served();
    let (expired, expired_key) = authority.issue("panel.example.com", (2020, 2021));
    let (second, second_key) = authority.issue("panel.example.com", (2020, 2090));
    for (cert, key) in [(&second, &key), (&expired, &expired_key), (&String::new(), &key)] {
        folder.write(cert, key);
        tls.reload(&folder.files, NOW);
        assert_eq!(served(), first);
    }
    folder.write(&second, &second_key);
    tls.reload(&folder.files, NOW);
    assert_ne!(served(), first);
}
