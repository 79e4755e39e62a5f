//! A host whose Invoke API is called over plain HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use sam_template::model::Function;
use testkit::eventually;
use testkit::net::free_address;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use usher::instances::PoolOptions;
use usher::invoke_api::InvokeToken;
use usher::up;

use crate::support::application;
use crate::up::up_options;

/// A host with the function `Echo`, named `stack-Echo`.
pub(crate) struct Host {
    pub(crate) url: String,
    pub(crate) state: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), up::StartError>>,
}

impl Host {
    pub(crate) async fn start(function: Function) -> Self {
        Self::with(function, free_address(), None).await
    }

    pub(crate) async fn with(function: Function, address: SocketAddr, token: Option<&str>) -> Self {
        let token = token.map(|token| InvokeToken::new(token).unwrap());
        Self::run(
            function,
            up::HostOptions {
                invoke: up::InvokeAt::Given(address),
                token,
                ..up_options(free_address())
            },
            address,
        )
        .await
    }

    /// With this limit of instances for a function without reserved concurrency.
    pub(crate) async fn limited(function: Function, default_concurrency: usize) -> Self {
        let address = free_address();
        let options = up_options(free_address());
        let pool = PoolOptions {
            default_concurrency,
            ..options.pool
        };
        Self::run(
            function,
            up::HostOptions {
                invoke: up::InvokeAt::Given(address),
                pool,
                ..options
            },
            address,
        )
        .await
    }

    async fn run(function: Function, options: up::HostOptions, address: SocketAddr) -> Self {
        let app = application(function);
        let state = options.state.path().to_owned();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(up::run(app, options, async move { drop(stopped.await) }));
        let url = format!("http://127.0.0.1:{}", address.port());
        let host = Self {
            url,
            state,
            stop: Some(stop),
            running,
        };
        eventually("the host answers", async || {
            reqwest::get(host.path("/")).await.ok()
        })
        .await;
        host
    }

    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}/2015-03-31/functions{path}", self.url)
    }

    /// Calls a function with these headers.
    pub(crate) async fn call(
        &self,
        function: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Response {
        let mut request = reqwest::Client::new()
            .post(self.path(&format!("/{function}/invocations")))
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }
}
