use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// A browser-like client: keeps cookies, follows no redirect.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    headers: HeaderMap,
}

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON; `null` when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    #[must_use = "use `.drop_body()` when only the status counts"]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    #[track_caller]
    pub fn expect_status(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
    }

    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A well-formed problem document (RFC 9457) with this status and code, that names the request's id.
    #[track_caller]
    #[allow(clippy::must_use_candidate)]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let json = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text);
        assert_eq!(json["code"], code, "{}", self.text);
        assert_eq!(json["type"], format!("urn:proxima:problem:{code}"), "{}", self.text);
        assert_eq!(json["status"], status, "{}", self.text);
        assert!(json["requestId"].is_string(), "{}", self.text);
        assert_eq!(json["requestId"].as_str(), self.header("x-request-id"), "{}", self.text);
        for text in ["title", "detail"] {
            assert!(json[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {}", self.text);
        }
        json
    }

    /// A refusal of exactly these fields, with the code of each.
    #[track_caller]
    pub fn refuses(&self, expected: &[(&str, &str)]) {
        let json = self.problem(422, "validation_failed");
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        let mut found: Vec<(String, String)> = errors
            .iter()
            .map(|error| {
                assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", self.text);
                let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
                (text("field"), text("code"))
            })
            .collect();
        found.sort();
        let mut expected: Vec<_> =
            expected.iter().map(|(field, code)| ((*field).to_owned(), (*code).to_owned())).collect();
        expected.sort();
        assert_eq!(found, expected, "{}", self.text);
    }

    /// The session token that this answer hands out.
    #[must_use]
    pub fn session_token(&self) -> Option<String> {
        let cookies = self.headers.get_all("set-cookie").iter();
        cookies.filter_map(|cookie| cookie.to_str().ok()).find_map(|cookie| {
            let (name, rest) = cookie.split_once('=')?;
            name.ends_with("proxima_session").then(|| rest.split(';').next().unwrap_or_default().to_owned())
        })
    }

    /// The fields that a problem document names, sorted.
    #[must_use]
    pub fn bad_fields(&self) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        let mut fields: Vec<String> =
            errors.iter().filter_map(|error| error["field"].as_str().map(str::to_owned)).collect();
        fields.sort();
        fields
    }
}

impl Client {
    #[must_use]
    pub fn new(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Self { http, base: base.to_owned(), headers: HeaderMap::new() }
    }

    /// The same browser, sending one more header.
    #[must_use]
    pub fn with_header(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        let value = HeaderValue::from_str(value).expect("a header value");
        client.headers.insert(HeaderName::from_static(name), value);
        client
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).headers(self.headers.clone());
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a text") }
    }

    /// Sends a body as it is.
    pub async fn send_bytes(&self, method: Method, path: &str, content_type: Option<&str>, body: Vec<u8>) -> Answer {
        let mut request =
            self.http.request(method, format!("{}{path}", self.base)).headers(self.headers.clone()).body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.expect("a text") }
    }

    /// GET, when the dashboard may be gone.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn try_get(&self, path: &str) -> Result<Answer, reqwest::Error> {
        let response = self.http.get(format!("{}{path}", self.base)).headers(self.headers.clone()).send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    /// As [`Self::send`], when the dashboard may be killed meanwhile.
    ///
    /// # Errors
    /// When no answer came.
    pub async fn try_post(&self, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        let response =
            self.http.post(format!("{}{path}", self.base)).headers(self.headers.clone()).json(body).send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    /// Another browser, which presents this session token (a browser that kept a cookie past its end).
    #[must_use]
    pub fn with_token(base: &str, cookie_name: &'static str, token: &str) -> Self {
        Self::new(base).with_header("cookie", &format!("{cookie_name}={token}"))
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }
}
