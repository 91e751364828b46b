//! One request over one connection: names resolved, addresses judged, certificates verified, time limited.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{self, HeaderMap, HeaderName},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::AbortHandle,
};
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use super::{Error, Limits, address, shown};

const USER_AGENT: &str = concat!("vlm/", env!("CARGO_PKG_VERSION"));

/// What is asked, and on whose word.
pub(super) struct Client<'a> {
    pub limits: &'a Limits,
    pub cancel: &'a CancellationToken,
    /// The address that the user wrote, if it was the user: it may lie on a private network.
    pub typed: Option<&'a Url>,
    tls: Option<Arc<ClientConfig>>,
}

/// The beginning of an answer; its body follows.
pub(super) struct Answer {
    /// Who answered, at the end of all redirects.
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// Whether the end of the body can be told from a connection that broke.
    pub has_end: bool,
    body: Incoming,
    connection: AbortHandle,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Answer {
    /// A header's text.
    pub(super) fn text(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl<'a> Client<'a> {
    pub(super) fn new(limits: &'a Limits, cancel: &'a CancellationToken, typed: Option<&'a Url>) -> Client<'a> {
        Client { limits, cancel, typed, tls: None }
    }

    /// Asks for `url` and follows where it leads.
    pub(super) async fn get(&mut self, url: &Url, headers: &[(HeaderName, String)]) -> Result<Answer, Error> {
        let mut url = url.clone();
        for _ in 0..=self.limits.redirects {
            let answer = self.ask(&url, headers).await?;
            if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            url = next(&url, answer.text(header::LOCATION))?;
        }
        Err(Error::Redirects { url: shown(&url), most: self.limits.redirects })
    }

    /// The next bytes of a body; none at its end.
    pub(super) async fn next(&self, answer: &mut Answer) -> Result<Option<Result<Bytes, hyper::Error>>, Error> {
        loop {
            let frame = self.within(self.limits.idle, &answer.url, "sent nothing for", answer.body.frame()).await?;
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Ok(Some(Ok(data))),
                    Err(_trailers) => continue,
                },
                Some(Err(error)) => return Ok(Some(Err(error))),
                None => return Ok(None),
            }
        }
    }

    /// Waits for `work`, until it takes too long or is cancelled.
    async fn within<T>(
        &self,
        limit: Duration,
        url: &Url,
        what: &'static str,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        tokio::select! {
            done = tokio::time::timeout(limit, work) => {
                done.map_err(|_| Error::Silent { url: shown(url), what, seconds: limit.as_secs_f32() })
            }
            () = self.cancel.cancelled() => Err(Error::Cancelled),
        }
    }

    async fn ask(&mut self, url: &Url, headers: &[(HeaderName, String)]) -> Result<Answer, Error> {
        let tls = match url.scheme() {
            "https" if self.tls.is_none() => {
                self.tls = Some(Arc::new(verifying()?));
                self.tls.clone()
            }
            "https" => self.tls.clone(),
            _ => None,
        };
        let limit = self.limits.answer;
        let (sender, connection) = self.within(limit, url, "did not answer within", self.connect(url, tls)).await??;
        let connection = connection.abort_handle();
        let mut guard = AbortOnDrop(Some(connection));
        let request = request(url, headers);
        let mut sender = sender;
        let response = self.within(limit, url, "did not answer within", sender.send_request(request)).await?;
        let response = response.map_err(|source| Error::Broken { url: shown(url), source })?;
        let (head, body) = response.into_parts();
        let has_end = head.headers.contains_key(header::CONTENT_LENGTH) || head.headers.contains_key(header::TRANSFER_ENCODING);
        let connection = guard.0.take().expect("it was just put there");
        Ok(Answer { url: url.clone(), status: head.status, headers: head.headers, has_end, body, connection })
    }

    async fn connect(&self, url: &Url, tls: Option<Arc<ClientConfig>>) -> Result<Connected, Error> {
        let addresses = self.addresses(url).await?;
        let each = self.limits.answer / addresses.len() as u32;
        let mut last = None;
        let mut stream = None;
        for address in addresses {
            match tokio::time::timeout(each, TcpStream::connect(address)).await {
                Ok(Ok(connected)) => {
                    stream = Some(connected);
                    break;
                }
                Ok(Err(error)) => last = Some(error),
                Err(_) => last = Some(io::ErrorKind::TimedOut.into()),
            }
        }
        let connect = |source| Error::Connect { url: shown(url), source };
        let stream = stream.ok_or_else(|| connect(last.unwrap_or_else(|| io::ErrorKind::NotFound.into())))?;
        let Some(tls) = tls else { return handshake(url, stream).await };
        let name = match url.host() {
            Some(Host::Domain(name)) => {
                ServerName::try_from(name.to_owned()).map_err(|error| connect(io::Error::other(error)))?
            }
            Some(Host::Ipv4(address)) => ServerName::from(IpAddr::from(address)),
            Some(Host::Ipv6(address)) => ServerName::from(IpAddr::from(address)),
            None => return Err(connect(io::ErrorKind::InvalidInput.into())),
        };
        let stream = tokio_rustls::TlsConnector::from(tls).connect(name, stream).await;
        handshake(url, stream.map_err(|source| Error::Tls { url: shown(url), source })?).await
    }

    /// Where the name in `url` leads, as far as we may go there. It is these that are connected to: the name is not asked for again.
    async fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, Error> {
        let port = url.port_or_known_default().unwrap_or(443);
        let found: Vec<SocketAddr> = match url.host() {
            Some(Host::Ipv4(address)) => vec![(address, port).into()],
            Some(Host::Ipv6(address)) => vec![(address, port).into()],
            Some(Host::Domain(name)) => {
                let resolve = |source| Error::Resolve { name: name.to_owned(), source };
                lookup_host((name, port)).await.map_err(resolve)?.collect::<Vec<_>>()
            }
            None => Vec::new(),
        };
        if self.typed.is_some_and(|typed| same_place(typed, url)) {
            return Ok(found);
        }
        let (public, private): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| address::is_public(found.ip()));
        match (public.is_empty(), private.first()) {
            (false, _) => Ok(public),
            (true, Some(private)) => Err(Error::Private { url: shown(url), address: private.ip() }),
            (true, None) => Err(Error::Resolve { name: shown(url), source: io::ErrorKind::NotFound.into() }),
        }
    }
}

