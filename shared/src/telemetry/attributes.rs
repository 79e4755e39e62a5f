//! Names of attributes, as OpenTelemetry's semantic conventions have them, and this system's own.

/// How a request asks: `GET`, ...
pub const HTTP_REQUEST_METHOD: &str = "http.request.method";
/// The route as the template writes it.
pub const HTTP_ROUTE: &str = "http.route";
/// Status of the answer.
pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
/// The path as it was asked for.
pub const URL_PATH: &str = "url.path";
/// `http` or `https`.
pub const URL_SCHEME: &str = "url.scheme";
/// What kind of broker: `kafka`.
pub const MESSAGING_SYSTEM: &str = "messaging.system";
/// The topic.
pub const MESSAGING_DESTINATION: &str = "messaging.destination.name";
/// The partition, as text.
pub const MESSAGING_PARTITION: &str = "messaging.destination.partition.id";
/// `send`, `process`, ...
pub const MESSAGING_OPERATION_TYPE: &str = "messaging.operation.type";
/// The same, as the system calls it.
pub const MESSAGING_OPERATION_NAME: &str = "messaging.operation.name";
/// The record's offset.
pub const KAFKA_OFFSET: &str = "messaging.kafka.offset";
/// What kind of error, a word.
pub const ERROR_TYPE: &str = "error.type";
/// The order's number.
pub const ORDER: &str = "usher.order";
/// What became of it, a word.
pub const OUTCOME: &str = "usher.outcome";
