use crate::{Client, TestGateway};
use proxima_dashboard::app::users::{self, CreateUser};
use proxima_dashboard::app::{Actor, App, licenses};
use proxima_dashboard::config::AppConfig;
use proxima_dashboard::entropy::{EntropyExt as _, OsEntropy};
use proxima_dashboard::http;
use proxima_dashboard::keyring::Keyring;
use proxima_types::{Role, ServerId, UserId};
use sqlx::PgPool;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// The password of everybody that a test makes.
pub const PASSWORD: &str = "vivid-otter-plays-5";

/// A dashboard that listens on loopback, as long as the test's runtime lives.
pub struct TestApp {
    pub app: Arc<App>,
    pub db: PgPool,
    /// `http://127.0.0.1:port`.
    pub url: String,
}

/// A customer with their server.
#[derive(Debug, Clone)]
pub struct Customer {
    pub id: UserId,
    pub username: String,
    pub server_id: ServerId,
}

impl TestApp {
    /// With bcrypt at its cheapest.
    pub async fn start(db: PgPool) -> Self {
        Self::start_with(db, AppConfig { bcrypt_cost: 4, ..AppConfig::default() }).await
    }

    pub async fn start_with(db: PgPool, config: AppConfig) -> Self {
        let key_file = std::env::temp_dir().join(format!("proxima-test-{}.json", OsEntropy.uuid()));
        let keyring = Keyring::create(&key_file, &OsEntropy).expect("a key file");
        std::fs::remove_file(&key_file).expect("removed");
        let app = App::new(db.clone(), keyring, Arc::new(OsEntropy), config).expect("an app");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = http::router(Arc::clone(&app)).expect("a router");
        tokio::spawn(
            async move { axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await },
        );
        Self { app, db, url }
    }

    /// A browser that nobody has signed in with.
    #[must_use]
    pub fn anonymous(&self) -> Client {
        Client::new(&self.url)
    }

    /// Makes a user and signs in.
    pub async fn sign_in_new(&self, username: &str, role: Role) -> Client {
        self.create(username, role).await;
        self.sign_in(username, PASSWORD).await
    }

    /// An admin named `admin`, signed in.
    pub async fn admin(&self) -> Client {
        self.sign_in_new("admin", Role::Admin).await
    }

    pub async fn sign_in(&self, username: &str, password: &str) -> Client {
        let client = self.anonymous();
        let body = serde_json::json!({ "username": username, "password": password });
        client.post("/api/v1/auth/login", &body).await.expect_status(200);
        client
    }

    /// Signs in, and returns the session token that the browser was given.
    pub async fn session_token(&self, username: &str) -> String {
        let body = serde_json::json!({ "username": username, "password": PASSWORD });
        let answer = self.anonymous().post("/api/v1/auth/login", &body).await;
        answer.expect_status(200);
        answer.session_token().expect("a session cookie")
    }

    /// A browser that presents this session token, whatever the dashboard says of it.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Client {
        Client::with_token(&self.url, "proxima_session", token)
    }

    pub async fn customer(&self, username: &str) -> Customer {
        let created = self.create(username, Role::Customer).await;
        let server = created.server.expect("a customer has a server");
        Customer { id: UserId(created.user.id), username: username.to_owned(), server_id: ServerId(server.id) }
    }

    async fn create(&self, username: &str, role: Role) -> proxima_db::users::UserWithServer {
        let input = CreateUser {
            username,
            password: PASSWORD,
            temporary_password: false,
            display_name: None,
            login_slug: None,
            role,
            server_name: None,
        };
        users::create(&self.app, &Actor::console(), input).await.expect("a user")
    }

    /// A gateway that holds a customer's present key.
    pub async fn gateway(&self, customer: &Customer) -> TestGateway {
        let key = licenses::reveal(&self.app, &Actor::console(), customer.server_id).await.expect("a key");
        TestGateway::new(&self.url, self.app.keyring.public_key().expect("a signing key"), customer.server_id, key)
    }
}
