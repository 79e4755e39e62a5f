//! Finds the control address of the running host of a template.

use std::net::SocketAddr;
use std::path::Path;

use super::address;
use super::error::CommandError;
use super::prepare;
use crate::client::InvokeClient;
use crate::host_file::HostFile;

/// The control address: of `--control`, else of the host that runs in this state folder, else
/// `configured` of usher.toml. `None`: there is none.
///
/// A file that a killed host left names an address that another program may have now, so it counts
/// only while the run that it describes responds at its Invoke API.
///
/// # Errors
/// `written` is no address; the host file cannot be read; or the host of the file does not respond
/// and usher.toml names no address.
pub(super) fn control_address(
    written: Option<&str>,
    state: &Path,
    configured: Option<SocketAddr>,
) -> Result<Option<SocketAddr>, CommandError> {
    if let Some(written) = written {
        let address = address::parse("--control", written);
        return address
            .map(Some)
            .map_err(|refused| CommandError::configuration(refused.to_string()));
    }
    let file = HostFile::load(state).map_err(|error| {
        CommandError::configuration(format!(
            "the host file in {} cannot be read ({error}). Name the host with --control ADDRESS, \
             or start it again with usher up, which replaces the file",
            state.display()
        ))
    })?;
    let Some(found) = file.and_then(|file| file.control) else {
        return Ok(configured);
    };
    let runtime = prepare::runtime()?;
    let responds = InvokeClient::of(state).is_some_and(|host| runtime.block_on(host.is_running()));
    match (responds, configured) {
        (true, _) => Ok(Some(found)),
        (false, Some(configured)) => Ok(Some(configured)),
        (false, None) => Err(CommandError::failure(format!(
            "no host responds: the host file in {} names the control address {found} of a host \
             that is stopping, or that ended without removing the file. Start it with usher up",
            state.display()
        ))),
    }
}