type Connected = (http1::SendRequest<Empty<Bytes>>, tokio::task::JoinHandle<()>);

struct AbortOnDrop(Option<AbortHandle>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(connection) = &self.0 {
            connection.abort();
        }
    }
}

async fn handshake(url: &Url, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Connected, Error> {
    let broken = |source| Error::Broken { url: shown(url), source };
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let work = tokio::spawn(async move {
        let _ = connection.await; // whoever reads the body is told
    });
    Ok((sender, work))
}

fn request(url: &Url, headers: &[(HeaderName, String)]) -> Request<Empty<Bytes>> {
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut request = Request::get(target)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header(header::ACCEPT_ENCODING, "identity");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(Empty::new()).expect("a parsed address and headers that a server sent make a request")
}

/// Where a redirect leads.
fn next(from: &Url, location: Option<&str>) -> Result<Url, Error> {
    let to = location.and_then(|location| from.join(location).ok());
    let Some(to) = to.filter(|to| matches!(to.scheme(), "http" | "https") && to.has_host()) else {
        return Err(Error::Nowhere { url: shown(from) });
    };
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(Error::Downgrade { url: shown(from), to: shown(&to) });
    }
    Ok(to)
}

/// Whether `url` is where the user sent us: the same port of the same host, or its usual port for https.
fn same_place(typed: &Url, url: &Url) -> bool {
    let port = Url::port_or_known_default;
    typed.host() == url.host() && (port(typed) == port(url) || (url.scheme() == "https" && port(url) == Some(443)))
}

/// Certificates are verified against those that the system trusts, always.
fn verifying() -> Result<ClientConfig, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(Error::NoRoots);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain;

    #[test]
    fn redirects_lead_on_but_not_down() {
        for (from, location, to) in [
            ("https://a.org/x/y", Some("z"), "https://a.org/x/z"),
            ("https://a.org/x", Some("//b.org/y"), "https://b.org/y"),
            ("http://a.org/x", Some("https://a.org/x"), "https://a.org/x"),
            ("http://a.org/x", Some("/y"), "http://a.org/y"),
            (
                "https://a.org/x",
                Some("http://a.org/x?key=1"),
                "https://a.org/x leads to http://a.org/x, which is plain http; take an address that stays with https",
            ),
            ("https://a.org/x", Some("file:///etc/passwd"), "https://a.org/x leads nowhere; take another address"),
            ("https://a.org/x", Some("http://"), "https://a.org/x leads nowhere; take another address"),
            ("https://a.org/x", None, "https://a.org/x leads nowhere; take another address"),
        ] {
            let found = next(&from.parse().unwrap(), location).map_or_else(|error| chain(&error), |url| url.to_string());
            assert_eq!(found, to);
        }
    }

    #[test]
    fn only_what_the_user_wrote_may_be_private() {
        for (typed, url, same) in [
            ("http://127.0.0.1:8000/a", "http://127.0.0.1:8000/b", true),
            ("http://nas.lan/a", "https://nas.lan/a", true),
            ("http://127.0.0.1:8000/a", "http://127.0.0.1:8001/a", false),
            ("http://127.0.0.1:8000/a", "http://localhost:8000/a", false),
            ("http://nas.lan/a", "http://nas.lan:8080/a", false),
            ("https://nas.lan/a", "https://other.lan/a", false),
        ] {
            assert_eq!(same_place(&typed.parse().unwrap(), &url.parse().unwrap()), same, "{typed} {url}");
        }
    }
}
