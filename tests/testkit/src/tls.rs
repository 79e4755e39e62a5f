//! A certificate authority of one test, the certificates that it issues, and a server that shows one.
//! `openssl` makes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::net::free_address;
use crate::process::KillOnDrop;
use crate::wait::until;

/// The name and the address that local servers are reached by.
const LOCAL: &str = "DNS:localhost,IP:127.0.0.1";
/// A name that no local server is reached by.
const OTHER_NAME: &str = "DNS:other.example";
const EXPIRED: [&str; 2] = ["20200101000000Z", "20200102000000Z"];
const VALID: [&str; 2] = ["20200101000000Z", "20491231235959Z"];

/// An authority. Its files are removed when it is dropped. Keys are P-256, in PKCS #8.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
    /// Also serialises `openssl ca`, which keeps a database in the folder.
    issued: Mutex<usize>,
}

/// The files of a certificate and its private key, in PEM. They exist as long as their authority.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Identity {
    /// The certificate as PEM text.
    pub fn certificate_pem(&self) -> Vec<u8> {
        read(&self.certificate)
    }

    /// The private key as PEM text.
    pub fn key_pem(&self) -> Vec<u8> {
        read(&self.key)
    }
}

impl Authority {
    /// Makes an authority, whose certificate is valid until 2049.
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let authority = Self {
            folder,
            issued: Mutex::new(0),
        };
        authority.write("database", "");
        authority.request("ca", "test authority");
        authority.sign("ca", true, "CA:TRUE", None, VALID);
        authority
    }

    /// The authority's certificate, as a file in PEM.
    pub fn file(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The authority's certificate as PEM text.
    pub fn pem(&self) -> Vec<u8> {
        read(&self.file())
    }

    /// A valid certificate of a server at `localhost` or `127.0.0.1`. It also serves as a client's.
    pub fn server(&self) -> Identity {
        self.issue("localhost", LOCAL, VALID)
    }

    /// A certificate of a server at `other.example`: no local address fits it.
    pub fn server_with_other_name(&self) -> Identity {
        self.issue("other.example", OTHER_NAME, VALID)
    }

    /// A certificate of a server at `localhost` that expired in 2020.
    pub fn expired_server(&self) -> Identity {
        self.issue("localhost", LOCAL, EXPIRED)
    }

    /// A valid certificate of a client with this common name.
    pub fn client(&self, name: &str) -> Identity {
        self.issue(name, &format!("DNS:{name}"), VALID)
    }

    fn issue(&self, common_name: &str, names: &str, valid: [&str; 2]) -> Identity {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        *issued += 1;
        let file = format!("issued-{issued}");
        self.request(&file, common_name);
        self.sign(&file, false, "CA:FALSE", Some(names), valid);
        Identity {
            certificate: self.path(&format!("{file}.pem")),
            key: self.path(&format!("{file}.key")),
        }
    }

    /// A new key and a request for its certificate.
    fn request(&self, file: &str, common_name: &str) {
        let (key, request) = (format!("{file}.key"), format!("{file}.csr"));
        let subject = format!("/CN={common_name}");
        let curve = "ec_paramgen_curve:prime256v1";
        self.write("request.cnf", "[req]\ndistinguished_name = name\n[name]\n");
        self.openssl(&[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            curve,
            "-nodes",
            "-config",
            "request.cnf",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
    }

    /// Signs a request. `openssl ca` can date a certificate back; `openssl x509` cannot.
    fn sign(&self, file: &str, own: bool, kind: &str, names: Option<&str>, valid: [&str; 2]) {
        let names = names.map_or(String::new(), |names| format!("subjectAltName = {names}\n"));
        let settings = format!(
            "[ca]\ndefault_ca = this\n\
             [this]\ndatabase = database\nserial = serial\nnew_certs_dir = .\ndefault_md = sha256\n\
             unique_subject = no\npolicy = policy\nx509_extensions = extensions\n\
             [policy]\ncommonName = supplied\n\
             [extensions]\nbasicConstraints = critical,{kind}\n\
             subjectKeyIdentifier = hash\n{names}"
        );
        let (configuration, request) = (format!("{file}.cnf"), format!("{file}.csr"));
        let certificate = format!("{file}.pem");
        self.write(&configuration, &settings);
        let [from, until] = valid;
        let mut words = vec![
            "ca",
            "-batch",
            "-config",
            &configuration,
            "-in",
            &request,
            "-out",
            &certificate,
            "-notext",
            "-rand_serial",
            "-startdate",
            from,
            "-enddate",
            until,
            "-keyfile",
            "ca.key",
        ];
        words.extend_from_slice(if own {
            &["-selfsign"]
        } else {
            &["-cert", "ca.pem"]
        });
        self.openssl(&words);
    }

    fn openssl(&self, words: &[&str]) {
        let done = Command::new("openssl")
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .expect("openssl runs; it is the Debian package openssl");
        let text = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "openssl {words:?}: {text}");
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).expect("the folder of an authority is writable");
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// A server on a port of 127.0.0.1 that shows a certificate, and ends with this value. For clients
/// that refuse it before they send anything else.
#[derive(Debug)]
pub struct TlsServer {
    port: u16,
    _process: KillOnDrop,
}

impl TlsServer {
    /// Starts it and waits until it accepts connections.
    pub async fn start(identity: &Identity) -> Self {
        let address = free_address();
        let process = Command::new("openssl")
            .args(["s_server", "-quiet", "-accept", &address.to_string()])
            .arg("-cert")
            .arg(&identity.certificate)
            .arg("-key")
            .arg(&identity.key)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs; it is the Debian package openssl");
        let process = KillOnDrop(process);
        until("openssl listens", async || {
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self {
            port: address.port(),
            _process: process,
        }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A path as an argument of a program.
pub(crate) fn path_text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

fn read(file: &Path) -> Vec<u8> {
    fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::Authority;
    use std::process::Command;

    fn verified(authority: &Authority, identity: &super::Identity, more: &[&str]) -> bool {
        let done = Command::new("openssl")
            .args(["verify", "-CAfile"])
            .arg(authority.file())
            .args(more)
            .arg(&identity.certificate)
            .output()
            .expect("openssl runs");
        done.status.success()
    }

    #[test]
    fn certificates_are_refused_for_the_reason_named() {
        let authority = Authority::new();
        let server = authority.server();
        let local = ["-verify_hostname", "localhost"];
        assert!(verified(&authority, &server, &local));
        assert!(verified(&authority, &server, &["-verify_ip", "127.0.0.1"]));
        assert!(!verified(&Authority::new(), &server, &local));

        let expired = authority.expired_server();
        assert!(!verified(&authority, &expired, &local));
        let then = ["-attime", "1577880000", "-verify_hostname", "localhost"];
        assert!(verified(&authority, &expired, &then));

        let other = authority.server_with_other_name();
        assert!(!verified(&authority, &other, &local));
        let named = ["-verify_hostname", "other.example"];
        assert!(verified(&authority, &other, &named));
    }
}
