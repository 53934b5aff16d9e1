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
use tokio::sync::oneshot;
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
fn body(Download { file, bytes, place }: Download) -> Body {
    let deadline = Instant::now() + LIMIT;
    let (under_way, ended) = oneshot::channel::<()>();
    // Not by the stream alone: while the other side reads nothing, nobody asks it for more.
    tokio::spawn(async move {
        let _ = timeout_at(deadline, ended).await;
        drop(place);
    });
    let chunks = stream::try_unfold((file, bytes, under_way), move |(mut file, bytes, under_way)| async move {
        let want = CHUNK.min(usize::try_from(bytes).unwrap_or(CHUNK));
        if want == 0 {
            return Ok::<_, io::Error>(None);
        }
        let mut chunk = vec![0; want];
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let read = timeout_at(deadline, file.read(&mut chunk)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        chunk.truncate(read);
        Ok(Some((Bytes::from(chunk), (file, bytes - read as u64, under_way))))
    });
    Body::from_stream(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::install_tokens::Programs;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn who_reads_nothing_more_loses_the_place_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("program");
        std::fs::write(&path, vec![7; 2 * CHUNK]).expect("written");
        let programs = Programs::default();
        let begin = async || {
            let file = tokio::fs::File::open(&path).await.expect("opened");
            body(Download { file, bytes: 2 * CHUNK as u64, place: programs.place(uuid::Uuid::nil()).expect("a place") })
        };
        let (mut stalled, ended) = (begin().await, begin().await);
        stalled.frame().await.expect("a chunk").expect("read");
        assert!(programs.place(uuid::Uuid::nil()).is_none());
        drop(ended);
        tokio::task::yield_now().await;
        let again = programs.place(uuid::Uuid::nil()).expect("one ended");
        assert!(programs.place(uuid::Uuid::nil()).is_none());
        tokio::time::pause();
        tokio::time::advance(LIMIT + Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
        assert!(programs.place(uuid::Uuid::nil()).is_some());
        stalled.frame().await.expect("an end").expect_err("too late");
        drop(again);
    }
}
