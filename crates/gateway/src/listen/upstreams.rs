//! A configuration's backends, and where each of its ports sends what.

use crate::names::Names;
use crate::proxy::{Destination, Matcher, Routes};
use crate::upstream::{Backend, Checks, Group};
use proxima_types::gateway_config::{BackendTls, Listener, Pool, Route};
use proxima_types::{BackendUrl, GatewayConfig};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Those of one configuration. Backends that stay keep what is known of them, and their connections.
#[derive(Default)]
pub(super) struct Upstreams {
    backends: Vec<Arc<Backend>>,
    /// Those of the configuration before, until it is replaced.
    before: Vec<Arc<Backend>>,
    pools: BTreeMap<String, Result<Arc<Group>, String>>,
    checks: Vec<Checks>,
    /// For the checks, which are all on the agent's runtime.
    names: Names,
}

impl Upstreams {
    pub fn new(config: &GatewayConfig, before: &Self) -> Self {
        let mut new = Self { before: before.backends.clone(), names: before.names.clone(), ..Self::default() };
        for pool in &config.pools {
            let group = new.pool(pool);
            new.pools.insert(pool.name.clone(), group);
        }
        new
    }

    fn pool(&mut self, pool: &Pool) -> Result<Arc<Group>, String> {
        let members = pool.backends.iter().map(|one| Ok((self.backend(&one.url, &pool.tls)?, one.weight)));
        let group = Group::new(members.collect::<Result<_, String>>()?, pool.balance);
        match &pool.health_check {
            Some(check) => self.checks.push(Checks::start(check, group.backends(), &self.names)),
            // Nobody would find out that it is well again.
            None => group.backends().for_each(|backend| backend.health.unchecked()),
        }
        Ok(Arc::new(group))
    }

    fn backend(&mut self, url: &BackendUrl, tls: &BackendTls) -> Result<Arc<Backend>, String> {
        if let Some(known) = self.backends.iter().find(|known| known.is(url, tls)) {
            return Ok(Arc::clone(known));
        }
        let backend = match self.before.iter().find(|known| known.is(url, tls)) {
            Some(known) => Arc::clone(known),
            None => Arc::new(Backend::new(url.clone(), tls.clone()).map_err(|why| format!("{url}: {why}"))?),
        };
        self.backends.push(Arc::clone(&backend));
        Ok(backend)
    }

    /// # Errors
    /// One sentence: which backend cannot be used, and why.
    pub fn routes(&mut self, listener: &Listener) -> Result<Routes, String> {
        let otherwise = match listener.redirect_to_https {
            Some(port) => Destination::Https(port),
            None => self.destination(listener.backend_url.as_ref(), listener.pool.as_deref())?,
        };
        let route = |route: &Route| {
            let matcher = Matcher::new(route.host.as_deref(), route.path.as_deref());
            Ok((matcher, self.destination(route.backend_url.as_ref(), route.pool.as_deref())?))
        };
        Ok(Routes { routes: listener.routes.iter().map(route).collect::<Result<_, String>>()?, otherwise })
    }

    fn destination(&mut self, url: Option<&BackendUrl>, pool: Option<&str>) -> Result<Destination, String> {
        let group = match (url, pool) {
            (Some(url), _) => Arc::new(Group::alone(self.backend(url, &BackendTls::default())?)),
            (None, Some(name)) => {
                self.pools.get(name).cloned().ok_or_else(|| format!("there is no pool named {name:?}"))??
            }
            (None, None) => return Err("it goes nowhere".to_owned()),
        };
        Ok(Destination::Backends(group))
    }

    /// The configuration is in force.
    pub fn forget_before(&mut self) {
        self.before = Vec::new();
    }
}
