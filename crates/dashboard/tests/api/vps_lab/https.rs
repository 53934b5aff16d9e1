//! A dashboard over HTTPS, as customers' boxes reach it: with an authority that the box trusts, and with certificates that it
//! must not believe.

use super::real_box::{Owner, RealBox, config, releases};
use crate::world::World;
use proxima_test_support::LabOptions;
use proxima_types::identity::DashboardUrl;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SanType};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use sqlx::PgPool;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Of the machine that the box's cable ends at.
const PORT: u16 = 8443;

/// A certificate authority of somebody's own.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// For that address, valid from `year` on.
    fn acceptor(&self, address: Ipv4Addr, year: i32) -> TlsAcceptor {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(address))];
        params.not_before = rcgen::date_time_ymd(year, 1, 1);
        params.not_after = rcgen::date_time_ymd(year + 200, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Speaks TLS for the dashboard, as the operator's reverse proxy does; how can be changed at any time, which ends the
/// connections of before.
#[derive(Clone)]
struct FrontDoor(Arc<Mutex<(TlsAcceptor, CancellationToken)>>);

impl FrontDoor {
    async fn open(address: Ipv4Addr, acceptor: TlsAcceptor, dashboard: String) -> Self {
        let door = Self(Arc::new(Mutex::new((acceptor, CancellationToken::new()))));
        let listener = TcpListener::bind((address, PORT)).await.unwrap();
        tokio::spawn(door.clone().serve(listener, dashboard));
        door
    }

    fn shows(&self, acceptor: TlsAcceptor) {
        std::mem::replace(&mut *self.0.lock().unwrap(), (acceptor, CancellationToken::new())).1.cancel();
    }

    async fn serve(self, listener: TcpListener, dashboard: String) {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, changed) = self.0.lock().unwrap().clone();
            let dashboard = dashboard.clone();
            tokio::spawn(changed.run_until_cancelled_owned(async move {
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let Ok(mut behind) = TcpStream::connect(dashboard).await else { return };
                let _ = tokio::io::copy_bidirectional(&mut inside, &mut behind).await;
            }));
        }
    }
}

#[sqlx::test(migrator = "proxima_db::pool::MIGRATOR")]
async fn vps_lab_a_box_believes_only_the_dashboards_own_certificate(db: PgPool) {
    let (trusted, other) = (Authority::new("The operator"), Authority::new("Somebody"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("operator.crt");
    std::fs::write(&file, &trusted.pem).unwrap();
    let releases = releases();
    let target = RealBox::up(LabOptions { trust: Some(file), ..LabOptions::default() }).await;
    let address = target.lab.machine_address;
    let url = format!("https://{address}:{PORT}");
    let mut app = config(releases.path());
    app.gateway_url = Some(DashboardUrl::parse(&url).unwrap());
    let mut world = World::with(db, app).await;
    let dashboard = world.app.url.trim_start_matches("http://").to_owned();
    let door = FrontDoor::open(address, other.acceptor(address, 2000), dashboard).await;
    world.run_jobs();
    let owner = Owner::of(&world);
    owner.connects(&target, &target.lab.root).await;
    let before = target.snapshot().await;

    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "DASHBOARD_TLS", "an authority that the server does not know").await;
    target.is_as(&before, "after a certificate of somebody else's").await;
    // To this box the certificate is of the future: its clock is behind, or the dashboard's is ahead.
    door.shows(trusted.acceptor(address, 2300));
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "DASHBOARD_TLS", "not valid at the time that the server's clock shows").await;
    target.is_as(&before, "after a certificate that is not valid yet").await;
    door.shows(trusted.acceptor(Ipv4Addr::new(192, 0, 2, 1), 2000));
    let job = owner.queues("INSTALL").await;
    owner.fails(&job, "DASHBOARD_TLS", "for another name").await;
    target.is_as(&before, "after a certificate for another address").await;

    door.shows(trusted.acceptor(address, 2000));
    owner.installs(&target).await;
    let written = target.run("cat /etc/proxima-gateway/config.json").await;
    assert!(written.contains(&format!("\"{url}")), "{written}");

    // Somebody in between: no verdict of theirs counts, and visitors notice nothing.
    door.shows(other.acceptor(address, 2000));
    let silent = "for i in $(seq 300); do proxima-gateway status --json | grep -q '\"silence\": \"' && exit 0; sleep 0.1; done; exit 1";
    target.run(silent).await;
    target.serves().await;
    target.run("systemctl restart proxima-gateway").await;
    target.serves().await;
    door.shows(trusted.acceptor(address, 2000));
    let heard = "for i in $(seq 600); do proxima-gateway status --json | grep -q '\"silence\": null' && exit 0; sleep 0.1; done; exit 1";
    target.run(heard).await;
    owner.uninstalls(&target, &before).await;
    assert_eq!(owner.browser.get(&owner.server).await.expect(200)["status"], json!("NOT_INSTALLED"));
}
