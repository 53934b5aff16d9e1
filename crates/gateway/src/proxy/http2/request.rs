//! A stream's request as a head like any other (RFC 9113 section 8.3).

use crate::proxy::REQUEST;
use crate::proxy::refusal::Refusal;
use http::header::{CONTENT_LENGTH, COOKIE, HOST};
use http::{HeaderMap, Request};
use proxima_http1::{Fields, RequestHead};

/// Makes a head of it. `streams`: a body follows.
pub(super) fn head(request: &Request<h2::RecvStream>, streams: bool) -> Result<RequestHead, Refusal> {
    let (uri, fields) = (request.uri(), request.headers());
    let authority = uri.authority().map(|authority| authority.as_str().as_bytes());
    let named = fields.get(HOST).map(|host| host.as_bytes());
    // Two of them that differ are two readings of one request (section 8.3.1).
    if authority.is_some() && named.is_some() && authority != named {
        return Err(Refusal::Host);
    }
    let host = authority.filter(|_| named.is_none()).map(|authority| (HOST.as_str().as_bytes(), authority));
    let cookies = cookies(fields);
    let cookie = cookies.as_deref().map(|cookies| (COOKIE.as_str().as_bytes(), cookies));
    let lines = fields
        .iter()
        .filter(|(name, _)| cookie.is_none() || *name != COOKIE)
        .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    let mut head = RequestHead::default();
    let words = (request.method().as_str().as_bytes(), target.as_bytes());
    head.make(words, host.into_iter().chain(lines).chain(cookie), streams, &REQUEST).map_err(Refusal::Head)?;
    Ok(head)
}

/// One line of many: HTTP/1 knows no other (section 8.2.3). `None` when there are not many.
fn cookies(fields: &HeaderMap) -> Option<Vec<u8>> {
    let mut all = fields.get_all(COOKIE).iter();
    let (first, second) = (all.next()?, all.next()?);
    let rest = all.flat_map(|one| [&b"; "[..], one.as_bytes()]);
    Some([first.as_bytes(), b"; ", second.as_bytes()].into_iter().chain(rest).collect::<Vec<_>>().concat())
}

/// Trailers as lines.
pub(super) fn trailers(from: Option<&HeaderMap>) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in from.into_iter().flatten().filter(|(name, _)| *name != CONTENT_LENGTH) {
        fields.push(name.as_str().as_bytes(), value.as_bytes());
    }
    fields
}
