//! x
pub(crate) const WEBHOOK_SECRET: &str = "for-this-machine-only";
pub(crate) async fn run(o: crate::DemoOptions) -> anyhow::Result<std::process::ExitCode> {
    let _ = o;
    anyhow::bail!("x")
}
