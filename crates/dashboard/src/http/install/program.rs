use super::bearer;
use crate::app::AppError;
use crate::app::install_tokens::{self, Download};
use crate::http::AppState;
use crate::http::extract::Id;
use crate::http::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures_util::stream;
use std::io;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, timeout_at};

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;
/// How long one download may take: then its place is free again.
const LIMIT: Duration = Duration::from_secs(900);

/// The gateway program
///
/// For whoever has an install token that is good; it stays good.
#[utoipa::path(get, path = "/api/v1/install/program/{architecture}", tag = "install", security(("installToken" = [])),
    params(("architecture" = String, Path, description = "As `uname -m` says it")),
    responses((status = 200, content_type = "application/octet-stream", body = [u8]), (status = 401, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn install_program(
    State(app): State<AppState>,
    Id(architecture): Id<String>,
    headers: HeaderMap,
) -> Result<Response, AppError> {
    let download = install_tokens::program(&app, bearer(&headers), &architecture).await?;
    let bytes = download.bytes;
    let mut response = Response::new(body(download));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    // It is stored as it is, and its length is told: no proxy or layer is to change it.
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    Ok(response)
}

/// So much of the file as was announced, within the limit of time.
fn body(download: Download) -> Body {
    let deadline = Instant::now() + LIMIT;
    let chunks = stream::try_unfold(download, move |mut download| async move {
        let want = CHUNK.min(usize::try_from(download.bytes).unwrap_or(CHUNK));
        if want == 0 {
            return Ok::<_, io::Error>(None);
        }
        let mut chunk = vec![0; want];
        let read =
            timeout_at(deadline, download.file.read(&mut chunk)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        chunk.truncate(read);
        download.bytes -= read as u64;
        Ok(Some((Bytes::from(chunk), download)))
    });
    Body::from_stream(chunks)
}
